"""Photos that are there already, told anew."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.curator import Curator
from index.exchange.catalog_differences import Difference
from index.exchange.retelling import PhotoChange, change_differences, said_anew, take_over
from index.types import HeadBox, PreparedPhoto, Side, Sighting
from tests.index.making import day, photo


def nowhere(path: str) -> str | None:
    return photo(3).sha256 if path == "moved.jpg" else None


def test_what_is_said_anew_is_listed_and_taken_over_as_one_event(catalog: Catalog) -> None:
    catalog.enroll([photo(1), photo(2, "A", site="Reef", taken_on=day(1)), photo(3, "B")], "Ana")
    first, second, third = (Path(one.path) for one in Browser(catalog).photos())
    sightings = [
        Sighting(str(first), "T042", Side.LEFT),
        Sighting(str(second), "A", taken_on=day(1)),  # leaves the place out: it stays
        Sighting("moved.jpg", observer="Ben"),
        Sighting("stranger.jpg", "C"),
    ]
    changes = said_anew(catalog, sightings, nowhere)
    assert set(change_differences(changes)) == {
        Difference("photo", first.as_posix(), "turtle", "", "T042"),
        Difference("photo", first.as_posix(), "side", "", "left"),
        Difference("photo", third.as_posix(), "observer", "", "Ben"),
    }
    event = take_over(catalog, changes, "Ana")
    told = Browser(catalog).photos()
    assert [(one.turtle, one.site, one.observer) for one in told] == [
        ("T042", None, None),
        ("A", "Reef", None),
        ("B", None, "Ben"),
    ]
    assert said_anew(catalog, sightings, nowhere) == []
    Curator(catalog, "Ana").undo(event)
    assert [one.turtle for one in Browser(catalog).photos()] == [None, "A", "B"]


def test_an_id_that_was_merged_says_nothing_new(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A"), photo(2, "B")], "Ana")
    path = Browser(catalog).photos(turtle="B")[0].path
    Curator(catalog, "Ana").merge_turtles("A", ["B"])
    assert said_anew(catalog, [Sighting(path, "B")], nowhere) == []


def test_names_say_nothing_new_however_their_accents_are_written(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "José", encounter="Séance"), photo(2)], "Ana")
    sightings = [Sighting(one.path, "Jose\u0301", encounter="Se\u0301ance") for one in Browser(catalog).photos()]
    [change] = said_anew(catalog, sightings, nowhere)
    assert (change.old.id, change.new.turtle, change.new.encounter_name) == (2, "José", "Séance")


HEADS = {"A": HeadBox(0, 0, 900, 1000), "B": HeadBox(1000, 0, 900, 1000), "C": HeadBox(2000, 0, 900, 1000)}
FILE = "photos/1.jpg"


def head(turtle: str | None, box: HeadBox | None, path: str = FILE) -> PreparedPhoto:
    """One of the heads in a file."""
    made = photo(1)
    return replace(made, sighting=Sighting(path, turtle, box=box), original_size=(3000, 1000))


def retold(catalog: Catalog, *rows: Sighting) -> dict[HeadBox | None, tuple[str | None, str | None]]:
    """Turtle and place of each head, after rows were taken over and their photos enrolled."""
    changes = said_anew(catalog, rows, lambda _: photo(1).sha256)
    if changes:
        take_over(catalog, changes, "Ana")
    catalog.enroll([replace(head(None, None), sighting=row) for row in rows], "Ana")
    return {one.box: (one.turtle, one.site) for one in Browser(catalog).photos()}


@pytest.mark.parametrize("order", list(permutations(HEADS)))
@pytest.mark.parametrize("paths", [{}, {"A": "moved/1.jpg", "B": "moved/1.jpg"}], ids=["in place", "moved"])
def test_each_head_of_a_file_is_told_by_its_own_row(
    catalog: Catalog, order: tuple[str, ...], paths: dict[str, str]
) -> None:
    catalog.enroll([head(turtle, box) for turtle, box in HEADS.items()], "Ana")
    rows = [head(turtle, HEADS[turtle], paths.get(turtle, FILE)).sighting for turtle in order]
    assert said_anew(catalog, rows, lambda _: photo(1).sha256) == []
    told = retold(catalog, *(replace(row, site=f"Reef {row.turtle}") for row in rows))
    assert told == {box: (turtle, f"Reef {turtle}") for turtle, box in HEADS.items()}


@pytest.mark.parametrize("order", list(permutations("AB")))
def test_a_head_that_is_new_in_a_file_leaves_the_one_that_is_there(catalog: Catalog, order: tuple[str, ...]) -> None:
    catalog.enroll([head("A", HEADS["A"])], "Ana")
    told = retold(catalog, *(head(turtle, HEADS[turtle]).sighting for turtle in order))
    assert told == {HEADS[turtle]: (turtle, None) for turtle in "AB"}
    assert retold(catalog, head("C", HEADS["C"]).sighting) == told | {HEADS["C"]: ("C", None)}


def test_a_head_of_another_turtle_is_no_correction_of_the_box_that_is_there(catalog: Catalog) -> None:
    catalog.enroll([head("A", HEADS["A"])], "Ana")
    assert retold(catalog, head("B", HEADS["B"]).sighting) == {HEADS[turtle]: (turtle, None) for turtle in "AB"}


@pytest.mark.parametrize("turtle", ["A", None])
def test_the_only_head_of_a_file_is_given_another_box(catalog: Catalog, turtle: str | None) -> None:
    catalog.enroll([head("A", HEADS["A"])], "Ana")
    assert retold(catalog, head(turtle, HEADS["B"]).sighting) == {HEADS["B"]: ("A", None)}


def test_a_whole_photo_is_cut_into_its_heads(catalog: Catalog) -> None:
    catalog.enroll([head("A", None)], "Ana")
    told = retold(catalog, *(head(turtle, HEADS[turtle]).sighting for turtle in "AB"))
    assert told == {HEADS[turtle]: (turtle, None) for turtle in "AB"}


def test_a_row_without_a_box_says_nothing_of_a_file_with_several_heads(catalog: Catalog) -> None:
    catalog.enroll([head(turtle, box) for turtle, box in HEADS.items()], "Ana")
    assert said_anew(catalog, [Sighting(FILE, "A", site="Reef")], nowhere) == []


def test_a_path_at_which_another_file_lies_now_stands_for_that_file(catalog: Catalog) -> None:
    was, now = photo(1), photo(2)
    catalog.enroll([now, replace(was, sighting=now.sighting)], "Ana")
    [change] = said_anew(catalog, [replace(now.sighting, site="Reef")], lambda _: now.sha256)
    assert change.old.sha256 == now.sha256


def encounters(catalog: Catalog) -> list[tuple[str | None, str | None, int]]:
    """Turtle and encounter's name of each photo, and the first photo of the encounter."""
    photos = Browser(catalog).photos()
    first = {one.encounter: one.id for one in reversed(photos)}
    return [(one.turtle, one.encounter_name, first[one.encounter]) for one in photos]


