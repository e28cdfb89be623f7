"""Photos that are there already, told anew."""

from __future__ import annotations

from pathlib import Path

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.exchange.catalog_differences import Difference
from index.exchange.retelling import change_differences, said_anew, take_over
from index.types import Side, Sighting
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
