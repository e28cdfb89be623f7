"""Unidentified encounters are linked before they become ids, and nothing is claimed without a model."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from index.catalog.catalog import Catalog
from index.types import Side
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.review.clustering import cluster_encounters
from retrieval.review.groups import Group
from tests.retrieval.lookalikes import believing, engine, enrolled, lookalike
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

NEW, OTHER = 101, 102


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue after an import: one new turtle three times, another once, T005 twice."""
    catalog = believing(enrolled(tmp_path_factory.mktemp("imported")))
    seen = [(NEW, 11), (NEW, 12), (NEW, 13), (OTHER, 11), (5, 14), (5, 15)]
    catalog.enroll([lookalike(turtle, number, None) for turtle, number in seen], "Ben")
    return catalog.path


@pytest.fixture
def own(imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(Path(shutil.copytree(imported, tmp_path / "turtles.catalog")), capsys, monkeypatch)


def members(groups: list[Group]) -> list[set[str]]:
    return [{photo.path.rsplit("/", 1)[-1] for photo in group.photos} for group in groups]


def test_photos_of_one_new_turtle_become_one_group(imported: Path) -> None:
    groups = cluster_encounters(Catalog.open(imported), engine(), DecisionPolicy())
    assert members(groups) == [
        {"101011.jpg", "101012.jpg", "101013.jpg"},
        {"102011.jpg"},
        {"5014.jpg", "5015.jpg"},
    ]
    assert [group.verdict for group in groups] == [Verdict.NEW, Verdict.NEW, Verdict.KNOWN]
    assert groups[2].turtle == "T005"
    assert len(groups[0].links) >= 2
    assert all(link.probability > 0.5 for link in groups[0].links)


def test_without_a_model_nothing_is_linked_or_proposed(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine().recipe)
    catalog.enroll([lookalike(5, 1, "T005"), lookalike(5, 2, None), lookalike(5, 3, None)], "Ben")
    groups = cluster_encounters(catalog, engine(), DecisionPolicy())
    assert [len(group.encounters) for group in groups] == [1, 1]
    assert {group.verdict for group in groups} == {Verdict.UNDECIDED}
    assert all("turtleidx fit" in group.reason for group in groups)
    assert {one.turtle for one in groups[0].candidates} == {"T005", "encounter 3"}


def test_only_some_encounters_can_be_asked_for(imported: Path) -> None:
    catalog = Catalog.open(imported)
    first, second = (group.encounters[0] for group in cluster_encounters(catalog, engine(), DecisionPolicy())[:2])
    groups = cluster_encounters(catalog, engine(), DecisionPolicy(), [first, second])
    assert [group.encounters for group in groups] == [(first,), (second,)]


def test_an_import_is_identified_by_script_and_taken_back(own: Shell) -> None:
    before = own.turtles()
    assert [one["assigned_as"] for one in own("identify", "--matcher", "nearest", "--dry-run", "--json").records] == [
        None
    ] * 3
    assert own.turtles() == before
    done = own("identify", "--matcher", "nearest", "--yes", "--json", "--why", "season 2026").records
    assert [one["assigned_as"] for one in done] == ["T025", "T026", "T005"]
    assert own.turtles() == before | {"T025": 3, "T026": 1, "T005": 4}
    [newest, *_] = own("history", "--json").records
    assert (newest["who"], newest["action"]) == ("Ana", "identify")
    assert newest["why"].startswith("season 2026 (as proposed: KNOWN T005, P(new) 0.")
    assert "2 encounters linked" in newest["why"]
    for event in reversed(done):
        assert own("undo", str(event["event"]), "--yes").code == 0
    assert own.turtles() == before


def test_a_person_answers_for_each_group(own: Shell) -> None:
    asked = own("identify", "--matcher", "nearest", answer="T999\nT007\n\n")
    assert asked.code == 0
    assert "There is no turtle T999" in asked.err
    assert "Nobody answered" in asked.err
    assert own.turtles()["T007"] == 5
    [newest, *_] = own("history", "--json").records
    assert newest["why"].startswith("against the proposal: NEW")


def test_a_person_who_knows_needs_no_search(own: Shell) -> None:
    first, second, third, *_ = (
        one["encounter"] for one in own("encounters", "list", "--unidentified", "--json").records
    )
    assert own("identify", str(first), "--is", "T009", "--dry-run").code == 0
    assert own("identify", str(first), str(second), "--new").code == 0
    assert own.turtles()["T025"] == 2
    taken = own("identify", str(first), "--is", "T009")
    assert (taken.code, f"Encounter {first} has a turtle already" in taken.err) == (1, True)
    assert own("identify", "--new").code == 2
    assert own("identify", str(third), "--new", "--is", "T009").code == 2
    assert own("identify", str(first)).code == 1
    assert own("identify", "999").code == 1
    nobody = own("identify", str(third), "--is", "T0009")
    assert (nobody.code, "There is no turtle T0009" in nobody.err) == (1, True)
    assert "T0009" not in own.turtles()


def test_new_means_the_next_free_id_and_no_turtle_is_called_so(own: Shell) -> None:
    refused = own("turtles", "rename", "T005", "new")
    assert (refused.code, "stands for the next free id" in refused.err) == (1, True)
    first, second, *_ = (one["encounter"] for one in own("encounters", "list", "--unidentified", "--json").records)
    assert own("identify", str(first), "--is", "new").code == 0
    assert own.turtles()["T025"] == 1
    [photo, *_] = own("photos", "list", "--encounter", str(second), "--json").records
    assert own("photos", "move", str(photo["number"]), "--to", "new").code == 0
    assert "T026" in own.turtles()
    [_, last] = own("photos", "list", "--turtle", "T009", "--json").records
    assert own("turtles", "split", "T009", str(last["number"]), "--as", "new", "--yes").code == 0
    assert own.turtles()["T027"] == 1


def test_a_second_look_compares_nothing_anew(imported: Path) -> None:
    catalog = Catalog.open(imported)
    cluster_encounters(catalog, engine(), DecisionPolicy())
    before = (catalog.path / "features.lmdb" / "data.mdb").read_bytes()
    cluster_encounters(catalog, engine(), DecisionPolicy())
    assert (catalog.path / "features.lmdb" / "data.mdb").read_bytes() == before


def test_an_encounter_of_a_mistyped_side_is_no_new_turtle(imported: Path, own: Shell) -> None:
    catalog = Catalog.open(own.catalog)
    right = [lookalike(turtle, 21, None) for turtle in (9, NEW)]
    right += [lookalike(turtle, 22, name) for turtle, name in ((201, "T201"), (202, "T202"))]
    catalog.enroll([replace(one, sighting=replace(one.sighting, side=Side.RIGHT)) for one in right], "Ben")
    mistyped, nobody, *_ = cluster_encounters(catalog, engine(), DecisionPolicy())[-2:]
    assert mistyped.other_side is not None
    assert (mistyped.other_side.turtle, mistyped.other_side.side) == ("T009", Side.LEFT)
    assert (mistyped.verdict, mistyped.turtle) == (Verdict.UNDECIDED, None)
    assert "matches T009's LEFT photos" in mistyped.reason
    assert nobody.other_side is None
    before = own.turtles()
    [record] = own("identify", str(mistyped.encounters[0]), "--yes", "--json", "--matcher", "nearest").records
    assert (record["assigned_as"], record["other_side"]["turtle"]) == (None, "T009")
    assert own.turtles() == before
    [photo] = mistyped.photos
    told = own("identify", str(mistyped.encounters[0]), "--dry-run", "--matcher", "nearest").out
    assert f"next: look at T009's photos; if the side is wrong, `turtleidx photos side {photo.id} --is left`" in told
    assert own("photos", "side", str(photo.id), "--is", "left").code == 0
    assert "KNOWN T009" in own("identify", str(mistyped.encounters[0]), "--yes", "--matcher", "nearest").out


def test_each_group_is_drawn_before_anybody_is_asked(own: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    asked = own("identify", "--matcher", "nearest", "--plot", folder, answer="\n\n\n")
    assert asked.code == 0
    first, second, third = (one["group"] for one in own("identify", "--matcher", "nearest", "--json").records)
    assert sorted(folder.iterdir()) == [folder / f"encounter-{one}.png" for one in sorted((first, second, third))]
    assert f"Match picture of encounter {first}: {folder}" in asked.err
    assert asked.err.index("Match picture") < asked.err.index("Which turtle?")
    with Image.open(folder / f"encounter-{third}.png") as picture:
        assert picture.width > 900  # two photos side by side
    (tmp_path / "file").write_text("")
    assert own("identify", "--matcher", "nearest", "--plot", tmp_path / "file").code == 1


def test_what_to_do_next_is_a_command_that_does_it(own: Shell) -> None:
    records = own("identify", "--matcher", "nearest", "--json", "--dry-run").records
    for record in records:
        command = record["next"].split("`")[1]
        assert own(*shlex.split(command)[1:]).code == 0
    assert own("encounters", "list", "--unidentified", "--json").records == []
