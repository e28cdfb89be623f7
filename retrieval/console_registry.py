"""How the registry's records look on a terminal, as JSON lines and as CSV; shares the door to rich with
`retrieval.console`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from index.exchange import COARSE_DEGREES, harmless
from index.records import Change, Done, Encounter, Event, KeptQuery, PhotoRecord, Turtle
from retrieval.console import err, out, print_json, print_table

if TYPE_CHECKING:
    from index.joining import Difference

Record = Mapping[str, object]
MOST_LINES = 20


class Form(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record: all its columns, for JSON and CSV, and those that a table has room for."""

    columns: tuple[str, ...]
    shown: tuple[str, ...]


TURTLES = Kind(
    (
        *("turtle", "status", "species", "note", "tags", "photos", "encounters", "sides", "first_seen", "last_seen"),
        "merged_into",
    ),
    ("turtle", "photos", "encounters", "sides", "first_seen", "last_seen", "status", "species", "tags"),
)
PHOTOS = Kind(
    (
        *("number", "photo", "sha256", "turtle", "encounter", "encounter_name", "side", "taken_on", "species", "site"),
        *("observer", "latitude", "longitude", "box", "keypoints", "quality", "size", "removed", "notes"),
    ),
    ("number", "turtle", "encounter", "side", "taken_on", "quality", "photo"),
)
ENCOUNTERS = Kind(*(("encounter", "name", "turtle", "day", "photos", "sides"),) * 2)
EVENTS = Kind(
    ("id", "at", "who", "action", "command", "why", "undoes"), ("id", "at", "who", "action", "undoes", "command", "why")
)
QUERIES = Kind(
    (
        *("query", "photo", "sha256", "verdict", "asked_at", "answer", "turtle", "who", "why", "decided_at"),
        "evidence",
    ),
    ("query", "verdict", "asked_at", "answer", "turtle", "who", "photo"),
)
DIFFERENCES = Kind(*(("record", "key", "column", "ours", "theirs"),) * 2)


def print_records(records: Sequence[Record], kind: Kind, form: Form) -> None:
    """A list as a table that fits the terminal, as JSON lines, or as CSV with a header."""
    if form is Form.JSON:
        for record in records:
            print_json(record)
    elif form is Form.CSV:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(kind.columns)
        writer.writerows([_csv_cell(record[name]) for name in kind.columns] for record in records)
        out.out(text.getvalue(), end="", highlight=False)
    else:
        table = Table(*(name.replace("_", " ") for name in kind.shown), box=None, padding=(0, 1))
        for column in table.columns:
            column.overflow = "fold"
        for record in records:
            cells = (_cell(record[name]) for name in kind.shown)
            at_minutes = (
                cell[:16].replace("T", " ") if name.endswith("at") else cell
                for name, cell in zip(kind.shown, cells, strict=True)
            )
            table.add_row(*map(Text, at_minutes))
        print_table(table)


def print_record(record: Record, kind: Kind, form: Form) -> None:
    """One record: its names and values, unless as JSON or CSV."""
    if form is not Form.TABLE:
        print_records([record], kind, form)
        return
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name in kind.columns:
        if record[name] not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), Text(_cell(record[name])))
    print_table(table)


def print_encounters(encounters: Sequence[Encounter], photos: Sequence[PhotoRecord]) -> None:
    """Encounters by day, with their photos below."""
    for encounter in encounters:
        day = encounter.day.isoformat() if encounter.day else "undated"
        out.print(Text(f"  encounter {encounter.id}  {day}  {encounter.name or ''}".rstrip()))
        for photo in photos:
            if photo.encounter == encounter.id:
                out.print(Text(f"    {photo.id:>6}  {photo.side or '-':<6} {photo.path}"))


def print_changes(changes: Sequence[Change]) -> None:
    """What a change would do, on standard error."""
    for change in changes[:MOST_LINES]:
        err.print(Text(f"  {_change_line(change)}"))
    if len(changes) > MOST_LINES:
        err.print(Text(f"  and {len(changes) - MOST_LINES} more"))


def print_done(done: Done, dry_run: bool, as_json: bool) -> None:
    """What a change did, or would do."""
    if as_json:
        print_json({"event": done.event, "dry_run": dry_run, "changes": [change_record(one) for one in done.changes]})
        return
    lines = [Text(f"  {_change_line(change)}") for change in done.changes[:MOST_LINES]]
    if len(done.changes) > MOST_LINES:
        lines.append(Text(f"  and {len(done.changes) - MOST_LINES} more"))
    if not done.changes:
        headline = "nothing to change: it is like that already"
    elif dry_run:
        headline = "would change"
    else:
        headline = f"event {done.event}; `turtleidx undo {done.event}` takes it back"
    for line in (Text(headline), *lines):
        out.print(line)


