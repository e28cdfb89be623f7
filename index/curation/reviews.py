"""What people found when they looked at ids under suspicion, so that nobody has to look twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from index.catalog import Catalog
from index.curation.requirements import turtle_key
from index.errors import InputError
from index.registry import PastRows, Session, several


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was looked at and found right, by the ids that the turtles have now.

    A person judged the photos that were there that day: what came later to one of these turtles was not looked at.

    Attributes
    ----------
    different : mapping of frozenset of str to list of frozenset of int
        Pairs of ids that are two turtles, with the photos that each review saw.
    single : mapping of str to list of frozenset of int
        Ids whose photos all showed one turtle, with the photos that each review saw.
    """

    different: Mapping[frozenset[str], Sequence[frozenset[int]]]
    single: Mapping[str, Sequence[frozenset[int]]]

    def seen_together(self, turtles: Collection[str], photos: Collection[int]) -> bool:
        """Whether somebody looked at these very photos and said that the two ids are two turtles."""
        return any(set(photos) <= seen for seen in self.different.get(frozenset(turtles), ()))

    def seen_apart(self, turtle: str, parts: Sequence[Collection[int]]) -> bool:
        """Whether somebody looked at photos of each of these parts of an id and said that it is one turtle."""
        return any(all(seen & set(part) for part in parts) for seen in self.single.get(turtle, ()))


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
            """SELECT r.id, a.key, b.key, a.id, b.id, min(j.event) FROM reviews r
            JOIN turtles a ON a.key = r.first LEFT JOIN turtles b ON b.key = r.second
            JOIN journal j ON j.record = 'reviews' AND j.key = CAST(r.id AS VARCHAR)
            WHERE r.second IS NULL OR b.key IS NOT NULL GROUP BY ALL"""
        )
        seen = _Looking(session, {key for row in rows for key in row[1:3] if key is not None})
    different: dict[frozenset[str], list[frozenset[int]]] = defaultdict(list)
    single: dict[str, list[frozenset[int]]] = defaultdict(list)
    for _, first, second, name, other, event in rows:
        photos = seen.at({first, second} - {None}, event)
        if other is None:
            single[str(name)].append(photos)
        else:
            different[frozenset((str(name), str(other)))].append(photos)
    return Reviewed(dict(different), dict(single))


class _Looking:
    """Which photos turtles had when an event happened."""

    def __init__(self, session: Session, turtles: Collection[int]) -> None:
        now = session.rows(
            f"SELECT p.id FROM photos p JOIN encounters e ON e.id = p.encounter WHERE e.turtle IN ({several(turtles)})"
        )
        self._numbers = [int(number) for (number,) in now]
        self._photos = PastRows(session, "photos", self._numbers)
        self._encounters = PastRows(session, "encounters", self._photos.ever("encounter"))

    def at(self, turtles: Collection[int], event: int) -> frozenset[int]:
        """Numbers of the photos, of those that they have now, that these turtles had right after an event."""
        return frozenset(number for number in self._numbers if self._turtle(number, event) in turtles)

    def _turtle(self, number: int, event: int) -> object:
        photo = self._photos.after(number, event)
        if photo is None or photo["removed"]:
            return None
        return (self._encounters.after(int(photo["encounter"]), event) or {}).get("turtle")
