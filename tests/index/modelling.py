"""The registry in plain words: dictionaries, a list of events, and undo by looking at what each event changed."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile

from index.types import Side


class Refused(Exception):
    """The model says that an operation must be refused."""


@dataclass(frozen=True)
class TurtleRow:
    name: str
    status: str = "active"
    merged_into: int | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class EncounterRow:
    turtle: int | None
    day: dt.date | None
    name: str | None


@dataclass(frozen=True)
class PhotoRow:
    encounter: int
    taken_on: dt.date | None
    side: Side | None = None
    removed: bool = False


Row = TurtleRow | EncounterRow | PhotoRow


@dataclass
class Model:
    """Rows by number; `events` holds what each event changed: its rows before and after, and what it undid."""

    turtles: dict[int, TurtleRow] = field(default_factory=dict)
    encounters: dict[int, EncounterRow] = field(default_factory=dict)
    photos: dict[int, PhotoRow] = field(default_factory=dict)
    events: list[tuple[dict[tuple[str, int], Row | None], int | None]] = field(default_factory=list)
    numbers: int = 0

    def rows(self) -> dict[tuple[str, int], Row]:
        return {
            (record, number): row
            for record in ("turtles", "encounters", "photos")
            for number, row in getattr(self, record).items()
        }

    def begin(self) -> Model:
        return copy.deepcopy(self)

    def commit(self, before: Model, undoes: int | None = None) -> bool:
        """Record an event when anything changed."""
        old, new = before.rows(), self.rows()
        changed = {key: old.get(key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        if changed:
            self.events.append((changed, undoes))
        return bool(changed)

    def fresh(self) -> int:
        self.numbers += 1
        return self.numbers

    def key(self, name: str) -> int:
        key = next((k for k, turtle in self.turtles.items() if turtle.name == name), None)
        if key is None or self.turtles[key].status == "merged":
            raise Refused
        return key

    def key_or_new(self, name: str) -> int:
        for key, turtle in self.turtles.items():
            if turtle.name == name:
                return key if turtle.merged_into is None else turtle.merged_into
        key = self.fresh()
        self.turtles[key] = TurtleRow(name)
        return key

    def free(self, name: str) -> None:
        if any(turtle.name == name for turtle in self.turtles.values()):
            raise Refused

    def encounter(self, turtle: int | None, day: dt.date | None, name: str | None) -> int:
        for number in sorted(self.encounters):
            row = self.encounters[number]
            if row.turtle != turtle or row.name != name:
                continue
            if name is not None or (turtle is not None and day is not None and row.day == day):
                return number
        number = self.fresh()
        self.encounters[number] = EncounterRow(turtle, day, name)
        return number

    def move(self, photos: Iterable[int], turtle: int | None) -> None:
        moved: dict[int, int] = {}
        for number in sorted(photos):
            row = self.photos[number]
            old = self.encounters[row.encounter]
            if old.turtle != turtle:
                name = old.name if turtle is not None else self.nobodys_name(row.encounter, moved)
                moved[number] = row.encounter
                self.photos[number] = replace(row, encounter=self.encounter(turtle, row.taken_on, name))
        self.sweep(moved.values())

    def nobodys_name(self, source: int, moved: dict[int, int]) -> str | None:
        """The first name of its own that no unidentified encounter has whose photos came from elsewhere."""
        old = self.encounters[source]
        if old.name is None or old.turtle is None:
            return old.name
        owner = self.turtles[old.turtle].name
        for name in (old.name, f"{old.name} ({owner})", *(f"{old.name} ({owner}, {n})" for n in range(2, 99))):
            inside = [
                number
                for number, row in self.photos.items()
                if self.encounters[row.encounter].turtle is None and self.encounters[row.encounter].name == name
            ]
            if all(moved.get(number, self.came_from(number)) == source for number in inside):
                return name
        raise AssertionError

    def came_from(self, number: int) -> int | None:
        """The encounter that a photo was in before it first was in its present one."""
        formers = [changed.get(("photos", number)) for changed, _ in self.events]
        stays = [row.encounter for row in formers if isinstance(row, PhotoRow)]
        before = [*takewhile(lambda stay: stay != self.photos[number].encounter, stays)]
        return before[-1] if before else None

    def sweep(self, encounters: Iterable[int]) -> None:
        used = {row.encounter for row in self.photos.values()}
        for number in set(encounters) - used:
            self.encounters.pop(number, None)

    def settle(self, turtles: Iterable[int]) -> None:
        kept: dict[object, int] = {}
        for number in sorted(self.encounters):
            row = self.encounters[number]
            if row.turtle not in set(turtles) or (row.name is None and row.day is None):
                continue
            same = (row.turtle, row.name, None if row.name is not None else row.day)
            target = kept.setdefault(same, number)
            if target != number:
                for photo, content in self.photos.items():
                    if content.encounter == number:
                        self.photos[photo] = replace(content, encounter=target)
                del self.encounters[number]

    def dead(self) -> set[int]:
        found: set[int] = set()
        for number in reversed(range(len(self.events))):
            target = self.events[number][1]
            if target is not None and number not in found:
                found.add(target)
        return found

    def undo(self, event: int) -> None:
        if event in self.dead():
            raise Refused
        changed = self.events[event][0]
        now = self.rows()
        for key, former in changed.items():
            after = next((later[key] for later, _ in self.events[event + 1 :] if key in later), now.get(key))
            if now.get(key) != after:
                raise Refused
            record, number = key
            if former is None:
                getattr(self, record).pop(number, None)
            else:
                getattr(self, record)[number] = former
        encounters = {n for record, n in changed if record == "encounters" and n in self.encounters}
        self.settle({t for n in encounters if (t := self.encounters[n].turtle) is not None})
        self.refuse_broken()

    def refuse_broken(self) -> None:
        names = [turtle.name for turtle in self.turtles.values()]
        whole = (
            len(names) == len(set(names))
            and all(t.merged_into is None or t.merged_into in self.turtles for t in self.turtles.values())
            and all(p.encounter in self.encounters for p in self.photos.values())
            and all(
                e.turtle is None or (e.turtle in self.turtles and self.turtles[e.turtle].status != "merged")
                for e in self.encounters.values()
            )
        )
        if not whole:
            raise Refused
