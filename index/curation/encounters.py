"""Photos that change turtle or day, and the encounters that follow them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from index.curation.occasions import Days, fitting, names_with_nobody, names_with_turtle
from index.curation.requirements import encounter_turtles, require_photos
from index.errors import Conflict, InputError, UnknownRecord
from index.naming import checked_id
from index.registry import Placement, Transaction, several


def place_with(transaction: Transaction, photos: Collection[int], turtle: str | None) -> None:
    """Give photos to a turtle (None: to nobody); named encounters keep their names unless another has them there."""
    rows = transaction.rows(
        "SELECT p.id, p.taken_on, e.turtle FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"WHERE p.id IN ({several(photos)}) ORDER BY p.id"
    )
    if turtle is None:
        key, names = None, names_with_nobody(transaction, photos)
        placing = Placement(transaction, [], set(names.values()))
    else:
        placing = Placement(transaction, [turtle])
        key = placing.turtle(turtle)
        names = names_with_turtle(transaction, photos, key)
    moves = {number: placing.encounter(key, day, names.get(number)) for number, day, owner in rows if owner != key}
    placing.write()
    _move(transaction, moves)


def place_by_day(transaction: Transaction, photos: Collection[int]) -> None:
    """Put photos whose date changed into the encounter of their day, unless theirs is named."""
    rows = transaction.rows(
        "SELECT p.id, p.taken_on, e.id, e.turtle FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"WHERE p.id IN ({several(photos)}) AND e.name IS NULL AND e.day IS DISTINCT FROM p.taken_on ORDER BY p.id"
    )
    placing = Placement(transaction, [], turtle_keys={row[3] for row in rows if row[3] is not None})
    moves = {number: placing.encounter(turtle, day, None) for number, day, _, turtle in rows if turtle is not None}
    placing.write()
    _move(transaction, moves)
    of_nobody = {int(encounter) for _, _, encounter, turtle in rows if turtle is None}
    for encounter, day in transaction.rows(
        "SELECT encounter, min(taken_on) FROM photos "
        f"WHERE encounter IN ({several(of_nobody)}) AND NOT removed GROUP BY encounter ORDER BY encounter"
    ):
        transaction.journal.update("encounters", "?::DATE AS day", "id = ?", day, encounter)


def settle_encounters(transaction: Transaction, turtles: Collection[int]) -> None:
    """Join the encounters of turtles that the one-day rule, or their name, makes one.

    One name with more than a day between is two occasions: the second gets its day behind it.
    """
    rows = transaction.rows(
        f"""WITH met AS (
            SELECT e.id, e.turtle, coalesce(min(p.taken_on), e.day) AS day
            FROM encounters e LEFT JOIN photos p ON p.encounter = e.id AND NOT p.removed
            WHERE e.turtle IN ({several(turtles)}) AND e.name IS NULL GROUP BY e.id, e.turtle, e.day)
        SELECT id, kept FROM (
            SELECT id, min(id) OVER (PARTITION BY turtle, day) AS kept FROM met WHERE day IS NOT NULL)
        WHERE id <> kept"""
    )
    joined = {int(number): int(kept) for number, kept in rows}
    named = transaction.rows(
        "SELECT e.id, e.turtle, e.name, min(p.taken_on), max(p.taken_on) FROM encounters e "
        "LEFT JOIN photos p ON p.encounter = e.id AND NOT p.removed "
        f"WHERE e.turtle IN ({several(turtles)}) AND e.name IS NOT NULL GROUP BY e.id, e.turtle, e.name ORDER BY e.id"
    )
    held: dict[int, dict[str, Days]] = defaultdict(dict)
    kept: dict[tuple[int, str], int] = {}
    renamed: dict[int, str] = {}
    for number, turtle, name, first, last in named:
        called = fitting(held[turtle], name, (first, last))
        if kept.setdefault((turtle, called), number) != number:
            joined[number] = kept[turtle, called]
        elif called != name:
            renamed[number] = called
    _rename(transaction, renamed)
    _join(transaction, joined)


def _rename(transaction: Transaction, names: Mapping[int, str]) -> None:
    if names:
        transaction.journal.update(
            "encounters",
            "map(?::BIGINT[], ?::VARCHAR[])[id] AS name",
            f"id IN ({several(names)})",
            list(names.keys()),
            list(names.values()),
        )


def _join(transaction: Transaction, joined: Mapping[int, int]) -> None:
    """Photos of encounters (keys) go into others (values), and the encounters go."""
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


def merge_encounters(transaction: Transaction, into: int, others: Collection[int]) -> None:
    """One occasion of several; unidentified ones get the turtle of the others. Raises Conflict, InputError."""
    turtles = encounter_turtles(transaction, [into, *others])
    if len({turtle for turtle in turtles.values() if turtle is not None}) > 1:
        raise Conflict("These encounters belong to different turtles: merge the turtles, or move the photos.")
    if into in others or not others:
        raise InputError("Name one encounter to keep and at least one other to merge into it.")
    journal = transaction.journal
    turtle = next((turtle for turtle in turtles.values() if turtle is not None), None)
    day = f"coalesce(day, (SELECT min(day) FROM encounters WHERE id IN ({several(others)})))"
    journal.update("encounters", f"?::BIGINT AS turtle, {day} AS day", "id = ?", turtle, into)
    journal.update("photos", "?::BIGINT AS encounter", f"encounter IN ({several(others)})", into)
    journal.remove("encounters", f"id IN ({several(others)})")
    settle_encounters(transaction, [] if turtle is None else [turtle])


def split_encounter(transaction: Transaction, encounter: int, photos: Collection[int], name: str) -> None:
    """Some photos become an encounter of that name. Raises UnknownRecord, InputError, Conflict."""
    turtle = encounter_turtles(transaction, [encounter])[encounter]
    require_photos(transaction, photos)
    inside = {row[0] for row in transaction.rows("SELECT id FROM photos WHERE encounter = ?", encounter)}
    if set(photos) - inside:
        raise UnknownRecord(f"Photo {min(set(photos) - inside)} does not belong to encounter {encounter}.")
    if set(photos) == inside:
        raise InputError(f"That is every photo of encounter {encounter}: nothing would be left of it.")
    day = transaction.rows("SELECT day FROM encounters WHERE id = ?", encounter)[0][0]
    taken = "SELECT 1 FROM encounters WHERE turtle IS NOT DISTINCT FROM ? AND nfc_normalize(name) = ?"
    if transaction.row(taken, turtle, checked_id(name)):
        raise Conflict(f"There is an encounter called {name} already: choose another name.")
    placing = Placement(transaction, [])
    made = placing.encounter(turtle, day, name)
    placing.write()
    transaction.journal.update("photos", "?::BIGINT AS encounter", f"id IN ({several(photos)})", made)


def identify_encounters(transaction: Transaction, encounters: Collection[int], name: str) -> None:
    """Unidentified encounters get the turtle of that id, made when it is new. Raises Conflict."""
    owners = encounter_turtles(transaction, encounters)
    taken = sorted(number for number, owner in owners.items() if owner is not None)
    if taken:
        raise Conflict(f"Encounter {taken[0]} has a turtle already: use `turtleidx photos move` to correct it.")
    placing = Placement(transaction, [name])
    seen = f"SELECT min(species) FROM photos WHERE encounter IN ({several(encounters)})"
    key = placing.turtle(name, transaction.rows(seen)[0][0])
    placing.write()
    transaction.journal.update("encounters", "?::BIGINT AS turtle", f"id IN ({several(encounters)})", key)
    settle_encounters(transaction, [key])
