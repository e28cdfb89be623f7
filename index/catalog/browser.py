"""Looking through the registry: pages of turtles, photos and encounters, the history, and all of it as of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from index.catalog.catalog import Catalog
from index.catalog.event_conditions import hours, touching_photo, touching_turtle
from index.catalog.readings import WAITING
from index.catalog.summary import Undated, read_undated
from index.errors import UnknownRecord
from index.registry import (
    BY_DAY,
    Change,
    Encounter,
    Event,
    EventSubject,
    PhotoRecord,
    Session,
    Turtle,
    TurtleStatus,
    count_without,
    event_subjects,
    find_photo,
    former_turtle,
    meant_id,
    newest_standing,
    read_encounters,
    read_events,
    read_records,
    read_sides,
    read_turtles,
    undone_by,
    unknown_turtle,
)
from index.times import stored
from index.types import Side


class TurtleOrder(StrEnum):
    """What turtles may be sorted by."""

    ID = "id"
    PHOTOS = "photos"
    ENCOUNTERS = "encounters"
    FIRST_SEEN = "first_seen"
    LAST_SEEN = "last_seen"


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: `limit` rows (None: all) after the first `offset`."""

    limit: int | None = None
    offset: int = 0

    def sql(self) -> str:
        """As it stands at the end of a query."""
        return f"LIMIT {'NULL' if self.limit is None else int(self.limit)} OFFSET {int(self.offset)}"


ALL = Page()


