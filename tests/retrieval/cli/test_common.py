"""Changes of turtles, photos and encounters, and what cannot be done."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from index.curation.decisions import Decisions
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole


def test_a_merge_asks_shows_and_is_undone(shell: Shell) -> None:
    merge = ("turtles", "merge", "T001", "T002", "--why", "same scar")
    for answer in ("n\n", ""):
        refused = shell(*merge, answer=answer)
        assert refused.code == 1
        assert "turtle T002: status active → merged" in refused.err
        assert "Nothing was changed" in refused.err
    assert "would change" in shell(*merge, "--dry-run").out
    assert shell.turtles("--status", "active") == {"T001": 3, "T002": 2, "T017": 1}
    assert "event" in shell(*merge, answer="y\n").out
    assert shell.turtles("--status", "active") == {"T001": 5, "T017": 1}
    [newest, *_] = shell("history", "--json").records
    assert (newest["who"], newest["action"], newest["why"]) == ("Ana", "merge turtles", "same scar")
    [undone] = shell("undo", "--yes", "--json").records
    assert undone["event"] == newest["id"] + 1
    assert shell.turtles("--status", "active") == {"T001": 3, "T002": 2, "T017": 1}
    again = shell("undo", str(newest["id"]), "--yes")
    assert (again.code, "is undone already" in again.err) == (1, True)


def test_every_change_of_a_turtle(shell: Shell) -> None:
    assert shell("turtles", "create", "T100", "--species", "Caretta caretta", "--note", "seen by boat").code == 0
    [made] = shell("turtles", "rename", "T100", "Nina", "--json").records
    [change] = made["changes"]
    assert (change["name"], change["columns"]) == ("turtle T100", {"id": ["T100", "Nina"]})
    assert shell("turtles", "tag", "Nina", "--add", "one flipper", "--add", "male").code == 0
    assert shell("turtles", "tag", "Nina", "--remove", "male").code == 0
    assert shell("turtles", "species", "Nina", "Chelonia mydas").code == 0
    assert shell("turtles", "note", "Nina").code == 0
    [nina] = shell("turtles", "list", "--tag", "one flipper", "--json").records
    assert (nina["turtle"], nina["species"], nina["note"]) == ("Nina", "Chelonia mydas", None)
    assert shell("turtles", "split", "T001", "3", "--as", "T003", "--yes").code == 0
    assert shell("turtles", "retire", "T003", "--yes").code == 0
    assert shell.turtles("--status", "retired") == {"T003": 1}
    assert shell("turtles", "restore", "T003").code == 0
    assert shell.turtles() == {"Nina": 0, "T001": 2, "T002": 2, "T003": 1, "T017": 1}
    assert shell("turtles", "tag", "Nina").code == 2
    nothing = shell("turtles", "species", "Nina", "Chelonia mydas")
    assert (nothing.code, nothing.out) == (0, "nothing to change: it is like that already\n")


def test_every_change_of_a_photo(shell: Shell) -> None:
    assert shell("turtles", "create", "T020").code == 0
    assert shell("photos", "move", "7", "photos/6.jpg", "--to", "T020").code == 0
    assert shell.turtles() == {"T001": 3, "T002": 2, "T017": 0, "T020": 2}
    assert shell("photos", "move", "7", "--to-nobody").code == 0
    assert shell("photos", "side", "7", "--is", "left").code == 0
    assert shell("photos", "date", "7", "--is", "2019-12-31").code == 0
    [seven] = shell("photos", "show", "7", "--json").records
    assert (seven["turtle"], seven["side"], seven["taken_on"]) == (None, "left", "2019-12-31")
    assert shell("photos", "side", "7", "--unknown").code == 0
    assert shell("photos", "date", "7", "--unknown").code == 0
    [seven] = shell("photos", "show", "7", "--json").records
    assert (seven["side"], seven["taken_on"]) == (None, None)
    assert shell("photos", "remove", "1", "2", answer="y\n").code == 0
    assert [one["number"] for one in shell("photos", "list", "--removed", "--json").records] == [1, 2]
    assert shell("photos", "restore", "1").code == 0
    assert shell.turtles()["T001"] == 2
    touched = [one["action"] for one in shell("history", "--photo", "7", "--json").records]
    assert touched == ["set date", "set side", "set date", "set side", "move photos", "move photos", "enroll"]


def test_moved_originals_are_found_by_their_bytes(shell: Shell) -> None:
    folder = shell.catalog.parent / "disk" / "deep"
    folder.mkdir(parents=True)
    for seed in (1, 2, 99):
        (folder / f"moved-{seed}.jpg").write_text(str(seed))
    (folder / "empty.jpg").touch()
    first = shell("photos", "relocate", folder.parent)
    assert first.code == 0
    assert "2 moved originals found, 0 where they were, 5 still missing." in first.err
    assert shell("photos", "show", "2", "--json").records[0]["photo"] == str(folder / "moved-2.jpg")
    again = shell("photos", "relocate", folder.parent, "--json")
    assert again.records == [{"event": None, "dry_run": False, "changes": []}]
    assert "0 moved originals found, 2 where they were, 5 still missing." in again.err


def test_moved_originals_whose_metadata_was_rewritten_are_found_by_their_pictures(
    shell: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    photo = tmp_path / "boat" / "a.jpg"
    photo.parent.mkdir()
    shutil.copy(samples.folder / "T001" / "left-1.jpg", photo)
    assert shell("enroll", photo, "--turtle", "T001", "--no-fit").code == 0
    rated = tmp_path / "disk" / "rated.jpg"
    rated.parent.mkdir()
    data = photo.read_bytes()
    comment = b"\xff\xfe" + (2 + len(b"five stars")).to_bytes(2, "big") + b"five stars"
    rated.write_bytes(data[:2] + comment + data[2:])
    photo.unlink()
    assert "1 moved originals found" in shell("photos", "relocate", rated.parent).err
    assert str(rated) in {one["photo"] for one in shell("photos", "list", "--turtle", "T001", "--json").records}
    exact = rated.with_name("zz.jpg")
    exact.write_bytes(data)
    rated.rename(rated.with_name("aa.jpg"))
    assert "1 moved originals found" in shell("photos", "relocate", rated.parent).err
    assert str(exact) in {one["photo"] for one in shell("photos", "list", "--turtle", "T001", "--json").records}


def test_originals_whose_names_are_no_text_are_passed_over(shell: Shell) -> None:
    folder = shell.catalog.parent / "disk"
    folder.mkdir()
    (folder / os.fsdecode(b"\xe9.jpg")).write_text("1")
    (folder / "zz.jpg").write_text("2")
    done = shell("photos", "relocate", folder)
    assert (done.code, "1 moved originals found" in done.err) == (3, True)
    assert "passed over" in done.err


def test_words_that_are_no_text_get_a_sentence(shell: Shell) -> None:
    odd = os.fsdecode(b"\xe9")
    for arguments in (
        ["turtles", "note", "T001", odd],
        ["turtles", "show", odd],
        ["photos", "side", "1", "--is", "top", "--why", odd],
    ):
        done = shell(*arguments)
        assert (done.code, "UTF-8" in done.err) == (1, True)
    assert shell("--catalog", odd, "init").code == 1


def test_encounters_merge_and_split(shell: Shell) -> None:
    first, second = (one["encounter"] for one in shell("encounters", "list", "--turtle", "T002", "--json").records)
    assert shell("encounters", "merge", str(first), str(second), "--yes").code == 0
    [merged] = shell("encounters", "list", "--turtle", "T002", "--json").records
    assert merged["photos"] == 2
    assert shell("encounters", "split", str(merged["encounter"]), "5", "--as", "dusk", answer="y\n").code == 0
    names = [one["name"] for one in shell("encounters", "list", "--turtle", "T002", "--json").records]
    assert names == [None, "dusk"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["turtles", "show", "T999"], 1, "There is no turtle T999"),
        (["turtles", "rename", "T001", "T002"], 1, "There is a turtle T002 already"),
        (["turtles", "split", "T001", "4", "--as", "T003", "--yes"], 1, "does not belong to turtle T001"),
        (["photos", "move", "1"], 2, "--to"),
        (["photos", "side", "1", "--is", "bottom"], 2, "bottom"),
        (["photos", "date", "1", "--is", "July"], 2, "YYYY-MM-DD"),
        (["photos", "date", "1", "--is", "2020-01-05 to 2020-01-09"], 2, "YYYY-MM-DD"),
        (["history", "T001", "--photo", "1"], 2, "choose one"),
        (["undo", "999"], 1, "There is no event 999"),
        (["undo", "1"], 1, "cannot be undone"),
        (["encounters", "merge", "1", "9" * 20, "--yes"], 1, "There is no encounter 9999"),
        (["identify", "9" * 20, "--new"], 1, "There is no encounter 9999"),
        (["turtles", "list", "--page-size", "9" * 20], 2, "--page-size"),
        (["reindex", "--extractor", "sift-1-128"], 1, "multiples of 64"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(shell: Shell, arguments: list[str], code: int, sentence: str) -> None:
    done = shell(*arguments)
    assert (done.code, done.out) == (code, "")
    assert sentence in " ".join(re.sub("[│╭╮╰╯─]", " ", done.err).split())


def test_undo_says_what_it_takes_back_and_passes_nothing_over(shell: Shell) -> None:
    assert shell("turtles", "note", "T001", "by the ferry").code == 0
    [newest, *_] = shell("history", "--json").records
    assert f"Take event {newest['id']} back (" in shell("undo", answer="n\n").err
    assert shell("compact", "--yes").code == 0
    [compacted, *_] = shell("history", "--json").records
    refused = shell("undo", "--yes")
    assert refused.code == 1
    assert f"Event {compacted['id']} (compact) cannot be undone" in " ".join(refused.err.split())
    assert shell("undo", str(newest["id"]), "--yes").code == 0


def test_photos_of_a_retired_turtle_are_told_of(shell: Shell) -> None:
    assert shell("turtles", "retire", "T002", "--yes").code == 0
    moved = shell("photos", "move", "7", "--to", "T002")
    assert moved.code == 0
    assert "T002 is retired: searches pass over its photos" in " ".join(moved.err.split())
    merged = shell("turtles", "merge", "T002", "T001", "--yes")
    assert (merged.code, "T002 is retired" in merged.err) == (1, True)
    assert shell("turtles", "merge", "T001", "T002", "--yes").code == 0


def test_an_id_that_is_not_there_is_answered_with_what_may_be_meant(shell: Shell) -> None:
    for typed, meant in (("t017", "T017"), ("T17", "T017"), ("T0017", "T017")):
        missed = shell("turtles", "show", typed)
        assert (missed.code, f"do you mean {meant}" in " ".join(missed.err.split())) == (1, True), typed
    assert "do you mean" not in shell("turtles", "show", "Leonora").err
    assert shell("turtles", "rename", "T017", "Nina").code == 0
    assert "is called Nina now" in shell("turtles", "show", "T017").err
    told = shell("history", "T017", "--json")
    assert [one["action"] for one in told.records] == ["rename turtle", "enroll"]
    assert "There is no turtle Leonora" in shell("history", "Leonora").err
    assert "There is no photo a.jpg" in shell("history", "a.jpg").err


def test_a_slip_of_the_keyboard_makes_no_turtle(shell: Shell) -> None:
    before = shell.turtles()
    moved = shell("photos", "move", "7", "--to", "T071")
    assert (moved.code, "do you mean" in moved.err, "turtles create T071" in moved.err) == (1, True, True)
    assert shell.turtles() == before
    assert shell("photos", "move", "7", "--to", "new").code == 0
    assert shell.turtles()["T018"] == 1


def newest(shell: Shell) -> dict[str, object]:
    return dict(shell("history", "--json", "--limit", "1").records[0])


def test_history_says_which_turtles_and_photos_an_event_touched(shell: Shell) -> None:
    assert shell("photos", "move", "3", "--to", "T017").code == 0
    told = newest(shell)
    assert (told["subject"], told["turtles"], told["photos"]) == ("photo 3: T001 → T017", ["T001", "T017"], [3])
    move = str(told["id"])
    assert shell("turtles", "merge", "T001", "T002", "--yes").code == 0
    assert "T002 into T001" in str(newest(shell)["subject"])
    assert shell("turtles", "rename", "T001", "Nina").code == 0
    assert newest(shell)["subject"] == "T001 → Nina"
    assert shell("identify", "5", "--is", "Nina").code in (0, 1)
    assert shell("decide", "1", "--is", "T017").code == 0
    assert newest(shell)["subject"] == "query 1: is T017"
    history = {one["id"]: one["subject"] for one in shell("history", "--json").records}
    assert history[int(move)] == "photo 3: T001 → T017"  # by the ids of that day
    assert "photo 3: T001 → T017" in shell("history").out
    assert shell("history", "--csv").rows[-1]["subject"] == ""


def test_a_change_names_turtles_not_others(shell: Shell) -> None:
    shown = shell("turtles", "merge", "T001", "T002", "--dry-run")
    assert "T002 → T001" in shown.out
    assert "another turtle" not in shown.out
    [record] = shell("photos", "move", "7", "--to", "T017", "--dry-run", "--json").records
    assert [one["turtles"] for one in record["changes"] if "turtles" in one] in ([], [[None, "T017"]])


def test_undo_names_the_event_and_takes_back_nobody_elses_unasked(shell: Shell) -> None:
    assert shell("--who", "Ben", "photos", "side", "6", "--is", "left").code == 0
    asked = " ".join(shell("undo", answer="n\n").err.split())
    assert re.search(r"Take event \d+ back \(set side, by Ben on .*; photo 6: T017\)\?", asked)
    refused = shell("undo", "--yes")
    assert (refused.code, "is not yours" in refused.err, "by Ben" in refused.err) == (1, True, True)
    assert shell("undo", str(newest(shell)["id"]), "--yes").code == 0


def test_kept_queries_of_one_person_are_one_row_of_the_history(shell: Shell) -> None:
    catalog = Catalog.open(shell.catalog)
    for number in range(3):
        Decisions(catalog).keep(f"{number:064}", f"boat/{number}.jpg", "UNDECIDED", '{"candidates": []}', "Ana")
    lines = [line for line in shell("history").out.splitlines() if "keep query" in line and "Ana" in line]
    assert len(lines) == 1
    assert "query 4 (2.jpg), and 2 before it" in lines[0]
    assert len([one for one in shell("history", "--json").records if one["action"] == "keep query"]) == 4


def test_turtles_are_listed_by_site_and_yes_is_never_an_error(shell: Shell) -> None:
    assert set(shell.turtles("--site", "Reef")) == {"T001"}
    assert shell("turtles", "rename", "T002", "Nina", "--yes").code == 0
    assert shell("photos", "side", "1", "--is", "R", "--yes").code == 0
    assert shell("photos", "list", "--side", "Right", "--json").records[0]["number"] == 1
