"""How the registry's records look on a terminal, as JSON lines and as CSV; shares the door to rich with
`retrieval.cli.printing.terminal`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from index.exchange import harmless
from index.registry import Change, ChangeReport, Encounter, Event, EventSubject, PhotoRecord
from index.times import local
from retrieval.cli.printing.terminal import err, out, print_json, print_table
from retrieval.schemas import (
    DIFFERENCES,
    EVENTS,
    Kind,
    Record,
    cell_text,
    change_contents,
    change_name,
    change_record,
    difference_record,
    event_record,
)

if TYPE_CHECKING:
    from index.exchange import JoinReport
    from retrieval.weight_files import WeightsListing


MOST_LINES = 20
SHORT = 14
"""Characters of the longest verdict; days and numbers have fewer."""


class Form(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


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
        rows = [[_cell(name, record[name]) for name in kind.shown] for record in records]
        table = Table(box=None, padding=(0, 1))
        for number, name in enumerate(kind.shown):
            head = name.replace("_", " ")
            table.add_column(head, overflow="fold", width=_unbroken([*head.split(), *(row[number] for row in rows)]))
        for row in rows:
            table.add_row(*map(Text, row))
        print_table(table)


def _unbroken(words: Sequence[str]) -> int | None:
    """How wide a column of short words is on a terminal, so that longer ones beside it are folded instead."""
    widest = max(map(len, words))
    return widest if out.is_terminal and widest <= SHORT else None


def _cell(name: str, value: object) -> str:
    """A value as text, moments in local time."""
    if name.endswith("at") and isinstance(value, str):
        return local(dt.datetime.fromisoformat(value))
    if isinstance(value, float):
        return f"{value:.3f}"
    return cell_text(value)


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
            table.add_row(name.replace("_", " "), Text(cell_text(record[name])))
    print_table(table)


def print_join(report: JoinReport, dry_run: bool) -> None:
    """What joining did, or would do, and where the catalogues differ."""
    out.print(
        f"{report.added} photos {'would be ' if dry_run else ''}added, {report.there} there already, "
        f"{len(report.differences)} differences"
    )
    if report.turtles:
        out.print(Text(f"new turtles: {', '.join(report.turtles)}"))
    if report.renamed:
        out.print(Text(f"renamed: {', '.join(f'{old} → {new}' for old, new in report.renamed.items())}"))
    if report.event is not None:
        out.print(f"event {report.event}; `turtleidx undo {report.event}` takes all of it back")
    if report.differences:
        print_records([difference_record(one) for one in report.differences], DIFFERENCES, Form.TABLE)


KEEPING = "keep query"


def print_history(events: Sequence[Event], subjects: Mapping[int, EventSubject], form: Form) -> None:
    """Events, newest first; in the table, queries that one person kept one after the other are one row."""
    records = [event_record(event, subjects[event.id]) for event in events]
    if form is not Form.TABLE:
        print_records(records, EVENTS, form)
        return
    rows = []
    for _, group in groupby(records, lambda one: (one["who"], one["id"] if one["action"] != KEEPING else KEEPING)):
        first, *rest = group
        more = f", and {len(rest)} before it" if rest else ""
        rows.append(first | {"subject": f"{first['subject']}{more}"})
    print_records(rows, EVENTS, form)


def print_encounters(encounters: Sequence[Encounter], photos: Sequence[PhotoRecord]) -> None:
    """Encounters by day, with their photos below."""
    for encounter in encounters:
        day = encounter.day.isoformat() if encounter.day else "undated"
        out.print(Text(f"  encounter {encounter.id}  {day}  {encounter.name or ''}".rstrip()))
        for photo in photos:
            if photo.encounter == encounter.id:
                out.print(Text(f"    {photo.id:>6}  {photo.side or '-':<6} {photo.path}"))


def print_changes(done: ChangeReport) -> None:
    """What a change would do, on standard error."""
    for change in done.changes[:MOST_LINES]:
        err.print(Text(f"  {_change_line(change, done.names)}"))
    if len(done.changes) > MOST_LINES:
        err.print(Text(f"  and {len(done.changes) - MOST_LINES} more"))


def print_done(done: ChangeReport, dry_run: bool, as_json: bool) -> None:
    """What a change did, or would do."""
    if as_json:
        changes = [change_record(one, done.names) for one in done.changes]
        print_json({"event": done.event, "dry_run": dry_run, "changes": changes})
        return
    lines = [Text(f"  {_change_line(change, done.names)}") for change in done.changes[:MOST_LINES]]
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


def _change_line(change: Change, names: Mapping[int, str]) -> str:
    before, after = change_contents(change)
    if not after:
        return f"{change_name(change)} {'goes' if before else 'is new'}"
    parts = []
    for name in after:
        old, new = before.get(name), after[name]
        if old != new:
            if name == "turtle":
                parts.append(f"{_named(old, names)} → {_named(new, names)}")
            elif name == "relative":
                continue  # the path says it already
            elif name == "merged_into":
                parts.append(f"merged into {_named(new, names)}" if new else "merged no more")
            else:
                parts.append(f"{name} {cell_text(old) or '-'} → {cell_text(new) or '-'}")
    return f"{change_name(change)}: {', '.join(parts)}"


def _named(key: object, names: Mapping[int, str]) -> str:
    """A turtle that is numbered within; the numbers say nothing to people."""
    return "nobody" if key is None else names.get(int(str(key)), "another turtle")


def _csv_cell(value: object) -> object:
    return value if isinstance(value, (int, float)) else harmless(cell_text(value))


def print_pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    print_table(table)


def print_weights(listing: Sequence[WeightsListing], as_json: bool) -> None:
    """Networks by name, with licence and place."""
    if as_json:
        for row in listing:
            print_json({**asdict(row), "path": row.path and str(row.path)})
        return
    table = Table("kind", "name", "licence", "at hand", "source", box=None, padding=(0, 2))
    for row in listing:
        table.add_row(*map(Text, (row.kind, row.name, row.licence, str(row.path or "no"), row.source)))
    for column in table.columns:
        column.overflow = "fold"
    print_table(table)
