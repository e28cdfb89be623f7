"""Pages, filters, history, and the registry as it was before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest

from index.catalog.browser import Browser, Page, TurtleOrder
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import Conflict, InputError, UnknownRecord
from index.registry.records import TurtleStatus
from index.types import GalleryFilter, HeadBox, Side
from tests.index.making import day, photo


@pytest.fixture
def known(catalog: Catalog) -> Catalog:
    """Three turtles with three, two and one photos, and an unidentified photo."""
    names = ["A", "A", "A", "B", "B", "C", None]
    catalog.enroll([photo(n, name, taken_on=day(n), side=Side.LEFT) for n, name in enumerate(names)], "Ana")
    return catalog


def test_turtles_are_filtered_sorted_and_paged(known: Catalog) -> None:
    curator = Curator(known, "Ana")
    curator.tag_turtle("B", ["nesting"])
    curator.retire_turtle("C")
    curator.species_turtle("A", "Chelonia mydas")
    browser = Browser(known)
    assert [t.id for t in browser.turtles(descending=True, page=Page(2))] == ["C", "B"]
    assert [t.id for t in browser.turtles(page=Page(2, 1))] == ["B", "C"]
    assert [t.id for t in browser.turtles(order=TurtleOrder.PHOTOS)] == ["C", "B", "A"]
    assert [t.id for t in browser.turtles(order=TurtleOrder.LAST_SEEN, descending=True, page=Page(1))] == ["C"]
    assert [t.id for t in browser.turtles(tag="nesting")] == ["B"]
    assert [t.id for t in browser.turtles(status=TurtleStatus.RETIRED)] == ["C"]
    assert [t.id for t in browser.turtles(species="Chelonia mydas", tag="nesting")] == []


def test_a_photo_is_found_by_number_path_name_or_digest(catalog: Catalog) -> None:
    whole = photo(1, "A", taken_on=day(1), site="Reef")
    seen = replace(
        whole.sighting, box=HeadBox(1, 2, 3, 4), latitude=-8.5, longitude=115.25, observer="Bo", notes={"é": "=1+1"}
    )
    catalog.enroll([replace(whole, sighting=seen), photo(2), photo(12)], "Ana")
    browser = Browser(catalog)
    found = browser.photo("1")
    assert found == browser.photo("1.jpg") == browser.photo(found.path) == browser.photo(found.sha256[:8])
    assert (found.box, found.latitude, found.longitude, found.observer) == (seen.box, -8.5, 115.25, "Bo")
    assert (found.notes, found.size, found.site) == ({"é": "=1+1"}, (4000, 3000), "Reef")
    with pytest.raises(UnknownRecord):
        browser.photo("3.jpg")
    with pytest.raises(UnknownRecord):
        browser.photo("' OR true --")


def test_a_name_of_two_photos_is_refused(catalog: Catalog) -> None:
    twice = replace(photo(2), sighting=replace(photo(2).sighting, path="other/1.jpg"))
    catalog.enroll([photo(1), twice], "Ana")
    with pytest.raises(InputError, match="several"):
        Browser(catalog).photo("1.jpg")


def test_photos_and_encounters_are_filtered(known: Catalog) -> None:
    browser = Browser(known)
    assert [p.id for p in browser.photos(turtle="B")] == [4, 5]
    assert [p.id for p in browser.photos(unidentified=True)] == [7]
    assert [p.id for p in browser.photos(taken_from=day(1), taken_to=day(3), side=Side.LEFT)] == [2, 3, 4]
    assert [e.turtle for e in browser.encounters(unidentified=True)] == [None]
    assert len(browser.encounters(turtle="A", page=Page(2))) == 2
    Curator(known, "Ana").remove_photos([4])
    assert [p.id for p in browser.photos(turtle="B")] == [5]
    assert [p.id for p in browser.photos(removed=True)] == [4]
    assert browser.turtle("B").photos == 1


def test_the_history_follows_a_turtle_and_a_photo(known: Catalog) -> None:
    curator = Curator(known, "Ben", "they look alike")
    curator.set_side([6], Side.RIGHT)
    merged = curator.merge_turtles("A", ["B"])
    curator.note_turtle("C", "shy")
    browser = Browser(known)
    assert [e.action for e in browser.history(turtle="B")] == ["merge turtles", "enroll"]
    assert [e.action for e in browser.history(turtle="C")] == ["note turtle", "set side", "enroll"]
    assert [e.action for e in browser.history(photo=6)] == ["set side", "enroll"]
    newest = browser.history(turtle="A", page=Page(1))[0]
    assert (newest.id, newest.who, newest.why) == (merged.event, "Ben", "they look alike")
    changed = browser.changes(newest.id)
    assert {change.record for change in changed} == {"turtles", "encounters"}
    assert all(change.before and change.after for change in changed)


def test_the_past_is_as_it_was(known: Catalog) -> None:
    before = Browser(known)
    then = (before.turtles(), before.photos(), before.encounters(), before.history())
    moment = dt.datetime.now(dt.UTC)
    curator = Curator(known, "Ben")
    curator.merge_turtles("A", ["B"])
    curator.rename_turtle("C", "Carla")
    curator.remove_photos([1])
    curator.set_date([2], None)
    known.enroll([photo(50, "Z")], "Ben")
    past = Browser(known, moment)
    assert (past.turtles(), past.photos(), past.encounters(), past.history()) == then
    assert past.turtle("B").photos == 2
    with pytest.raises(UnknownRecord):
        past.turtle("Carla")
    assert Browser(known, dt.date(2000, 1, 1)).turtles() == []
    assert Browser(known, dt.date(2999, 1, 1)).turtles() == before.turtles()


def aged(catalog: Catalog, events: Sequence[int], days: int) -> None:
    """These events happened so many days earlier."""
    with catalog.writing("test"), catalog.transaction("test", "Ana") as transaction:
        for event in events:
            transaction.run("UPDATE events SET made_at = made_at - to_days(?) WHERE id = ?", days, event)


def test_events_are_chosen_by_person_and_day_before_they_are_paged(known: Catalog) -> None:
    for number in range(12):
        Curator(known, "Ben" if number % 3 == 0 else "Ana").note_turtle("A", str(number))
    browser = Browser(known)
    aged(known, [one.id for one in browser.history()][6:], 2)
    every = browser.history()
    days = {one.id: one.at.replace(tzinfo=dt.UTC).astimezone().date() for one in every}
    assert len(set(days.values())) == 2
    for date in (None, *set(days.values())):
        for who in (None, "Ben", "Zoe"):
            wanted = [one for one in every if who in (None, one.who) and date in (None, days[one.id])]
            parts = [browser.history(who=who, day=date, page=Page(2, at)) for at in range(0, len(wanted) + 2, 2)]
            assert [one for part in parts for one in part] == wanted
    assert {"Ana", "Ben"} <= set(browser.people())
    for date in (dt.date.min, dt.date.max):
        assert browser.history(day=date) == []


def test_what_was_undone_is_known_by_what_took_it_back(known: Catalog) -> None:
    curator, browser = Curator(known, "Ana"), Browser(known)
    noted = curator.note_turtle("A", "the scar").event
    undone = curator.undo().event
    assert browser.undone_by() == {noted: undone}
    again = curator.undo(undone).event
    assert browser.undone_by() == {undone: again}


def test_a_dry_run_shows_and_changes_nothing(known: Catalog) -> None:
    before = Browser(known).turtles()
    done = Curator(known, "Ana", dry_run=True).merge_turtles("A", ["B"])
    assert done.event is None
    assert {(change.record, change.key) for change in done.changes} >= {("turtles", "2"), ("encounters", "4")}
    assert Browser(known).turtles() == before


def test_undo_names_what_is_in_its_way(known: Catalog) -> None:
    curator = Curator(known, "Ben")
    first = curator.rename_turtle("C", "Carla").event
    second = curator.rename_turtle("Carla", "Carlos").event
    with pytest.raises(Conflict, match=rf"event {second} \(rename turtle, by Ben"):
        curator.undo(first)
    with pytest.raises(Conflict, match="made the catalogue"):
        curator.undo(1)
    with pytest.raises(Conflict, match=f"event {second}"):
        curator.undo(2)
    assert curator.undo().event == 5
    assert curator.undo().event == 6
    assert Browser(known).turtle("C").photos == 1
    with pytest.raises(Conflict, match="undone already"):
        curator.undo(first)
    curator.undo(6)  # a change of mind about the undo
    assert Browser(known).turtle("Carla").photos == 1


def test_retired_turtles_are_not_searched(known: Catalog) -> None:
    Curator(known, "Ana").retire_turtle("A")
    assert {p.turtle for p in known.photos(GalleryFilter())} == {"B", "C"}


def test_settings_and_models_are_undone_like_everything(known: Catalog) -> None:
    known.set_setting("prior", "0.1", "Ana")
    known.save_model("null", "nn-1", "[1]", "Ana")
    known.set_setting("prior", "0.2", "Ana")
    known.save_model("null", "nn-1", "[2]", "Ana")
    curator = Curator(known, "Ana")
    with pytest.raises(Conflict, match="event 5"):
        curator.undo(3)
    curator.undo(5)
    assert known.setting("prior") == "0.1"
    curator.undo(6)
    model = known.model("null")
    assert model is not None
    assert model.payload == "[1]"
