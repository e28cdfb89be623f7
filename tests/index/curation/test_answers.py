"""One answer is one event, written once, about the photos that a person saw, and taken back whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from index.catalog.browser import Browser, Page
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.answers import (
    ReviewAnswer,
    Said,
    checks,
    proposals,
    propose_answer,
    record_answer,
    record_check,
    rejections,
    ruled_out_turtles,
)
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.errors import Conflict, InputError, UnknownRecord
from tests.index.making import day, photo

ANSWER = ReviewAnswer(
    key="a-key-of-its-own",
    said=Said.SAME,
    encounters=(2, 3),
    photos=(2, 3),
    turtle="T001",
    seen=(1,),
    who="Ana",
    why="the scar",
    seconds=4.5,
    verdict="UNDECIDED",
    evidence='{"p_new": 0.4}',
)


@pytest.fixture
def asked(catalog: Catalog) -> Catalog:
    """T001 has photo 1; photos 2 and 3 are encounters of nobody."""
    catalog.enroll([photo(1, "T001", taken_on=day(1)), photo(2, taken_on=day(2)), photo(3, taken_on=day(3))], "Ben")
    return catalog


def state(catalog: Catalog) -> object:
    browser = Browser(catalog)
    return browser.encounters(), browser.turtles(), browser.photos(), Decisions(catalog).queries(), rejections(catalog)


def test_decision_evidence_and_effect_are_one_event(asked: Catalog) -> None:
    before = len(Browser(asked).history())
    done = record_answer(asked, ANSWER)
    assert len(Browser(asked).history()) == before + 1
    event = Browser(asked).history(page=Page(1))[0]
    assert (event.id, event.who, event.why, event.command) == (done.event, "Ana", "the scar", "review")
    assert {one.turtle for one in Browser(asked).photos()} == {"T001"}
    [kept] = Decisions(asked).queries()
    assert kept.decision is not None
    assert (kept.verdict, kept.evidence, kept.decision.turtle) == ("UNDECIDED", '{"p_new": 0.4}', "T001")
    assert check_catalog(asked).problems == ()


@pytest.mark.parametrize(
    ("said", "turtle"), [(Said.SAME, "T001"), (Said.NEW, None), (Said.UNSURE, None), (Said.NOT, "T001")]
)
def test_every_kind_of_answer_is_written_once_and_taken_back_whole(asked: Catalog, said: Said, turtle: str) -> None:
    before = state(asked)
    answer = replace(ANSWER, said=said, turtle=turtle)
    done = record_answer(asked, answer)
    assert state(asked) != before
    again = record_answer(asked, answer)
    assert (again.event, again.turtle, again.repeated) == (done.event, done.turtle, True)
    undone = Curator(asked, "Ana").undo(done.event)
    assert state(asked) == before
    assert record_answer(asked, answer).repeated  # a late copy does not bring it back
    assert state(asked) == before
    Curator(asked, "Ana").undo(undone.event)
    assert state(asked) != before
    assert check_catalog(asked).problems == ()


def test_a_new_turtle_gets_the_next_id(asked: Catalog) -> None:
    assert record_answer(asked, replace(ANSWER, said=Said.NEW, turtle=None)).turtle == "T002"


def test_a_mistyped_turtle_is_refused(asked: Catalog) -> None:
    with pytest.raises(UnknownRecord):
        record_answer(asked, replace(ANSWER, turtle="T071"))
    with pytest.raises(InputError):
        record_answer(asked, replace(ANSWER, said=Said.NEW))
    assert Decisions(asked).queries() == []


def test_what_was_decided_meanwhile_is_not_decided_again(asked: Catalog) -> None:
    record_answer(asked, replace(ANSWER, encounters=(2,), photos=(2,)))
    with pytest.raises(Conflict, match="T001"):
        record_answer(asked, replace(ANSWER, key="another-key", said=Said.NEW, turtle=None))
    assert len(Browser(asked).turtles()) == 1


def test_photos_that_nobody_saw_are_not_decided(asked: Catalog) -> None:
    for photos in ((2,), ()):
        with pytest.raises(Conflict, match="look at it again"):
            record_answer(asked, replace(ANSWER, photos=photos))


def test_a_rejection_names_the_photos_that_were_seen(asked: Catalog) -> None:
    record_answer(asked, replace(ANSWER, said=Said.NOT))
    assert {(one.encounter, one.turtle, one.photos, one.seen) for one in rejections(asked)} == {
        (2, "T001", frozenset({2, 3}), frozenset({1})),
        (3, "T001", frozenset({2, 3}), frozenset({1})),
    }
    Curator(asked, "Ana").rename_turtle("T001", "Nina")
    assert {one.turtle for one in rejections(asked)} == {"Nina"}


def test_a_rejection_holds_for_what_turtle_and_encounter_were_merged_into(asked: Catalog) -> None:
    asked.enroll([photo(4, "T002", taken_on=day(4)), photo(5, taken_on=day(5))], "Ben")
    record_answer(asked, replace(ANSWER, encounters=(2,), photos=(2,), said=Said.NOT))
    curator = Curator(asked, "Ana")
    curator.merge_turtles("T002", ["T001"])
    merged = curator.merge_encounters(5, [2])
    [found] = rejections(asked)
    assert (found.encounter, found.turtle, found.photos, found.seen) == (5, "T002", frozenset({2}), frozenset({1}))
    curator.undo(merged.event)
    assert [one.encounter for one in rejections(asked)] == [2]


def test_a_turtle_is_ruled_out_once_every_photo_was_seen_beside_it(asked: Catalog) -> None:
    for number in (2, 3):
        assert ruled_out_turtles(rejections(asked), (2, 3), {2, 3}) == frozenset()
        record_answer(asked, replace(ANSWER, key=f"of-{number}", encounters=(number,), photos=(number,), said=Said.NOT))
    Curator(asked, "Ana").merge_encounters(2, [3])
    assert ruled_out_turtles(rejections(asked), (2,), {2, 3}) == {"T001"}
    assert ruled_out_turtles(rejections(asked), (2,), {2, 3, 4}) == frozenset()


def test_two_reviewers_mean_one_turtle_after_a_merge(asked: Catalog) -> None:
    asked.enroll([photo(4, "T002", taken_on=day(4))], "Ben")
    propose_answer(asked, ANSWER)
    propose_answer(asked, replace(ANSWER, key="of-the-other", turtle="T002", who="Ben"))
    Curator(asked, "Ana").merge_turtles("T002", ["T001"])
    assert [one.turtle for one in proposals(asked)] == ["T002", "T002"]


def test_a_proposal_has_no_effect_until_its_encounters_have_a_turtle(asked: Catalog) -> None:
    done = propose_answer(asked, ANSWER)
    assert {one.turtle for one in Browser(asked).photos()} == {"T001", None}
    [kept] = proposals(asked)
    assert (kept.encounters, kept.said, kept.turtle, kept.who) == (frozenset({2, 3}), Said.SAME, "T001", "Ana")
    Curator(asked, "Ana").undo(done.event)
    assert proposals(asked) == []
    propose_answer(asked, replace(ANSWER, key="a-second-key"))
    record_answer(asked, replace(ANSWER, key="a-third-key", who="Ben"))
    assert proposals(asked) == []


def test_a_persons_own_eye_is_counted_without_an_event(asked: Catalog) -> None:
    before = Browser(asked).history()
    record_check(asked, "first-check", True, "Ana", 3.0)
    record_check(asked, "first-check", True, "Ana", 3.0)
    record_check(asked, "second-check", False, "Ana", 3.0)
    assert checks(asked) == {"Ana": (1, 2)}
    assert Browser(asked).history() == before
