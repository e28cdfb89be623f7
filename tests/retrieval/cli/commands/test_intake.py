"""What people bring, by way of the command line: looked at first, told apart, and never lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.images.formats.containers import without_metadata
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell


@pytest.fixture
def brought(shell: Shell, samples: SampleSet) -> Path:
    """A folder of four drawn photos under two turtles, one of which is there twice."""
    sources = sorted(samples.folder.rglob("*.jpg"))[:3]
    folder = shell.catalog.parent / "brought"
    for source, name in zip(sources, ("A/1.jpg", "A/2.jpg", "B/3.jpg"), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(source.read_bytes())
    (folder / "B/copy.jpg").write_bytes((folder / "A/1.jpg").read_bytes())
    (folder / "B/notes.txt").write_text("low tide")
    return folder


def test_a_look_before_enrolling_tells_what_enrolling_does(shell: Shell, brought: Path) -> None:
    before = shell.turtles()
    looked = shell("enroll", brought, "--check", "--json")
    assert looked.code == 3
    assert [(Path(one["photo"]).name, one["outcome"]) for one in looked.records] == [
        ("1.jpg", "enroll"),
        ("2.jpg", "enroll"),
        ("3.jpg", "enroll"),
        ("copy.jpg", "refused"),
    ]
    assert "1 file was no photo: 1 .txt." in looked.err
    assert shell.turtles() == before
    done = shell("enroll", brought, "--no-fit")
    assert (done.code, done.out.split(" (")[0]) == (3, "3 enrolled, 0 already there, 1 refused")
    assert "has the bytes of" in done.err
    assert "which is turtle A, and was not enrolled as B" in " ".join(done.err.split())
    again = shell("enroll", brought, "--check", "--json")
    assert [one["outcome"] for one in again.records] == ["already there"] * 3 + ["refused"]


def test_a_look_at_an_update_tells_what_the_update_does(shell: Shell, brought: Path) -> None:
    first = brought / "A/1.jpg"
    assert shell("enroll", first, "--turtle", "A", "--no-fit").code == 0
    said = ("enroll", first, "--turtle", "B", "--site", "Reef", "--no-fit")
    assert (shell(*said, "--check").code, shell(*said).code) == (1, 1)
    looked = shell(*said, "--update", "--check", "--json")
    assert (looked.code, [one["outcome"] for one in looked.records]) == (0, ["already there"])
    assert f"{first}: turtle is A here, and B is said" in looked.err
    assert f"{first}: site is nothing here, and Reef is said" in looked.err
    assert "1 photo would be updated." in looked.err
    assert shell.turtles()["A"] == 1  # a look changes nothing
    done = shell(*said, "--update")
    assert (done.code, "1 updated: event" in done.out, "1 already there, 0 refused" in done.out) == (0, True, True)
    assert shell("photos", "list", "--turtle", "B", "--json").records[0]["site"] == "Reef"
    again = shell(*said, "--update", "--check")
    assert (again.code, "updated" in again.err) == (0, False)


def test_a_look_at_a_corrected_head_box_tells_what_the_update_does(shell: Shell, brought: Path) -> None:
    photo, table = brought / "A/1.jpg", brought / "heads.csv"
    for place in ("0,0,150,150", "100,60,150,150"):
        table.write_text(f"photo,turtle,x,y,w,h\n{photo},A,{place}\n")
        looked = shell("enroll", "--manifest", table, "--update", "--check", "--json", "--no-fit")
        done = shell("enroll", "--manifest", table, "--update", "--no-fit")
        assert (looked.code, done.code) == (0, 0)
        expected = "enroll" if "1 enrolled" in done.out else "already there"
        assert [one["outcome"] for one in looked.records] == [expected]
    assert ("1 updated" in done.out, "0 enrolled, 1 already there" in done.out) == (True, True)


def test_a_look_at_a_table_without_a_row_says_what_enrolling_says(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("photo,turtle\n")
    for look in ([], ["--check"], ["--update", "--check"]):
        done = shell("enroll", "--manifest", tmp_path / "none.csv", "--no-fit", *look)
        assert (done.code, "none.csv names no photo" in " ".join(done.err.split())) == (1, True)


def test_looking_makes_no_catalogue(shell: Shell, brought: Path, tmp_path: Path) -> None:
    elsewhere = Shell(tmp_path / "none.catalog", shell._capsys, shell._patch)
    assert "enroll" in elsewhere("enroll", brought / "A", "--turtle", "A", "--check").out
    assert not (tmp_path / "none.catalog").exists()


@pytest.mark.parametrize("named", [["empty"], ["empty", "missing.jpg"], ["--manifest", "none.csv"]])
def test_without_a_photo_no_catalogue_is_made(shell: Shell, tmp_path: Path, named: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("low tide")
    (tmp_path / "none.csv").write_text("photo,turtle\nmissing.jpg,T001\n")
    elsewhere = Shell(tmp_path / "none.catalog", shell._capsys, shell._patch)
    done = elsewhere("enroll", *named)
    assert (done.code, done.out) == (1, "")
    assert len(done.err.strip().splitlines()) == 1
    assert "No catalogue was made." in done.err
    assert not (tmp_path / "none.catalog").exists()


def test_ids_that_look_like_known_ones_are_refused_unless_they_are_said_to_be_others(
    shell: Shell, brought: Path
) -> None:
    refused = shell("enroll", brought / "A/1.jpg", "--turtle", "t-17", "--check", "--json")
    assert "differs from T017 only in" in refused.records[0]["reason"]
    assert shell("enroll", brought / "A/1.jpg", "--turtle", "t-17", "--new-ids", "--check").code == 0


def test_undated_photos_are_told_of_and_can_be_told_apart(shell: Shell, brought: Path, samples: SampleSet) -> None:
    for source, name in zip(
        sorted(samples.folder.rglob("*.jpg"))[:4], ("A/1", "A/2", "C/dive/3", "C/beach/4"), strict=True
    ):
        (brought / name).parent.mkdir(parents=True, exist_ok=True)
        (brought / f"{name}.jpg").write_bytes(without_metadata(source.read_bytes()))
    told = shell("enroll", brought / "A", "--turtle", "A", "--no-fit")
    assert "2 undated photos of 1 turtles count as one occasion" in " ".join(told.err.split())
    shell("enroll", brought / "C", "--turtle", "C", "--no-fit", "--encounters-by", "folder")
    encounters = shell("encounters", "list", "--turtle", "C", "--json").records
    assert sorted(str(one["name"]).rsplit("/", 1)[-1] for one in encounters) == ["beach", "dive"]


def test_a_table_that_can_be_read_both_ways_is_settled_by_an_option(shell: Shell, brought: Path) -> None:
    (brought / "t.csv").write_text("photo,turtle,taken_on\nA/1.jpg,Z1,03/04/2021\n")
    unsure = shell("enroll", "--manifest", brought / "t.csv", "--check")
    assert unsure.code == 1
    assert "--dates dmy or --dates mdy" in " ".join(unsure.err.split())
    [sure] = shell("enroll", "--manifest", brought / "t.csv", "--check", "--json", "--dates", "dmy").records
    assert sure["taken_on"] == "2021-04-03"
