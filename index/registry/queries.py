"""Questions about turtles, encounters and events, answered with frozen rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from index.registry.records import Encounter, Event, PhotoRecord, StoredModel, Turtle, TurtleStatus
from index.registry.session import Session
from index.types import BoxOrigin, HeadBox, Side

_TURTLES = """
WITH chosen AS ({chosen}), seen AS (
    SELECT e.turtle AS key, count(*) AS photos, count(DISTINCT e.id) AS encounters, list(DISTINCT p.side) AS sides,
           min(p.taken_on) AS first_seen, max(p.taken_on) AS last_seen
    FROM encounters e JOIN photos p ON p.encounter = e.id
    WHERE NOT p.removed AND e.turtle IN (SELECT key FROM chosen) GROUP BY e.turtle
)
SELECT c.id, c.status, c.species, c.note, c.tags, coalesce(s.photos, 0), coalesce(s.encounters, 0), s.sides,
       s.first_seen, s.last_seen, m.id
FROM chosen c LEFT JOIN seen s USING (key) LEFT JOIN turtles m ON m.key = c.merged_into
ORDER BY {order}
"""

_PHOTOS = """
WITH chosen AS MATERIALIZED ({chosen}),
     around AS MATERIALIZED (SELECT * FROM encounters WHERE id IN (SELECT encounter FROM chosen))
SELECT p.id, p.sha256, p.path, p.relative, t.id, p.encounter, e.name, p.side, p.taken_on, p.species, p.site, p.observer,
       p.latitude, p.longitude, p.box_x, p.box_y, p.box_w, p.box_h, p.keypoints, p.quality, p.width, p.height,
       p.removed, p.notes, p.sighting, coalesce(p.reader, 1), coalesce(p.reading, 1), p.read_box, p.taken_at,
       p.content, p.box_origin, p.box_confidence