def dives(catalog: Catalog, *what: tuple[str | None, int]) -> Catalog:
    """Named encounters of one photo or more, told by turtle and day."""
    made = [photo(n, turtle, encounter="dive", taken_on=day(when)) for n, (turtle, when) in enumerate(what, 1)]
    catalog.enroll(made, "Ana")
    return catalog


def say(catalog: Catalog, **told: list[Any]) -> None:
    """Say something of all photos at once, by column."""
    records = Browser(catalog).photos()
    news = [dict(zip(told, one, strict=True)) for one in zip(*told.values(), strict=True)]
    changes = [PhotoChange(old, replace(old, **new)) for old, new in zip(records, news, strict=True)]
    take_over(catalog, [one for one in changes if one.new != one.old], "Ana")


OCCASIONS = st.lists(st.tuples(st.sampled_from(["A", "B", "C", None]), st.sampled_from([0, 1, 2, 400])), min_size=1)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(OCCASIONS, st.sampled_from(["A", "N", None]))
def test_named_encounters_of_photos_that_are_told_another_turtle_of_are_those_of_photos_that_are_moved(
    empty: Path, what: list[tuple[str | None, int]], turtle: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        told, moved = (
            dives(Catalog.open(Path(shutil.copytree(empty, Path(folder) / f"{name}.catalog"))), *what)
            for name in ("told", "moved")
        )
        say(told, turtle=[turtle] * len(what))
        Curator(moved, "Ana").move_photos([one.id for one in Browser(moved).photos()], turtle)
        assert encounters(told) == encounters(moved)
        assert check_catalog(told).problems == ()


def test_two_turtles_that_are_told_the_other_way_round_keep_the_names_of_their_encounters(catalog: Catalog) -> None:
    dives(catalog, ("A", 0), ("B", 100), ("B", 101))
    say(catalog, turtle=["B", "A", "A"])
    assert encounters(catalog) == [("B", "dive", 1), ("A", "dive", 2), ("A", "dive", 2)]
    Curator(catalog, "Ana").undo()
    assert encounters(catalog) == [("A", "dive", 1), ("B", "dive", 2), ("B", "dive", 2)]


def test_a_day_that_is_told_with_the_turtle_is_the_day_that_counts(catalog: Catalog) -> None:
    dives(catalog, ("A", 0), ("B", 100))
    say(catalog, turtle=["A", "A"], taken_on=[day(0), day(1)])
    assert encounters(catalog) == [("A", "dive", 1), ("A", "dive", 1)]


def test_a_name_that_is_told_with_the_turtle_is_the_name(catalog: Catalog) -> None:
    dives(catalog, ("A", 0), ("B", 100))
    say(catalog, turtle=["A", "A"], encounter_name=["journey", "journey"])
    assert encounters(catalog) == [("A", "journey", 1), ("A", "journey", 1)]
