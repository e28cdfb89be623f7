"""Photos that are there already and are told otherwise now: what differs is said, and taken over on demand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.exchange import Difference, PhotoChange, RefusedRow, change_differences, said_anew, take_over
from index.types import Sighting
from retrieval.cli import printing

MOST_TOLD = 10
"""Differences of photos that are there already, before they are only counted."""


def retell(catalog: Catalog, heard: Sequence[Sighting]) -> None:
    """Say what is told otherwise of photos that are there already; of their turtles each refusal said it."""
    changes = said_anew(catalog, heard, _digest)
    _tell([one for one in change_differences(changes) if one.column != "turtle"][:MOST_TOLD])
    if changes:
        printing.say(f"{len(changes)} photos that are there already are told otherwise; --update takes it over.")


def updated(catalog: Catalog, rows: Iterable[Sighting | RefusedRow], who: str) -> list[Sighting | RefusedRow]:
    """The rows, after what they say of photos that are there already was taken over."""
    every = list(rows)
    changes = _changes(catalog, every)
    if changes:
        event = take_over(catalog, changes, who)
        printing.out.print(f"{len(changes)} updated: event {event}; `turtleidx undo {event}` takes it back")
    return every


def foretold(catalog: Catalog, rows: Sequence[Sighting | RefusedRow]) -> list[PhotoChange]:
    """What `updated` would take over, which is said, too."""
    changes = _changes(catalog, rows)
    _tell(change_differences(changes))
    if changes:
        printing.say(f"{len(changes)} photo{'s' if len(changes) > 1 else ''} would be updated.")
    return changes


def _changes(catalog: Catalog, rows: Iterable[Sighting | RefusedRow]) -> list[PhotoChange]:
    return said_anew(catalog, [row for row in rows if isinstance(row, Sighting)], _digest)


def _tell(differences: Iterable[Difference]) -> None:
    for one in differences:
        here, said = one.ours or "nothing", one.theirs or "nothing"
        printing.say(f"  {one.key}: {one.column} is {here} here, and {said} is said")


def _digest(path: str) -> str | None:
    from retrieval.images import file_sha256

    try:
        return file_sha256(Path(path))
    except PhotoRefused:
        return None