FROM chosen p JOIN around e ON e.id = p.encounter LEFT JOIN turtles t ON t.key = e.turtle ORDER BY p.id
"""

# the column `day` is what photos of one day are grouped by; dates that were corrected are known to the photos alone
_ENCOUNTERS = """
SELECT e.id, e.name, t.id, min(p.taken_on), count(p.id), list(DISTINCT p.side)
FROM encounters e LEFT JOIN turtles t ON t.key = e.turtle LEFT JOIN photos p ON p.encounter = e.id AND NOT p.removed
WHERE {condition} GROUP BY e.id, e.name, t.id ORDER BY {order}
"""

BY_DAY = "min(p.taken_on) NULLS LAST, e.id"

QUERY_KEY = "coalesce(json_extract_string(evidence, '$.sighting'), sha256)"
"""What a kept query's features lie under: the sighting that its evidence names, else the digest of the file, where
earlier versions put every head.
"""

_EVENTS = "SELECT id, made_at, who, action, command, why, undoes FROM events"


def read_turtles(session: Session, chosen: str, *values: object, order: str = "c.id") -> list[Turtle]:
    """Turtles that a query on the table `turtles` chooses; `order` may also name a limit."""
    return [_turtle(row) for row in session.rows(_TURTLES.format(chosen=chosen, order=order), *values)]


def read_sides(session: Session, names: Sequence[str]) -> dict[str, frozenset[Side]]:
    """The sides from which turtles (by id) were photographed; photos of no stated side count for none."""
    chosen = "SELECT * FROM turtles WHERE id IN (SELECT unnest(?::VARCHAR[]))"
    return {turtle.id: turtle.sides for turtle in read_turtles(session, chosen, list(names))}


def count_without(session: Session, sides: Collection[Side]) -> int:
    """How many turtles have photos, but none of these sides."""
    return session.number(
        "SELECT count(*) FROM (SELECT e.turtle FROM encounters e JOIN photos p ON p.encounter = e.id "
        "WHERE e.turtle IS NOT NULL AND NOT p.removed GROUP BY e.turtle "
        "HAVING NOT coalesce(bool_or(p.side IN (SELECT unnest(?::VARCHAR[]))), false))",
        [str(side) for side in sides],
    )


def read_records(session: Session, chosen: str, *values: object) -> list[PhotoRecord]:
    """Photos that a query on the table `photos` chooses, in order of enrolment."""
    return [_record(row) for row in session.rows(_PHOTOS.format(chosen=chosen), *values)]


def read_encounters(session: Session, condition: str, *values: object, order: str = BY_DAY) -> list[Encounter]:
    """Encounters that meet a condition on e (encounters) and t (turtles); `order` may also name a limit."""
    rows = session.rows(_ENCOUNTERS.format(condition=condition, order=order), *values)
    return [
        Encounter(number, name, turtle, day, photos, _sides(sides)) for number, name, turtle, day, photos, sides in rows
    ]


def read_events(session: Session, condition: str, page: str, *values: object) -> list[Event]:
    """One page of the events that meet a condition, newest first."""
    return [Event(*row) for row in session.rows(f"{_EVENTS} WHERE {condition} ORDER BY id DESC {page}", *values)]


def read_models(session: Session) -> list[StoredModel]:
    """The newest model of each kind."""
    return [
        StoredModel(*row)
        for row in session.rows("SELECT kind, recipe, payload, made_at, event FROM models ORDER BY kind")
    ]


def read_setting(session: Session, name: str) -> str | None:
    """The text of a setting, or None."""
    row = session.row("SELECT value FROM settings WHERE name = ?", name)
    return None if row is None else str(row[0])


def _turtle(row: tuple[Any, ...]) -> Turtle:
    name, status, species, note, tags, photos, encounters, sides, first, last, merged_into = row
    return Turtle(
        id=name,
        status=TurtleStatus(status),
        species=species,
        note=note,
        tags=tuple(tags or ()),
        photos=photos,
        encounters=encounters,
        sides=_sides(sides),
        first_seen=first,
        last_seen=last,
        merged_into=merged_into,
    )


def _record(row: tuple[Any, ...]) -> PhotoRecord:
    head, box, tail = row[:14], row[14:18], row[18:]
    number, sha256, path, relative, turtle, encounter, name, side, taken_on, species, site, observer, north, east = head
    keypoints, quality, width, height, removed, notes, sighting, reader, reading, read_box, taken_at, content = tail[
        :12
    ]
    origin, confidence = tail[12:]
    return PhotoRecord(
        id=number,
        sha256=sha256,
        path=path,
        relative=relative,
        turtle=turtle,
        encounter=encounter,
        encounter_name=name,
        side=None if side is None else Side(side),
        taken_on=taken_on,
        species=species,
        site=site,
        observer=observer,
        latitude=north,
        longitude=east,
        box=None if box[0] is None else HeadBox(*box),
        keypoints=keypoints,
        quality=quality,
        size=(width, height),
        removed=removed,
        notes=_notes(notes),
        key=sighting or sha256,
        reader=reader,
        reading=reading,
        read_box=HeadBox(*read_box) if read_box else None,
        taken_at=taken_at,
        content=content,
        box_origin=BoxOrigin(origin) if origin else None if box[0] is None else BoxOrigin.GIVEN,
        box_confidence=confidence,
    )


def _notes(text: str | None) -> dict[str, str]:
    """Texts by name; whatever else JSON can say, which earlier versions took from tables, as it is written there."""
    found = {} if text is None else json.loads(text)
    if not isinstance(found, dict):
        return {"notes": str(text)}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}


def _sides(names: list[str | None] | None) -> frozenset[Side]:
    return frozenset(Side(name) for name in names or () if name is not None)


def several(numbers: Collection[int]) -> str:
    """Whole numbers as a query, for `IN (...)`: DuckDB joins with it, which is faster than a list of them.

    Numbers that no record can have are left out.
    """
    return f"SELECT unnest([{', '.join(str(int(number)) for number in numbers if abs(number) < 2**63)}]::BIGINT[])"
