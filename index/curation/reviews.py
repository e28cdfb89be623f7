"""What people found when they looked at ids under suspicion, so that nobody has to look twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.catalog import Catalog
from index.curation.requirements import turtle_key
from index.errors import InputError


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was looked at and found right, by the ids that the turtles have now.

    Attributes
    ----------
    different : frozenset of frozenset of str
        Pairs of ids that are two turtles.
    single : frozenset of str
        Ids whose photos all show one turtle.
    """

    different: frozenset[frozenset[str]]
    single: frozenset[str]


def dismiss(catalog: Catalog, turtles: Sequence[str], who: str, why: str = "") -> int:
    """Record that two ids are two turtles, or that one id is one turtle; gives the event. Raises UnknownRecord."""
    if len(set(turtles)) != len(turtles) or len(turtles) not in (1, 2):
        raise InputError("Name two turtles that are not the same one, or one turtle whose photos belong together.")
    with catalog.writing("audit"), catalog.transaction("dismiss suspicion", who, why) as transaction:
        first, second = (*sorted(turtle_key(transaction, name) for name in turtles), None)[:2]
        (number,) = transaction.take_ids("review", 1)
        row = {"id": number, "first": first, "second": second, "who": who, "why": why}
        transaction.journal.put("reviews", [{**row, "made_at": transaction.at.isoformat(sep=" ")}])
        return transaction.event


def reviewed(catalog: Catalog) -> Reviewed:
    """Everything that was dismissed and not taken back."""
    with catalog.reading() as session:
        rows = session.rows(
            "SELECT a.id, b.id, r.second IS NULL FROM reviews r JOIN turtles a ON a.key = r.first "
            "LEFT JOIN turtles b ON b.key = r.second"
        )
    return Reviewed(
        frozenset(frozenset((first, second)) for first, second, alone in rows if not alone),
        frozenset(first for first, _, alone in rows if alone),
    )
