"""Changes to encounters within one transaction: one occasion of two, two of one, and whom unidentified ones show."""

from __future__ import annotations

from collections.abc import Collection

from index.errors import Conflict, InputError, UnknownRecord
from index.naming import checked_id
from index.placing import Placing
from index.registry import Transaction
from index.regrouping import settle_encounters, several
from index.requirements import encounter_turtles, require_photos


def merge_encounters(transaction: Transaction, into: int, others: Collection[int]) -> None:
    """One occasion of several; unidentified ones get the turtle of the others. Raises Conflict, InputError."""
    turtles = encounter_turtles(transaction, [into, *others])
    if len({turtle for turtle in turtles.values() if turtle is not None}) > 1:
        raise Conflict("These encounters belong to different turtles: merge the turtles, or move the photos.")
    if into in others or not others:
        raise InputError("Name one encounter to keep and at least one other to merge into it.")
    journal = transaction.journal
    turtle = next((turtle for turtle in turtles.values() if turtle is not None), None)
    journal.update("encounters", "?::BIGINT AS turtle", "id = ?", turtle, into)
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
    taken = "SELECT 1 FROM encounters WHERE turtle IS NOT DISTINCT FROM ? AND name = ?"
    if transaction.row(taken, turtle, checked_id(name)):
        raise Conflict(f"There is an encounter called {name} already: choose another name.")
    placing = Placing(transaction, [])
    made = placing.encounter(turtle, day, name)
    placing.write()
    transaction.journal.update("photos", "?::BIGINT AS encounter", f"id IN ({several(photos)})", made)


def identify_encounters(transaction: Transaction, encounters: Collection[int], name: str) -> None:
    """Unidentified encounters get the turtle of that id, made when it is new. Raises Conflict."""
    owners = encounter_turtles(transaction, encounters)
    taken = sorted(number for number, owner in owners.items() if owner is not None)
    if taken:
        raise Conflict(f"Encounter {taken[0]} has a turtle already: use `turtleidx photos move` to correct it.")
    placing = Placing(transaction, [name])
    seen = f"SELECT min(species) FROM photos WHERE encounter IN ({several(encounters)})"
    key = placing.turtle(name, transaction.rows(seen)[0][0])
    placing.write()
    transaction.journal.update("encounters", "?::BIGINT AS turtle", f"id IN ({several(encounters)})", key)
    settle_encounters(transaction, [key])
