"""A season with the command line: 26 photos, a colleague's catalogue, people's mistakes, and the right end."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from retrieval.cli.app import main
from synthetic.samples import SampleSet
from tests.retrieval.cli.conftest import SMALL
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole

NEAREST = ("--matcher", "nearest")
STRANGERS = ("T023", "T024")


@pytest.fixture
def season(samples: SampleSet, tmp_path: Path) -> dict[str, str]:
    """Who the photos in `season` really show, by file name: a photo each of 22 turtles, two each of two strangers."""
    folder = tmp_path / "season"
    folder.mkdir()
    truth: dict[str, str] = {}
    for turtle in sorted({sample.turtle for sample in samples.samples}):
        for number in (1, 2) if turtle in STRANGERS else (2,):
            name = f"{len(truth):02d}.jpg"
            shutil.copy(samples.folder / turtle / f"left-{number}.jpg", folder / name)
            truth[name] = turtle
    return truth


def colleague(samples: SampleSet, folder: Path) -> None:
    """T001 is another turtle there, Maria is our T002 by a photo that both have."""
    catalog = folder / "field.catalog"
    own = folder / "maria.jpg"
    with Image.open(samples.folder / "T002" / "left-3.jpg") as picture:
        picture.crop((4, 4, picture.width, picture.height)).save(own, quality=95)
    photos = samples.folder / "T024" / "left-3.jpg", samples.folder / "T002" / "left-1.jpg", own
    for path, name in zip(photos, ("T001", "Maria", "Maria"), strict=True):
        asked = [str(path), "--turtle", name, "--side", "left", "--no-fit", *SMALL]
        with pytest.raises(SystemExit):
            main(["--catalog", str(catalog), "enroll", *asked])


def test_a_season_ends_with_the_right_catalogue(
    own: Shell, samples: SampleSet, season: Mapping[str, str], tmp_path: Path
) -> None:
    # all at once: a line each, kept, and a table for the office
    told = own("query", "season", "--side", "left", "--keep", "--csv", *NEAREST)
    assert (told.code, len(told.rows)) == (0, 26)
    answers = {Path(row["photo"]).name: row for row in told.rows}
    assert sum(row["verdict"] == "KNOWN" for row in answers.values()) >= 10
    assert all(row["turtle"] == season[name] for name, row in answers.items() if row["verdict"] == "KNOWN")
    assert all(row["next"] for row in answers.values())

    # what is KNOWN goes in by a table that the answers made
    with (tmp_path / "known.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["photo", "turtle", "side", "taken_on"])
        rows.writerows(
            [row["photo"], row["turtle"], "left", "2019-07-01"] for row in answers.values() if row["verdict"] == "KNOWN"
        )
    assert own("enroll", "--manifest", "known.csv", "--no-fit").code == 0

    # the rest is decided photo by photo; strangers get ids of their own
    ids: dict[str, str] = {turtle: turtle for turtle in season.values() if turtle not in STRANGERS}
    for name, row in answers.items():
        if row["verdict"] == "KNOWN":
            continue
        who = ids.get(season[name])
        [done] = own("decide", row["kept_as"], *(["--is", who] if who else ["--new"]), "--enroll", "--json").records
        ids.setdefault(season[name], done["enrolled_as"])
    assert len(set(ids.values())) == 24

    # mistakes: a slip of the keyboard, a mistyped side, a wrong turtle
    before = own.turtles()
    mistyped = samples.folder / "T005" / "left-2.jpg"
    assert own("query", mistyped, "--confirm", "T05", *NEAREST).code == 1
    [side] = own("query", samples.folder / "T009" / "left-2.jpg", "--side", "right", "--json", *NEAREST).records
    assert side["verdict"] != "NEW"
    assert own("photos", "move", str(mistaken(own, "04.jpg", season)), "--to", "T006").code == 0
    assert own.turtles() != before
    history = own("history", "--limit", "1", "--json").records
    assert "→ T006" in history[0]["subject"]
    assert own("undo", "--yes").code == 0
    assert own.turtles() == before

    # a colleague's catalogue, where one id is another turtle and one turtle has another id
    colleague(samples, tmp_path)
    stayed = own("join", "field.catalog", *NEAREST, "--json")
    assert (stayed.code, [one["turtle"] for one in stayed.records[0]["conflicts"]]) == (3, ["T001"])
    assert own.turtles()["T001"] == before["T001"]
    joined = own("join", "field.catalog", "--prefix", "KEF-")
    assert joined.code == 0
    assert "turtles merge T002 Maria" in stayed.err
    assert own("turtles", "merge", "T002", "Maria", "--yes").code == 0
    assert own("turtles", "merge", ids["T024"], "KEF-T001", "--yes").code == 0  # the audit or a person finds it

    right(own, samples, {**season, "maria.jpg": "T002"}, ids)


def mistaken(own: Shell, name: str, season: Mapping[str, str]) -> int:
    [number] = [
        int(one["number"])
        for one in own("photos", "list", "--turtle", season[name], "--json").records
        if one["photo"].endswith(name)
    ]
    return number


def right(own: Shell, samples: SampleSet, season: Mapping[str, str], ids: Mapping[str, str]) -> None:
    """Every photo has the id of the turtle that it shows, every stranger one id, and the catalogue is sound."""
    shown = {str(samples.folder / one.photo): one.turtle for one in samples.samples}
    for record in Browser(Catalog.open(own.catalog)).photos():
        truth = season.get(Path(record.path).name) or shown[record.path]
        assert record.turtle == ids[truth], record.path
    assert own("check").code == 0
    assert sum(1 for count in own.turtles("--status", "active").values() if count) == 24