class Browser:
    """Reads a catalogue's registry; with `as_of`, as it was at the end of that day or at that moment, in local time."""

    def __init__(self, catalog: Catalog, as_of: dt.date | dt.datetime | None = None) -> None:
        self._catalog = catalog
        self._as_of = as_of

    def turtles(
        self,
        *,
        status: TurtleStatus | None = None,
        species: str | None = None,
        tag: str | None = None,
        site: str | None = None,
        order: TurtleOrder = TurtleOrder.ID,
        descending: bool = False,
        page: Page = ALL,
    ) -> list[Turtle]:
        """Turtles that meet every given condition, in order, one page of them."""
        conditions = _Conditions()
        conditions.add("status = ?", None if status is None else str(status))
        conditions.add("species = ?", species)
        conditions.add("list_contains(tags, ?)", tag)
        there = (
            "SELECT e.turtle FROM encounters e JOIN photos p ON p.encounter = e.id WHERE p.site = ? AND NOT p.removed"
        )
        conditions.add(f"key IN ({there})", site)
        direction = "DESC" if descending else "ASC"
        chosen = f"SELECT * FROM turtles WHERE {conditions.sql}"
        ending = f"c.id {direction}"
        if order is TurtleOrder.ID:  # only the page's turtles are counted
            chosen += f" ORDER BY id {direction} {page.sql()}"
        else:
            value = f"coalesce(s.{order}, 0)" if order in (TurtleOrder.PHOTOS, TurtleOrder.ENCOUNTERS) else f"s.{order}"
            ending = f"{value} {direction} NULLS LAST, c.id {page.sql()}"
        with self._session() as session:
            return read_turtles(session, chosen, *conditions.values, order=ending)

    def turtle(self, name: str) -> Turtle:
        """One turtle. Raises UnknownRecord."""
        with self._session() as session:
            found = read_turtles(session, "SELECT * FROM turtles WHERE id = ?", meant_id(session, name))
            if not found:
                raise unknown_turtle(session, name)
        return found[0]

    def former(self, name: str) -> str | None:
        """The present id of a turtle that was called so once; None where there was none."""
        with self._session() as session:
            return former_turtle(session, name)

    def sides(self, turtles: Sequence[str]) -> dict[str, frozenset[Side]]:
        """Of which sides these turtles have photos; turtles that are not there are left out."""
        with self._session() as session:
            return read_sides(session, turtles)

    def undated(self) -> Undated:
        """Undated photos that count as one occasion a turtle."""
        with self._session() as session:
            return read_undated(session)

    def turtles_without(self, sides: Sequence[Side]) -> int:
        """How many turtles with photos have none of any of these sides."""
        with self._session() as session:
            return count_without(session, sides)

    def newest_standing(self) -> int:
        """The newest event that was not undone. Raises InputError where there is none."""
        with self._session() as session:
            return newest_standing(session)

    def made_in_order(self) -> dict[str, int]:
        """A number for each id, smaller for turtles that were made earlier."""
        with self._session() as session:
            return {str(name): int(key) for name, key in session.rows("SELECT id, key FROM turtles")}

    def photos(
        self,
        *,
        turtle: str | None = None,
        encounter: int | None = None,
        side: Side | None = None,
        site: str | None = None,
        taken_from: dt.date | None = None,
        taken_to: dt.date | None = None,
        unidentified: bool = False,
        removed: bool = False,
        no_head: bool = False,
        page: Page = ALL,
    ) -> list[PhotoRecord]:
        """Photos that meet every given condition, in order of enrolment; removed ones only when asked for."""
        conditions = _Conditions()
        conditions.add("removed = ?", removed)
        conditions.add("encounter = ?", encounter)
        conditions.add("side = ?", None if side is None else str(side))
        conditions.add("site = ?", site)
        conditions.add("taken_on >= ?", taken_from)
        conditions.add("taken_on <= ?", taken_to)
        nobodys = "encounter IN (SELECT id FROM encounters WHERE turtle IS NULL) = ?"
        conditions.add(nobodys, unidentified or None)
        conditions.add(f"({WAITING}) = ?", no_head or None)
        of_turtle = "SELECT e.id FROM encounters e JOIN turtles t ON t.key = e.turtle WHERE t.id = ?"
        with self._session() as session:
            conditions.add(f"encounter IN ({of_turtle})", turtle and meant_id(session, turtle))
            chosen = f"SELECT * FROM photos WHERE {conditions.sql} ORDER BY id {page.sql()}"
            return read_records(session, chosen, *conditions.values)

    def photo(self, reference: str) -> PhotoRecord:
        """A photo by number, path, file name or six digits of its sha256. Raises UnknownRecord, InputError."""
        with self._session() as session:
            return find_photo(session, reference, self._catalog.path.parent)

    def encounters(self, *, turtle: str | None = None, unidentified: bool = False, page: Page = ALL) -> list[Encounter]:
        """Encounters that meet every given condition, by day."""
        conditions = _Conditions()
        conditions.add("(e.turtle IS NULL) = ?", unidentified or None)
        with self._session() as session:
            conditions.add("t.id = ?", turtle and meant_id(session, turtle))
            return read_encounters(session, conditions.sql, *conditions.values, order=f"{BY_DAY} {page.sql()}")

    def encounter(self, number: int) -> Encounter:
        """One encounter. Raises UnknownRecord."""
        with self._session() as session:
            found = read_encounters(session, "e.id = ?", number)
        if not found:
            raise UnknownRecord(f"There is no encounter {number} in the catalogue.")
        return found[0]

    def history(
        self,
        *,
        turtle: str | None = None,
        photo: int | None = None,
        who: str | None = None,
        day: dt.date | None = None,
        page: Page = ALL,
    ) -> list[Event]:
        """Events that meet every given condition, one page of them, newest first.

        Parameters
        ----------
        turtle, photo
            Events that changed it; of a turtle its encounters and photos too.
        who : str or None
            The person.
        day : datetime.date or None
            In local time.
        """
        conditions = _Conditions()
        conditions.add("who = ?", who)
        if day is not None:
            conditions.add("made_at BETWEEN ? AND ?", *hours(day))
        with self._session() as session:
            if photo is not None:
                conditions.add(*touching_photo(photo))
            elif turtle is not None:
                conditions.add(*touching_turtle(session, turtle))
            return read_events(session, conditions.sql, page.sql(), *conditions.values)

    def people(self) -> list[str]:
        """Everybody who changed anything."""
        with self._session() as session:
            return [str(who) for (who,) in session.rows("SELECT DISTINCT who FROM events ORDER BY who")]

    def undone_by(self) -> dict[int, int]:
        """The events that are taken back at present, each with the event that took it back."""
        with self._session() as session:
            return undone_by(session)

    def subjects(self, events: Sequence[Event]) -> dict[int, EventSubject]:
        """What events were about, by their numbers."""
        with self._catalog.reading() as session:
            return event_subjects(session, [event.id for event in events])

    def event(self, number: int) -> Event:
        """One event. Raises UnknownRecord."""
        with self._session() as session:
            found = read_events(session, "id = ?", "", number)
        if not found:
            raise UnknownRecord(f"There is no event {number}.")
        return found[0]

    def changes(self, event: int) -> tuple[Change, ...]:
        """The rows that an event changed."""
        with self._session() as session:
            rows = session.rows("SELECT record, key, before, after FROM journal WHERE event = ? ORDER BY seq", event)
        return tuple(Change(*row) for row in rows)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._catalog.reading(self._event()) as session:
            yield session

    def _event(self) -> int | None:
        if self._as_of is None:
            return None
        moment = self._as_of
        if not isinstance(moment, dt.datetime):
            moment = dt.datetime.combine(moment, dt.time.max)
        moment = stored(moment)
        with self._catalog.reading() as session:
            return session.number("SELECT max(id) FROM events WHERE made_at <= ?", moment)


class _Conditions:
    """SQL conditions for what was asked for; a value of None asks for nothing."""

    def __init__(self) -> None:
        self._parts = ["true"]
        self.values: list[object] = []

    def add(self, condition: str, *values: object) -> None:
        if None not in values:
            self._parts.append(condition)
            self.values += values

    @property
    def sql(self) -> str:
        return " AND ".join(self._parts)
