import os
from pathlib import Path

import pytest

from index.exchange.manifest import RefusedRow
from index.types import Side, Sighting
from retrieval.images.inputs import Question, count_photos, from_manifest, from_paths, questions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Nina/1.jpg", "Nina/2019/2.jpg", "Olga/3.jpg", "4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def owners(folder: Path, known: Sighting, by_folder: bool) -> dict[str, str | None]:
    found = from_paths([folder], known, by_folder)
    return {Path(one.path).name: one.turtle for one in found if isinstance(one, Sighting)}


def test_the_first_folder_names_the_turtle_unless_told_otherwise(folder: Path) -> None:
    assert owners(folder, Sighting(""), True) == {"1.jpg": "Nina", "2.jpg": "Nina", "3.jpg": "Olga", "4.jpg": None}
    assert set(owners(folder, Sighting(""), False).values()) == {None}
    assert set(owners(folder, Sighting("", turtle="T1"), True).values()) == {"T1"}


def test_an_empty_folder_costs_a_sentence_not_the_batch(folder: Path) -> None:
    bad, good = from_paths([folder / "empty", folder / "4.jpg"], Sighting("", side=Side.LEFT), True)
    assert isinstance(bad, RefusedRow)
    assert "holds no photo" in bad.reason
    assert isinstance(good, Sighting)
    assert good.side is Side.LEFT
    assert count_photos([folder, folder / "empty", folder / "4.jpg"]) == 6


def test_names_that_cannot_be_kept_cost_their_photos(folder: Path) -> None:
    for name in (" lead/5.jpg", f"{'x' * 125}/6.jpg", os.fsdecode(b"Nina/\xe9.jpg")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = list(from_paths([folder], Sighting(""), True))
    bad = [one for one in found if isinstance(one, RefusedRow)]
    assert len(found) == 7
    assert [Path(one.photo).name for one in bad] == ["5.jpg", "\N{REPLACEMENT CHARACTER}.jpg", "6.jpg"]
    assert [one.photo in one.reason for one in bad] == [True] * 3
    assert len(owners(folder, Sighting(""), False)) == 6


def test_what_the_command_says_fills_a_manifests_empty_cells(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("photo,side,site\na.jpg,right,\nb.jpg,,Laganas\n")
    known = Sighting("", turtle="T1", side=Side.LEFT, site="Zakynthos", latitude=37.7)
    first, second = from_manifest(manifest, [], known)
    assert isinstance(first, Sighting)
    assert isinstance(second, Sighting)
    assert (first.side, first.site, first.turtle, first.latitude) == (Side.RIGHT, "Zakynthos", "T1", 37.7)
    assert (second.side, second.site) == (Side.LEFT, "Laganas")
    [asked, _] = questions([], manifest, [], Side.LEFT)
    assert isinstance(asked, Question)
    assert (asked.sighting.side, asked.columns["side"]) == (Side.RIGHT, "right")
