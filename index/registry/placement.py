"""Which turtle and which encounter a photo belongs to; both are made when they are not there yet.

Photos of one turtle on one day are one encounter unless the user named it. A photo without a turtle, or
without a date, is an encounter of its own unless named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from index.naming import checked_id, composed, whole_path
from index.registry.database import Transaction
from index.registry.journal import Row
from index.types import HeadBox, PreparedPhoto, Sighting


class Placement:
    """Finds or makes turtles and encounters within one transaction; `write` stores the new ones."""

    def __init__(
        self,
        transaction: Transaction,
        turtles: Collection[str],
        names: Collection[str] = (),
        turtle_keys: Collection[int] = (),
    ) -> None:
        self._transaction = transaction
        # an id that was merged stands for the turtle that took its photos over
        sql = (
            "SELECT nfc_normalize(id), coalesce(merged_into, key) FROM turtles "
            "WHERE nfc_normalize(id) IN (SELECT unnest(?::VARCHAR[])) ORDER BY id = nfc_normalize(id)"
        )
        self._turtles = {
            str(name): int(key) for name, key in transaction.rows(sql, sorted({composed(one) for one in turtles}))
        }
        self._days: dict[tuple[int, dt.date], int] = {}
        self._names: dict[tuple[int | None, str], int] = {}
        for number, turtle, day, name in transaction.rows(
            "SELECT id, turtle, day, name FROM encounters WHERE turtle IN (SELECT unnest(?::BIGINT[])) "
            "OR (turtle IS NULL AND nfc_normalize(name) IN (SELECT unnest(?::VARCHAR[]))) ORDER BY id DESC",
            sorted({*self._turtles.values(), *turtle_keys}),
            sorted({composed(one) for one in names}),
        ):
            self._remember(number, turtle, day, name)
        self._new_turtles: list[Row] = []
        self._new_encounters: list[Row] = []

    def turtle(self, name: str, species: str | None = None, note: str | None = None) -> int:
        """The key of a turtle."""
        name = composed(name)
        if name not in self._turtles:
            (key,) = self._transaction.take_ids("turtle", 1)
            self._turtles[name] = key
            self._new_turtles.append(
                {"key": key, "id": checked_id(name), "status": "active", "species": species, "note": note, "tags": []}
            )
        return self._turtles[name]

    def encounter(self, turtle: int | None, day: dt.date | None, name: str | None) -> int:
        """The id of the encounter of a turtle (None: unidentified) on a day, or of that name."""
        found, name = None, None if name is None else composed(name)
        if name is not None:
            found = self._names.get((turtle, name))
        elif turtle is not None and day is not None:
            found = self._days.get((turtle, day))
        if found is None:
            (found,) = self._transaction.take_ids("encounter", 1)
            self._remember(found, turtle, day, name)
            date = None if day is None else day.isoformat()
            self._new_encounters.append({"id": found, "turtle": turtle, "day": date, "name": name})
        return found

    def write(self) -> None:
        """Store what was made."""
        self._transaction.journal.put("turtles", self._new_turtles)
        self._transaction.journal.put("encounters", self._new_encounters)

    def _remember(self, number: int, turtle: int | None, day: dt.date | None, name: str | None) -> None:
        if name is not None:
            self._names[turtle, composed(name)] = number
        elif turtle is not None and day is not None:
            self._days[turtle, day] = number


@dataclass(frozen=True, slots=True)
class Together:
    """Photos that are of one unnamed encounter where they come from, and stay so.

    Attributes
    ----------
    occasions : mapping
        The encounters' numbers there, by the keys of the photos.
    days : mapping
        The days of those encounters by their numbers.
    here : dict
        Their numbers here, where they are known; placing adds what it makes or finds.
    """

    occasions: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[int, dt.date] = field(default_factory=dict)
    here: dict[int, int] = field(default_factory=dict)

    def encounter(self, placing: Placement, photo: PreparedPhoto, turtle: int | None) -> int:
        """The id of the encounter that a photo goes to."""
        seen, occasion = photo.sighting, self.occasions.get(photo.key)
        if occasion is None:
            return placing.encounter(turtle, seen.taken_on, seen.encounter)
        if occasion not in self.here:
            self.here[occasion] = placing.encounter(turtle, self.days.get(occasion), None)
        return self.here[occasion]


def place_photos(
    transaction: Transaction, photos: Sequence[PreparedPhoto], base: Path, together: Together | None = None
) -> list[int]:
    """Store photo rows with their turtles, encounters and vectors; gives their ids. Removed ones come back."""
    together = together or Together()
    sightings = [photo.sighting for photo in photos]
    placing = Placement(
        transaction, {s.turtle for s in sightings if s.turtle}, {s.encounter for s in sightings if s.encounter}
    )
    returning = _returning(transaction, photos)
    fresh = [photo for photo in photos if photo.key not in returning]
    ids = dict(zip((p.key for p in fresh), transaction.take_ids("photo", len(fresh)), strict=True)) | returning
    rows = []
    for photo in photos:
        seen = photo.sighting
        turtle = None if seen.turtle is None else placing.turtle(seen.turtle, seen.species)
        encounter = together.encounter(placing, photo, turtle)
        rows.append({"id": ids[photo.key], "encounter": encounter, **_photo_row(photo, base)})
    placing.write()
    transaction.journal.put("photos", rows)
    found = [photo for photo in fresh if not photo.waiting]
    if found:
        transaction.add_vectors([ids[p.key] for p in found], np.stack([p.vector for p in found]))
    return [ids[photo.key] for photo in photos]


def relative_to(path: Path, base: Path) -> str | None:
    """A path below the catalogue's parent as text relative to it, so that both can move together."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return None


