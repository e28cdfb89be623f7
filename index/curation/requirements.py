"""What an operation needs to find in the registry, and the sentences for when it does not."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from index.errors import Conflict, UnknownRecord
from index.naming import checked_id
from index.registry import Transaction, TurtleStatus, several, unknown_turtle


def turtle_key(transaction: Transaction, name: str, *, any_status: bool = False) -> int:
    """The key of a turtle. Raises UnknownRecord, and Conflict for an id that was merged into another."""
    row = transaction.row("SELECT key, status, merged_into FROM turtles WHERE id = ?", name)
    if row is None:
        raise unknown_turtle(transaction, name)
    if row[1] == TurtleStatus.MERGED and not any_status:
        (kept,) = transaction.rows("SELECT id FROM turtles WHERE key = ?", row[2])[0]
        raise Conflict(f"Turtle {name} was merged into {kept}: name that one.")
    return int(row[0])


def refuse_taken(transaction: Transaction, name: str) -> None:
    """Raises Conflict for an id that is in use, InputError for one that cannot be used."""
    if transaction.row("SELECT 1 FROM turtles WHERE id = ?", checked_id(name)):
        raise Conflict(f"There is a turtle {name} already: choose another id.")


def require_photos(transaction: Transaction, photos: Collection[int], *, removed: bool = False) -> None:
    """Raises UnknownRecord for photos that are not there, or not removed; Conflict for those that `compact` deleted."""
    sql = f"SELECT id FROM photos WHERE removed = ? AND id IN ({several(photos)})"
    missing = set(photos) - {int(row[0]) for row in transaction.rows(sql, removed)}
    if missing:
        raise UnknownRecord(f"There is no {'removed ' if removed else ''}photo {min(missing)} in the catalogue.")
    if removed:
        restorable = f"keypoints = 0 OR id IN (SELECT photo FROM descriptors WHERE photo IN ({several(photos)}))"
        sql = f"SELECT id FROM photos WHERE id IN ({several(photos)}) AND ({restorable})"
        kept = {int(row[0]) for row in transaction.rows(sql)}
        if set(photos) - kept:
            raise Conflict(f"Photo {min(set(photos) - kept)} was deleted by `compact`: enroll its file again.")


def encounter_turtles(transaction: Transaction, encounters: Collection[int]) -> dict[int, int | None]:
    """The key of each encounter's turtle, None where nobody was identified. Raises UnknownRecord."""
    found = dict(transaction.rows(f"SELECT id, turtle FROM encounters WHERE id IN ({several(encounters)})"))
    missing = set(encounters) - found.keys()
    if missing:
        raise UnknownRecord(f"There is no encounter {min(missing)} in the catalogue.")
    return found


def turtle_names(transaction: Transaction, changes: Sequence[tuple[Any, ...]]) -> dict[int, str]:
    """The ids of turtles whose numbers stand in changed rows (record, key, before, after)."""
    rows = [json.loads(text) for change in changes for text in change[2:4] if text]
    keys = {row[column] for row in rows for column in ("turtle", "merged_into") if row.get(column) is not None}
    named = transaction.rows(f"SELECT key, id FROM turtles WHERE key IN ({several(keys)})")
    return {int(key): str(name) for key, name in named}


def touched_turtles(transaction: Transaction) -> list[int]:
    """Keys of turtles whose encounters this transaction changed."""
    rows = transaction.rows(
        "SELECT DISTINCT e.turtle FROM journal j JOIN encounters e ON CAST(e.id AS VARCHAR) = j.key "
        "WHERE j.event = ? AND j.record = 'encounters' AND e.turtle IS NOT NULL",
        transaction.event,
    )
    return [int(row[0]) for row in rows]
