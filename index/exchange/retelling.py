"""Photos that are in the catalogue, told anew: what a table or a command says of them, set as one change."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.catalog import Browser, Catalog
from index.curation import names_with_nobody, names_with_turtle
from index.exchange.catalog_differences import COMPARED, Difference
from index.exchange.table_export import cells_of
from index.exchange.tables import BOX_COLUMNS
from index.naming import composed, whole_path
from index.registry import PhotoRecord, Placement, Transaction, several
from index.types import BoxOrigin, HeadBox, Sighting, same_head


@dataclass(frozen=True, slots=True)
class PhotoChange:
    """A photo as it was and as the table tells it."""

    old: PhotoRecord
    new: PhotoRecord


def said_anew(
    catalog: Catalog, sightings: Sequence[Sighting], digest: Callable[[str], str | None]
) -> list[PhotoChange]:
    """Where sightings of photos that are in the catalogue say something else than it does; what they leave out stays.

    Of a file that shows several heads, a sighting tells the one in its box; another box in a file of one head corrects
    that one, unless it is told of otherwise or is another turtle's: then the sighting is of a head that is not there.

    Parameters
    ----------
    digest : callable
        The sha256 of the file at a path, for photos that lie elsewhere than the catalogue says.
    """
    browser = Browser(catalog)
    records = browser.photos()
    merged = {turtle.id: turtle.merged_into for turtle in browser.turtles() if turtle.merged_into is not None}
    files = _Files(records, digest)
    told = {record.id: record for record in records}
    heard: set[int] = set()
    others: list[tuple[Sighting, int]] = []
    for seen in map(_composed, sightings):
        there = files.heads(seen.path)
        record = _head_in([told[number] for number in there], seen.box)
        if record is not None:
            heard.add(record.id)
            told[record.id] = replace(record, **_said(seen, record, merged))
        elif len(there) == 1:
            others.append((seen, there[0]))
    for seen, number in others:
        if number not in heard and _may_be(told[number], seen, merged):
            heard.add(number)
            told[number] = replace(told[number], **_said(seen, told[number], merged))
    return [PhotoChange(old, told[old.id]) for old in records if told[old.id] != old]


def _composed(seen: Sighting) -> Sighting:
    """A sighting whose names are in the form that names are kept in."""
    turtle, encounter = (None if name is None else composed(name) for name in (seen.turtle, seen.encounter))
    return replace(seen, turtle=turtle, encounter=encounter)


class _Files:
    """The photos of a catalogue by the files that show them."""

    def __init__(self, records: Sequence[PhotoRecord], digest: Callable[[str], str | None]) -> None:
        self._digest = digest
        self._at: dict[str, set[str]] = {}
        self._heads: dict[str, list[int]] = {}
        for record in records:
            self._at.setdefault(record.path, set()).add(record.sha256)
            self._heads.setdefault(record.sha256, []).append(record.id)

    def heads(self, path: str) -> list[int]:
        """Numbers of the photos in the file at a path; it is read where the catalogue leaves open which one it is."""
        there = self._at.get(whole_path(Path(path)).as_posix(), set())
        file = next(iter(there)) if len(there) == 1 else self._digest(path)
        return self._heads.get(file or "", [])


def _head_in(records: Sequence[PhotoRecord], box: HeadBox | None) -> PhotoRecord | None:
    """The one photo of a file that shows the head in a box."""
    same = [record for record in records if same_head(record.box, box)]
    exact = [record for record in same if record.box == box]
    return (exact or same)[0] if len(exact or same) == 1 else None


def _may_be(record: PhotoRecord, seen: Sighting, merged: Mapping[str, str]) -> bool:
    return seen.turtle is None or record.turtle in (None, merged.get(seen.turtle, seen.turtle))


def _said(seen: Sighting, record: PhotoRecord, merged: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {
        name: getattr(seen, name)
        for name in ("side", "taken_on", "species", "site", "observer", "latitude", "longitude", "box")
        if getattr(seen, name) is not None
    }
    if seen.turtle is not None:
        said["turtle"] = merged.get(seen.turtle, seen.turtle)
    if seen.encounter is not None:
        said["encounter_name"] = seen.encounter
    return said | {"notes": {**record.notes, **seen.notes}}


def change_differences(changes: Sequence[PhotoChange]) -> list[Difference]:
    """The changes as differences, column by column: what is here, and what is said now."""
    found = []
    for change in changes:
        here, said = cells_of(change.old, exact=True), cells_of(change.new, exact=True)
        found += [
            Difference("photo", change.old.path, name, here[name], said[name])
            for name in COMPARED
            if here[name] != said[name]
        ]
    return found


def take_over(catalog: Catalog, changes: Sequence[PhotoChange], who: str, why: str = "") -> int:
    """Set what is said now, as one event; gives its number. Raises CatalogBusy."""
    with catalog.writing("enroll"), catalog.transaction("update photos", who, why) as transaction:
        apply_changes(transaction, changes)
        return transaction.event


def apply_changes(transaction: Transaction, changes: Sequence[PhotoChange]) -> None:
    """Set what has changed; turtles and encounters that are new are made, encounters left empty go.

    A named encounter of which the turtle changes and the name does not stays apart from others of that name, as it does
    when photos are moved.
    """
    for change in changes:
        before = _columns(change.old)
        row = {name: value for name, value in _columns(change.new).items() if value != before[name]}
        if any(f"box_{name}" in row for name in BOX_COLUMNS):
            row |= {"box_origin": None if change.new.box is None else str(BoxOrigin.GIVEN), "box_confidence": None}
        if row:
            kept = ", ".join(f"?::{_TYPES.get(name, 'VARCHAR')} AS {name}" for name in row)
            transaction.journal.update("photos", kept, "id = ?", *row.values(), change.old.id)
    placed = _placed(transaction, changes)
    if placed:
        here = "map(?::BIGINT[], ?::BIGINT[])[id] AS encounter"
        numbers = list(placed), list(placed.values())
        transaction.journal.update("photos", here, f"id IN ({several(placed)})", *numbers)
    left = several({change.old.encounter for change in changes})
    used = f"SELECT encounter FROM photos WHERE encounter IN ({left})"
    transaction.journal.remove("encounters", f"id IN ({left}) AND id NOT IN ({used})")


def _placed(transaction: Transaction, changes: Sequence[PhotoChange]) -> dict[int, int]:
    """The encounters of photos whose turtle, day or encounter changed, by photo; their days are set already."""
    told = {change.old.id: change.new for change in changes if _place(change.new) != _place(change.old)}
    orphaned: list[int] = []
    moving: dict[str, list[int]] = defaultdict(list)
    for change in changes:
        turtle = change.new.turtle
        if turtle != change.old.turtle and change.new.encounter_name == change.old.encounter_name:
            (orphaned if turtle is None else moving[turtle]).append(change.old.id)
    names = {number: new.encounter_name for number, new in told.items()} | names_with_nobody(transaction, orphaned)
    owners = {new.turtle for new in told.values() if new.turtle is not None}
    placing = Placement(transaction, owners, {name for name in names.values() if name is not None})
    keys: dict[str | None, int] = {}
    for _, new in sorted(told.items()):
        if new.turtle is not None:
            keys[new.turtle] = placing.turtle(new.turtle, new.species)
    for turtle, photos in moving.items():
        names |= names_with_turtle(transaction, photos, keys[turtle], leaving=told)
    placed = {
        number: placing.encounter(keys.get(new.turtle), new.taken_on, names[number])
        for number, new in sorted(told.items())
    }
    placing.write()
    return placed


def _place(record: PhotoRecord) -> tuple[str | None, dt.date | None, str | None]:
    return record.turtle, record.taken_on, record.encounter_name


_TYPES = {
    "taken_on": "DATE",
    "notes": "JSON",
    **dict.fromkeys(("latitude", "longitude", "box_x", "box_y", "box_w", "box_h", "box_confidence"), "DOUBLE"),
}


def _columns(record: PhotoRecord) -> dict[str, object]:
    """What a table can say about a photo, as the registry's columns."""
    box = record.box
    return {
        "side": None if record.side is None else str(record.side),
        **{
            name: getattr(record, name) for name in ("taken_on", "species", "site", "observer", "latitude", "longitude")
        },
        **{f"box_{name}": None if box is None else getattr(box, name) for name in BOX_COLUMNS},
        "notes": json.dumps(dict(record.notes), ensure_ascii=False, separators=(",", ":")),
    }
