"""A name means the same turtle however its letters are composed: é is one letter, or e with an accent behind it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.curation.reviews import dismiss
from index.errors import Conflict, UnknownRecord
from index.registry.records import Answer
from tests.index.making import RECIPE, day, photo

APART = unicodedata.normalize("NFD", "José")


@pytest.fixture
def known(catalog: Catalog) -> Catalog:
    """José has photo 1; photo 2 is T002's, and photo 3 nobody's."""
    names = ["José", "T002", None]
    catalog.enroll([photo(n, name, taken_on=day(n)) for n, name in enumerate(names, 1)], "Ana")
    return catalog


CHANGES: list[Callable[[Catalog, Curator], object]] = [
    lambda catalog, _: catalog.enroll([photo(4, APART, taken_on=day(4))], "Ana"),
    lambda _, curator: curator.identify_encounters([3], APART),
    lambda _, curator: curator.move_photos([3], APART),
    lambda _, curator: curator.note_turtle(APART, "the scar"),
    lambda _, curator: curator.tag_turtle(APART, ["nesting"]),
    lambda _, curator: curator.merge_turtles(APART, ["T002"]),
    lambda _, curator: curator.retire_turtle(APART),
    lambda catalog, _: dismiss(catalog, [APART, "T002"], "Ana"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_to_a_turtle_is_done_to_the_one_that_is_there(
    known: Catalog, change: Callable[[Catalog, Curator], object]
) -> None:
    change(known, Curator(known, "Ana"))
    assert {one.id for one in Browser(known).turtles()} == {"José", "T002"}
    assert check_catalog(known).problems == ()


def test_a_turtle_is_found_and_its_id_is_taken(known: Catalog) -> None:
    browser = Browser(known)
    assert browser.turtle(APART) == browser.turtle("José")
    assert [one.id for one in browser.photos(turtle=APART)] == [1]
    assert [one.turtle for one in browser.encounters(turtle=APART)] == ["José"]
    assert browser.history(turtle=APART) == browser.history(turtle="José")
    assert known.standing_ids([APART, "T002", "T003"]) == {APART: "José", "T002": "T002"}
    for change in (Curator(known, "Ana").create_turtle, lambda name: Curator(known, "Ana").rename_turtle("T002", name)):
        with pytest.raises(Conflict, match="already"):
            change(APART)
    Curator(known, "Ana").rename_turtle(APART, "Nina")
    assert browser.former(APART) == "Nina"
    with pytest.raises(UnknownRecord, match="called Nina now"):
        browser.turtle(APART)


def test_a_decision_names_the_turtle_that_is_there(known: Catalog) -> None:
    kept = Decisions(known)
    query = kept.keep("a" * 64, "a.jpg", "UNDECIDED", "{}", "Ana")
    decision = kept.decide(query.id, Answer.IS, "Ana", turtle=APART).decision
    assert decision is not None
    assert decision.turtle == "José"


def test_photos_that_come_twice_in_two_forms_belong_where_they_are(known: Catalog) -> None:
    [again] = known.enroll([photo(1, APART, taken_on=day(1))], "Ana")
    assert (again.already_there, again.elsewhere) == (True, False)


def test_a_named_encounter_is_one(known: Catalog) -> None:
    for seed, name in enumerate(("Séance", unicodedata.normalize("NFD", "Séance")), 10):
        known.enroll([photo(seed, "T002", encounter=name)], "Ana")
        known.enroll([photo(seed + 10, encounter=name)], "Ana")
    assert [(one.turtle, one.photos) for one in Browser(known).encounters() if one.name == "Séance"] == [
        ("T002", 2),
        (None, 2),
    ]


@given(st.lists(st.sampled_from(["José", "Zoë", "Ångström", "가나", "Nữ"]), min_size=1, max_size=5), st.randoms())
@settings(max_examples=5, deadline=None)
def test_there_are_as_many_turtles_as_names(names: list[str], random) -> None:  # type: ignore[no-untyped-def]
    typed = [unicodedata.normalize(random.choice(["NFC", "NFD"]), name) for name in names]
    with TemporaryDirectory() as folder:
        catalog = Catalog.create(Path(folder) / "turtles.catalog", RECIPE)
        for seed, name in enumerate(typed):
            catalog.enroll([photo(seed, name)], "Ana")
        assert {one.id for one in Browser(catalog).turtles()} == set(names)
        assert check_catalog(catalog).problems == ()
