"""Photos that change turtle or day, and the encounters that follow them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from index.placing import Placing
from index.registry import Transaction


def several(numbers: Collection[int]) -> str:
    """Whole numbers as a query, for `IN (...)`: DuckDB joins with it, which is faster than a list of them.

    Numbers that no record can have are left out.
    """
    return f"SELECT unnest([{', '.join(str(int(number)) for number in numbers if abs(number) < 2**63)}]::BIGINT[])"


def place_with(transaction: Transaction, photos: Collection[int], turtle: str | None) -> None:
    """Give photos to a turtle (None: to nobody); named encounters keep their names."""
    rows = transaction.rows(
        "SELECT p.id, p.taken_on, e.name, e.turtle FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"WHERE p.id IN ({several(photos)}) ORDER BY p.id"
    )
    placing = Placing(transaction, [] if turtle is None else [turtle], {row[2] for row in rows if row[2] is not None})
    key = None if turtle is None else placing.turtle(turtle)
    moves = {number: placing.encounter(key, day, name) for number, day, name, owner in rows if owner != key}
    placing.write()
    _move(transaction, moves)


def place_by_day(transaction: Transaction, photos: Collection[int]) -> None:
    """Put photos whose date changed into the encounter of their day, unless theirs is named."""
    rows = transaction.rows(
        "SELECT p.id, p.taken_on, e.id, e.turtle, e.day, (SELECT count(*) FROM photos q WHERE q.encounter = e.id) "
        "FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"WHERE p.id IN ({several(photos)}) AND e.name IS NULL AND e.day IS DISTINCT FROM p.taken_on ORDER BY p.id"
    )
    placing = Placing(transaction, [], turtle_keys={row[3] for row in rows if row[3] is not None})
    moves = {}
    for number, day, encounter, turtle, _, together in rows:
        if turtle is not None:
            moves[number] = placing.encounter(turtle, day, None)
        elif together == 1:
            transaction.journal.update("encounters", "?::DATE AS day", "id = ?", day, encounter)
    placing.write()
    _move(transaction, moves)


def settle_encounters(transaction: Transaction, turtles: Collection[int]) -> None:
    """Join the encounters of turtles that the one-day rule, or their name, makes one."""
    rows = transaction.rows(
        f"""SELECT id, kept FROM (
            SELECT id, min(id) OVER (PARTITION BY turtle, name, CASE WHEN name IS NULL THEN day END) AS kept
            FROM encounters WHERE turtle IN ({several(turtles)}) AND (name IS NOT NULL OR day IS NOT NULL))
        WHERE id <> kept"""
    )
    joined = {int(number): int(kept) for number, kept in rows}
    if not joined:
        return
    inside = transaction.rows(f"SELECT id, encounter FROM photos WHERE encounter IN ({several(joined)})")
    _move(transaction, {number: joined[encounter] for number, encounter in inside})
    transaction.journal.remove("encounters", f"id IN ({several(joined)})")


def _move(transaction: Transaction, moves: Mapping[int, int]) -> None:
    """Put photos (keys) into encounters (values); those that are left empty go."""
    if not moves:
        return
    left = transaction.rows(f"SELECT DISTINCT encounter FROM photos WHERE id IN ({several(moves)})")
    transaction.journal.update(
        "photos",
        "map(?::BIGINT[], ?::BIGINT[])[id] AS encounter",
        f"id IN ({several(moves)})",
        list(moves.keys()),
        list(moves.values()),
    )
    emptied = several([row[0] for row in left])
    used = f"SELECT encounter FROM photos WHERE encounter IN ({emptied})"
    transaction.journal.remove("encounters", f"id IN ({emptied}) AND id NOT IN ({used})")
