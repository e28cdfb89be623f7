"""What events were about: the turtles, photos and queries that they touched, as a person would say it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from index.registry.past_rows import PastRows, Row
from index.registry.queries import several
from index.registry.session import Session

MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class EventSubject:
    """What one event touched.

    Attributes
    ----------
    turtles : tuple of str
        By the ids that they had then, also those that photos left.
    photos : tuple of int
    sentence : str
        The same for people: `photos 39, 42: t441 → t217`.
    """

    turtles: tuple[str, ...]
    photos: tuple[int, ...]
    sentence: str


def event_subjects(session: Session, events: Collection[int]) -> dict[int, EventSubject]:
    """The subjects of events, by event."""
    touched: dict[int, dict[str, list[int]]] = {event: defaultdict(list) for event in events}
    for event, record, key in session.rows(
        f"SELECT DISTINCT event, record, key FROM journal WHERE event IN ({several(events)}) ORDER BY ALL"
    ):
        if str(key).isdecimal():
            touched[int(event)][str(record)].append(int(key))
    undoes = dict(session.rows(f"SELECT id, undoes FROM events WHERE id IN ({several(events)})"))
    teller = _Teller(session, touched)
    told = {event: teller.subject(event, rows) for event, rows in touched.items()}
    return {
        event: subject
        if undoes.get(event) is None
        else EventSubject(subject.turtles, subject.photos, f"event {undoes[event]}: {subject.sentence}".rstrip(": "))
        for event, subject in told.items()
    }


Move = tuple[str | None, str | None, list[int], list[int]]
"""Whose photos and encounters were before and are afterwards, and which."""


class _Teller:
    """Tells of events, with the ids that turtles had at the time."""

    def __init__(self, session: Session, touched: Mapping[int, Mapping[str, Sequence[int]]]) -> None:
        def keys(record: str) -> set[int]:
            return {key for rows in touched.values() for key in rows.get(record, ())}

        self._photos = PastRows(session, "photos", keys("photos"))
        self._encounters = PastRows(session, "encounters", keys("encounters") | self._photos.ever("encounter"))
        self._decisions = PastRows(session, "decisions", keys("decisions"))
        self._reviews = PastRows(session, "reviews", keys("reviews"))
        self._queries = PastRows(session, "queries", keys("queries") | self._decisions.ever("query"))
        named = self._encounters.ever("turtle") | self._decisions.ever("turtle")
        named |= self._reviews.ever("first") | self._reviews.ever("second")
        first = PastRows(session, "turtles", keys("turtles") | named)
        merged = first.ever("merged_into")
        self._turtles = PastRows(session, "turtles", keys("turtles") | named | merged)

    def subject(self, event: int, rows: Mapping[str, Sequence[int]]) -> EventSubject:
        moves = self._moves(event, rows)
        names = [name for move in moves for name in move[:2] if name]
        for key in rows.get("turtles", ()):
            names += [name for name in (self._name(key, event - 1), self._name(key, event)) if name]
        parts = [
            *self._told_turtles(event, rows.get("turtles", ()), {name for move in moves for name in move[:2]}),
            *_told_moves(moves),
            *self._told_others(event, rows),
        ]
        photos = tuple(sorted({photo for move in moves for photo in move[2]}))
        return EventSubject(tuple(dict.fromkeys(names)), photos, "; ".join(parts))

    def _moves(self, event: int, rows: Mapping[str, Sequence[int]]) -> list[Move]:
        """Photos and encounters by the turtle that they had before and have after."""
        photos: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
        for key in rows.get("photos", ()):
            before, after = self._owner(key, event - 1), self._owner(key, event)
            photos[before if self._photos.after(key, event - 1) else after, after].append(key)
        encounters: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
        for key in rows.get("encounters", ()):
            old, new = self._encounters.after(key, event - 1), self._encounters.after(key, event)
            if old is not None and new is not None and old.get("turtle") != new.get("turtle"):
                encounters[self._named(old, event - 1), self._named(new, event)].append(key)
        return [(*move, photos.get(move, []), encounters.get(move, [])) for move in {**photos, **encounters}]

    def _owner(self, photo: int, event: int) -> str | None:
        row = self._photos.after(photo, event)
        encounter = None if row is None else self._encounters.after(int(row["encounter"]), event)
        return None if encounter is None else self._named(encounter, event)

    def _named(self, row: Row, event: int, column: str = "turtle") -> str | None:
        return None if row.get(column) is None else self._name(int(row[column]), event)

    def _name(self, turtle: int, event: int) -> str | None:
        row = self._turtles.after(turtle, event)
        return None if row is None else str(row["id"])

    def _told_turtles(self, event: int, turtles: Sequence[int], told: Collection[str | None]) -> Iterator[str]:
        others = []
        for key in turtles:
            before, after = self._turtles.after(key, event - 1), self._turtles.after(key, event)
            old, new = self._name(key, event - 1), self._name(key, event)
            into = None if after is None else self._named(after, event, "merged_into")
            earlier = None if before is None else self._named(before, event, "merged_into")
            if old and new and old != new:
                yield f"{old} → {new}"
            elif into is not None and into != earlier:
                yield f"{new} into {into}"
            elif (new or old) not in told:
                others.append(str(new or old))
        if others:
            yield _listed(others)

    def _told_others(self, event: int, rows: Mapping[str, Sequence[int]]) -> Iterator[str]:
        for key in rows.get("queries", ()):
            row = self._queries.after(key, event) or self._queries.after(key, event - 1)
            yield f"query {key}" + (f" ({PurePath(str(row['path'])).name})" if row else "")
        for key in rows.get("decisions", ()):
            row = self._decisions.after(key, event) or self._decisions.after(key, event - 1)
            if row:
                turtle = self._named(row, event)
                yield f"query {row['query']}: {row['answer']}{f' {turtle}' if turtle else ''}"
        for key in rows.get("reviews", ()):
            row = self._reviews.after(key, event) or self._reviews.after(key, event - 1)
            if row:
                pair = [self._named(row, event, column) for column in ("first", "second")]
                yield " and ".join(name for name in pair if name)


def _told_moves(moves: Sequence[Move]) -> Iterator[str]:
    """Each turtle's photos; an event of many turtles, such as an import, is told by numbers."""
    stayed = [move for move in moves if move[0] == move[1] and move[0] and move[2] and not move[3]]
    if len(stayed) > MOST_NAMED:
        photos, names = sum(len(move[2]) for move in stayed), [str(move[0]) for move in stayed]
        yield f"{photos} photos of {len(names)} turtles: {_listed(names)}"
    else:
        stayed = []
    yield from (_told_move(*move) for move in moves if move not in stayed)


def _told_move(before: str | None, after: str | None, photos: Sequence[int], encounters: Sequence[int]) -> str:
    what = []
    if photos:
        what.append(f"photo{'s' if len(photos) > 1 else ''} {_listed([str(one) for one in photos])}")
    if encounters:
        what.append(f"encounter{'s' if len(encounters) > 1 else ''} {_listed([str(one) for one in encounters])}")
    whose = after or "nobody" if before == after else f"{before or 'nobody'} → {after or 'nobody'}"
    return f"{', '.join(what)}: {whose}"


def _listed(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more"
