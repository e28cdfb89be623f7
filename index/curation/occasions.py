"""Names of encounters that change their turtle.

A name is the turtle's own: two turtles' encounters of one name may be two occasions, and photos that nobody knows the
turtle of may show two turtles. Such encounters are kept apart under names that tell them apart.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from itertools import chain, count

from index.registry import Transaction, several

Days = tuple[dt.date | None, dt.date | None]
"""The first and the last on which photos of an occasion were taken; None where none is dated."""


def names_with_turtle(
    transaction: Transaction, photos: Collection[int], turtle: int, leaving: Collection[int] = ()
) -> dict[int, str]:
    """What the encounters of photos that go to a turtle are called there, by photo; unnamed ones are left out.

    Parameters
    ----------
    leaving : collection of int
        Photos that do not stay where they are, so that no name is taken by them alone.
    """
    days = "min(p.taken_on), max(p.taken_on)"
    mine = f"SELECT e.name, {days} FROM encounters e JOIN photos p ON p.encounter = e.id AND NOT p.removed"
    staying = f"p.id NOT IN ({several(leaving)})"
    owned = transaction.rows(f"{mine} WHERE e.turtle = ? AND e.name IS NOT NULL AND {staying} GROUP BY e.name", turtle)
    held: dict[str, Days] = {name: (first, last) for name, first, last in owned}
    coming = transaction.rows(
        f"SELECT list(p.id), e.name, {days} FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"WHERE p.id IN ({several(photos)}) AND e.name IS NOT NULL AND e.turtle IS DISTINCT FROM ? "
        "GROUP BY e.id, e.name ORDER BY e.id",
        turtle,
    )
    names: dict[int, str] = {}
    for numbers, name, first, last in coming:
        names.update(dict.fromkeys(numbers, fitting(held, name, (first, last))))
    return names


def names_with_nobody(transaction: Transaction, photos: Collection[int]) -> dict[int, str]:
    """What the encounters of photos that lose their turtle are called, by photo; unnamed ones are left out."""
    leaving = transaction.rows(
        "SELECT p.id, e.id, e.name, t.id FROM photos p JOIN encounters e ON e.id = p.encounter "
        f"JOIN turtles t ON t.key = e.turtle WHERE p.id IN ({several(photos)}) AND e.name IS NOT NULL ORDER BY p.id"
    )
    sources = _sources(transaction, {name for _, _, name, _ in leaving})
    return {
        number: next(one for one in _called(name, owner) if sources.setdefault(one, {source}) == {source})
        for number, source, name, owner in leaving
    }


def fitting(held: dict[str, Days], name: str, days: Days) -> str:
    """The name under which an occasion joins those of a turtle (`held`, which it is added to).

    Its own, unless that is taken by an occasion of another time: with more than a day between them. Then it is a part
    of one that came under the name before, if one is of its time, and otherwise gets its first day behind the name.
    """
    called = name
    if name in held and _apart(held[name], days):
        called = next(one for one in _told_apart(held, name, days[0]) if one not in held or _near(held[one], days))
    known = [day for day in (*held.get(called, ()), *days) if day is not None]
    held[called] = (min(known, default=None), max(known, default=None))
    return called


def _told_apart(held: Collection[str], name: str, day: dt.date | None) -> Iterable[str]:
    known = sorted(one for one in held if one.startswith(f"{name} ("))
    return chain(known, (f"{name} ({day})",), (f"{name} ({day}, {number})" for number in count(2)))


def _apart(one: Days, other: Days) -> bool:
    gap = _gap(one, other)
    return gap is not None and gap > dt.timedelta(days=1)


def _near(one: Days, other: Days) -> bool:
    gap = _gap(one, other)
    return gap is not None and gap <= dt.timedelta(days=1)


def _gap(one: Days, other: Days) -> dt.timedelta | None:
    """How far two occasions are from each other, nothing or less where they overlap; None where one has no date."""
    (first, last), (begin, end) = one, other
    if first is None or last is None or begin is None or end is None:
        return None
    return max(begin - last, first - end)


def _called(name: str, turtle: str) -> Iterable[str]:
    return chain((name, f"{name} ({turtle})"), (f"{name} ({turtle}, {number})" for number in count(2)))


def _sources(transaction: Transaction, names: Collection[str]) -> dict[str, set[int | None]]:
    """The encounters from which the photos of unidentified ones came (None: from none), by the names that these have.

    Told of encounters of the given names, and of those with something in brackets behind one.
    """
    rows = transaction.rows(
        """SELECT e.name, p.encounter, list(CAST(json_extract_string(j.before, '$.encounter') AS BIGINT) ORDER BY j.seq)
        FROM encounters e JOIN photos p ON p.encounter = e.id
        LEFT JOIN journal j ON j.record = 'photos' AND j.key = CAST(p.id AS VARCHAR) AND j.before IS NOT NULL
        WHERE e.turtle IS NULL AND EXISTS (
            SELECT 1 FROM (SELECT unnest(?::VARCHAR[]) AS own) WHERE e.name = own OR starts_with(e.name, own || ' ('))
        GROUP BY e.name, p.id, p.encounter""",
        sorted(names),
    )
    sources: dict[str, set[int | None]] = defaultdict(set)
    for name, here, stays in rows:
        sources[name].add(_before(here, stays))
    return sources


def _before(here: int, stays: Iterable[int | None]) -> int | None:
    """Where a photo was before it first came here, of the encounters that it was in by and by."""
    earlier = None
    for stay in stays:
        if stay in (None, here):
            break
        earlier = stay
    return earlier
