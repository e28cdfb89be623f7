"""What an operation needs to find in the registry, and the sentences for when it does not."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from index.errors import Conflict, UnknownRecord
from index.features import FeatureStore
from index.naming import checked_id
from index.registry import Transaction, TurtleStatus, meant_id, several, unknown_turtle


def turtle_key(transaction: Transaction, name: str, *, any_status: bool = False) -> int:
    """The key of a turtle. Raises UnknownRecord, and Conflict for an id that was merged into another."""
    known = meant_id(transaction, name)
    row = transaction.row("SELECT key, status, merged_into FROM turtles WHERE id = ?", known)
    if row is None:
        raise unknown_turtle(transaction, name)
    if row[1] == TurtleStatus.MERGED and not any_status:
        (kept,) = transaction.rows("SELECT id FROM turtles WHERE key = ?", row[2])[0]
        raise Conflict(f"Turtle {name} was merged into {kept}: name that one.")
    return int(row[0])


def refuse_taken(transaction: Transaction, name: str) -> None:
    """Raises Conflict for an id that is in use, InputError for one that cannot be used."""
    if transaction.row("SELECT 1 FROM turtles WHERE id = ?", meant_id(transaction, checked_id(name))):
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


def refuse_twins(transaction: Transaction, photos: Collection[int]) -> None:
    """Raises Conflict for photos whose head in the same file is in the catalogue under another number."""
    boxes = " AND ".join(f"p.box_{side} IS NOT DISTINCT FROM other.box_{side}" for side in "xywh")
    twins = transaction.row(
        f"SELECT p.id, other.id FROM photos p JOIN photos other ON other.sha256 = p.sha256 AND other.id <> p.id "
        f"AND {boxes} WHERE p.id IN ({several(photos)}) AND NOT other.removed ORDER BY ALL"
    )
    if twins:
        raise Conflict(f"Photo {twins[0]} shows the same head of the same file as photo {twins[1]}: remove that first.")


def refuse_deleted(transaction: Transaction, features: FeatureStore) -> None:
    """Raises Conflict where the transaction brings a photo without keypoints back whose picture `compact` deleted.

    Of photos that are searched the registry knows it: they have no descriptor any more.
    """
    back = transaction.rows(
        "SELECT id, coalesce(sighting, sha256) FROM photos WHERE NOT removed AND keypoints = 0 "
        "AND CAST(id AS VARCHAR) IN (SELECT key FROM journal WHERE event = ? AND record = 'photos' "
        "AND coalesce(before->>'removed', 'true') = 'true') ORDER BY id",
        transaction.event,
    )
    gone = features.without_thumbnail([str(digest) for _, digest in back])
    for number, digest in back:
        if digest in gone:
            raise Conflict(f"Photo {number} was deleted by `compact`: enroll its file again.")


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