def _returning(transaction: Transaction, photos: Sequence[PreparedPhoto]) -> dict[str, int]:
    """Removed rows of the same sightings, by the keys that those have now; a photo that waits gives no vector a row."""
    sql = (
        "SELECT id, sha256, read_box FROM photos WHERE removed AND sha256 IN (SELECT unnest(?::VARCHAR[])) "
        "AND id IN (SELECT photo FROM descriptors)"
    )
    removed = transaction.rows(sql, [photo.sha256 for photo in photos])
    numbers = {(str(digest), tuple(box or ())): int(number) for number, digest, box in removed}
    searched = [photo for photo in photos if not photo.waiting]
    wanted = {photo.key: (photo.sha256, tuple(_read_box(photo.sighting.box))) for photo in searched}
    return {key: numbers[one] for key, one in wanted.items() if one in numbers}


def _read_box(box: HeadBox | None) -> list[float]:
    return [] if box is None else [box.x, box.y, box.w, box.h]


def _photo_row(photo: PreparedPhoto, base: Path) -> Row:
    seen = photo.sighting
    path = whole_path(Path(seen.path))
    return {
        "sha256": photo.sha256,
        "path": path.as_posix(),
        "relative": relative_to(path, base),
        "removed": False,
        "keypoints": len(photo.features),
        "quality": float(photo.quality),
        "width": photo.original_size[0],
        "height": photo.original_size[1],
        "sighting": photo.key,
        "reader": photo.reader,
        "reading": photo.reading,
        "read_box": _read_box(seen.box),
        "taken_at": photo.taken_at,
        "content": photo.content,
        **_sighting_columns(seen),
    }


def _sighting_columns(seen: Sighting) -> Row:
    box = seen.box
    return {
        "side": None if seen.side is None else str(seen.side),
        "taken_on": None if seen.taken_on is None else seen.taken_on.isoformat(),
        "species": seen.species,
        "site": seen.site,
        "observer": seen.observer,
        "latitude": seen.latitude,
        "longitude": seen.longitude,
        "box_x": None if box is None else box.x,
        "box_y": None if box is None else box.y,
        "box_w": None if box is None else box.w,
        "box_h": None if box is None else box.h,
        "box_origin": None if seen.box_origin is None else str(seen.box_origin),
        "box_confidence": seen.box_confidence,
        "notes": dict(seen.notes),
    }