def turtle_record(turtle: Turtle) -> dict[str, object]:
    """A turtle as a JSON object."""
    values = (
        *(turtle.id, str(turtle.status), turtle.species, turtle.note, list(turtle.tags), turtle.photos),
        *(turtle.encounters, sorted(turtle.sides), _day(turtle.first_seen), _day(turtle.last_seen), turtle.merged_into),
    )
    return dict(zip(TURTLES.columns, values, strict=True))


def photo_record(photo: PhotoRecord, exact_locations: bool = False) -> dict[str, object]:
    """A photo as a JSON object; coordinates are rounded to 0.1 degree unless they shall be exact."""
    places = [
        place if exact_locations or place is None else round(place, COARSE_DEGREES)
        for place in (photo.latitude, photo.longitude)
    ]
    box = None if photo.box is None else [photo.box.x, photo.box.y, photo.box.w, photo.box.h]
    values = (
        *(photo.id, photo.path, photo.sha256, photo.turtle, photo.encounter, photo.encounter_name, photo.side),
        *(_day(photo.taken_on), photo.species, photo.site, photo.observer, *places, box, photo.keypoints),
        *(round(photo.quality, 3), list(photo.size), photo.removed, dict(photo.notes)),
    )
    return dict(zip(PHOTOS.columns, values, strict=True))


def encounter_record(encounter: Encounter) -> dict[str, object]:
    """An encounter as a JSON object."""
    values = (
        *(encounter.id, encounter.name, encounter.turtle, _day(encounter.day), encounter.photos),
        sorted(encounter.sides),
    )
    return dict(zip(ENCOUNTERS.columns, values, strict=True))


def event_record(event: Event) -> dict[str, object]:
    """An event as a JSON object; the time is UTC."""
    values = (event.id, event.at.isoformat(), event.who, event.action, event.command, event.why, event.undoes)
    return dict(zip(EVENTS.columns, values, strict=True))


def query_record(query: KeptQuery) -> dict[str, object]:
    """A kept query with its newest decision as a JSON object."""
    decided = query.decision
    answered: tuple[object, ...] = (None,) * 5
    if decided is not None:
        at = decided.made_at.isoformat()
        answered = (str(decided.answer), decided.turtle, decided.who, decided.why, at)
    asked_at = query.made_at.isoformat()
    values = (query.id, query.path, query.sha256, query.verdict, asked_at, *answered, json.loads(query.evidence))
    return dict(zip(QUERIES.columns, values, strict=True))


def difference_record(difference: Difference) -> dict[str, object]:
    """A difference of two catalogues as a JSON object."""
    return {name: getattr(difference, name) for name in DIFFERENCES.columns}


def change_record(change: Change) -> dict[str, object]:
    """A changed row as a JSON object: only the columns that differ, each with its value before and after."""
    before, after = _contents(change)
    differing = {name: [before[name], after[name]] for name in after if name in before and before[name] != after[name]}
    what = "changed" if after else "gone" if before else "new"
    return {"record": change.record, "key": change.key, "name": _name(change), "what": what, "columns": differing}


def _change_line(change: Change) -> str:
    before, after = _contents(change)
    if not after:
        return f"{_name(change)} {'goes' if before else 'is new'}"
    parts = []
    for name in after:
        old, new = before.get(name), after[name]
        if old != new:  # turtles are numbered within; the numbers say nothing to people
            if name == "turtle":
                parts.append("belongs to another turtle" if new else "belongs to no turtle")
            elif name != "merged_into":
                parts.append(f"{name} {_cell(old) or '-'} → {_cell(new) or '-'}")
    return f"{_name(change)}: {', '.join(parts)}"


def _contents(change: Change) -> tuple[dict[str, object], dict[str, object]]:
    return json.loads(change.before or "{}"), json.loads(change.after or "{}")


def _name(change: Change) -> str:
    before, after = _contents(change)
    if change.record == "turtles":
        known = before.get("id") or after.get("id")
        return f"turtle {known}" if known else "a turtle"
    singular = {"photos": "photo", "encounters": "encounter", "queries": "query", "decisions": "decision"}
    return f"{singular.get(change.record, change.record)} {change.key}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _csv_cell(value: object) -> object:
    return value if isinstance(value, (int, float)) else harmless(_cell(value))


def _day(day: object) -> str | None:
    return None if day is None else str(day)
