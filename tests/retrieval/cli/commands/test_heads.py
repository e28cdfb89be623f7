"""Whole photographs on the command line: those that wait, the box that a person types, and what is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.images import save
from synthetic.heads import draw_head
from tests.retrieval.shelling import Shell


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder without a catalogue, with two drawn photos of 640 x 480."""
    for number in range(2):
        save(draw_head(number, 0, size=(640, 480)), tmp_path / f"{number}.png")
    return Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)


def test_a_photo_waits_until_its_box_is_typed_and_undo_makes_it_wait_again(empty: Shell) -> None:
    done = empty("enroll", "0.png", "1.png", "--heads", "given", "--no-fit")
    assert done.code == 0
    assert "2 photos wait for their head box" in done.err
    assert [one["number"] for one in empty("photos", "list", "--no-head", "--json").records] == [1, 2]
    assert empty("info", "--json").records[0]["waiting"] == 2
    assert "photos list --no-head" in empty("info").out
    assert empty("check").code == 0
    assert empty("photos", "box", "1", "60,40,500,400", "--side", "left", "--why", "looked").code == 0
    [shown] = empty("photos", "show", "1", "--json").records
    assert shown["box"] == [60.0, 40.0, 500.0, 400.0]
    assert (shown["box_origin"], shown["side"]) == ("person", "left")
    assert shown["keypoints"] >= 64
    assert empty("undo", "--yes").code == 0
    [shown] = empty("photos", "show", "1", "--json").records
    assert (shown["box"], shown["box_origin"], shown["keypoints"]) == (None, "missing", 0)


def test_the_choice_is_remembered_and_a_query_may_choose_otherwise(empty: Shell) -> None:
    empty("enroll", "0.png", "--turtle", "T001", "--heads", "given", "--no-fit")
    assert empty("enroll", "1.png", "--no-fit").code == 0
    assert len(empty("photos", "list", "--no-head", "--json").records) == 2
    [answer] = empty("query", "1.png", "--json", "--matcher", "nearest").records
    assert answer["verdict"] == "NOT_COMPARABLE"
    assert "head" in answer["reason"]
    [answer] = empty("query", "1.png", "--json", "--matcher", "nearest", "--heads", "whole").records
    assert answer["verdict"] != "NOT_COMPARABLE"


def test_a_decision_enrolls_a_photo_as_the_catalogue_takes_heads_or_as_it_was_asked_about(empty: Shell) -> None:
    empty("enroll", "0.png", "--turtle", "T001", "--heads", "given", "--no-fit")
    assert empty("query", "1.png", "--keep", "--matcher", "nearest").code == 0
    decided = empty("decide", "1", "--new", "--enroll")
    assert (decided.code, "enrolled as T002" in decided.out) == (0, True)
    assert "1 photos wait for their head box" in decided.err
    assert [one["turtle"] for one in empty("photos", "list", "--no-head", "--json").records] == ["T001", "T002"]
    save(draw_head(2, 0, size=(640, 480)), empty.catalog.parent / "2.png")
    assert empty("query", "2.png", "--keep", "--heads", "whole", "--matcher", "nearest").code == 0
    decided = empty("decide", "2", "--new", "--enroll")
    assert (decided.code, "wait" in decided.err) == (0, False)
    assert len(empty("photos", "list", "--no-head", "--json").records) == 2


def test_a_box_that_is_none_is_refused(empty: Shell) -> None:
    empty("enroll", "0.png", "--heads", "given", "--no-fit")
    for wrong in ("1,2,3", "0,0,0,5", "a,b,c,d"):
        assert empty("photos", "box", "1", wrong).code == 2
    beside = empty("photos", "box", "1", "5000,0,10,10")
    assert beside.code == 1
    assert "outside" in beside.err
    assert len(empty("photos", "list", "--no-head", "--json").records) == 1


def test_without_the_finders_weights_no_catalogue_is_made(empty: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    done = empty("enroll", "0.png", "--heads", "auto")
    assert done.code == 1
    assert "--heads whole" in done.err
    assert not empty.catalog.exists()


def test_too_few_boxes_teach_nothing(empty: Shell) -> None:
    empty("enroll", "0.png", "--heads", "given", "--no-fit")
    done = empty("train", "detector")
    assert done.code == 1
    assert "0 head boxes of 0 turtles" in done.err


def test_heads_are_looked_for_afterwards_where_that_is_asked(empty: Shell) -> None:
    empty("enroll", "0.png", "1.png", "--no-fit")
    assert not empty("photos", "list", "--no-head", "--json").records
    done = empty("reindex", "--heads", "given", "--yes")
    assert done.code == 0
    assert not empty("photos", "list", "--no-head", "--json").records  # what is there stays
    assert empty("query", "0.png", "--json", "--matcher", "nearest").records[0]["verdict"] == "NOT_COMPARABLE"
