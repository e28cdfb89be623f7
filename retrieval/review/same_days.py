"""Ids known by one side only that were seen on the same days: often the two sides of one turtle.

No photo can show it, because left and right carry different patterns; but whoever photographed one side of a turtle
usually went round it. How often two turtles would share so many days by accident is hypergeometric.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from index.types import Photo, Side
from retrieval.review.suspicions import PRIOR_WRONG, Finding, Kind

OPPOSITE = (Side.LEFT, Side.RIGHT)


def one_sided(photos: Sequence[Photo]) -> Iterator[Finding]:
    """Pairs of an id of which only left sides and one of which only right sides are known, with days in common."""
    sides: dict[str, set[Side | None]] = defaultdict(set)
    seen: dict[str, dict[dt.date, Photo]] = defaultdict(dict)
    for photo in photos:
        sides[str(photo.turtle)].add(photo.side)
        if photo.taken_on is not None:
            seen[str(photo.turtle)].setdefault(photo.taken_on, photo)
    lefts, rights = ([name for name in seen if sides[name] == {side}] for side in OPPOSITE)
    every = {day for days in seen.values() for day in days}
    rivals = max(len(lefts), len(rights), 1)
    for left, right in _meeting(lefts, rights, seen):
        days = sorted(seen[left].keys() & seen[right].keys())
        chance = min(1.0, rivals * _by_accident(len(days), len(seen[left]), len(seen[right]), len(every)))
        pair = (seen[left][days[0]], seen[right][days[0]])
        probability = PRIOR_WRONG / (PRIOR_WRONG + (1 - PRIOR_WRONG) * chance)
        yield Finding(Kind.SAME_DAYS, (left, right), (), 0.0, 0, chance, probability, pair, 2, days=tuple(days))


def _meeting(
    lefts: Sequence[str], rights: Sequence[str], seen: Mapping[str, Mapping[dt.date, Photo]]
) -> list[tuple[str, str]]:
    on_day: dict[dt.date, list[str]] = defaultdict(list)
    for right in rights:
        for day in seen[right]:
            on_day[day].append(right)
    return sorted({(left, right) for left in lefts for day in seen[left] for right in on_day.get(day, ())})


def _by_accident(shared: int, first: int, second: int, days: int) -> float:
    """P(two independent choices of so many of all days have at least so many in common)."""
    ways = sum(
        math.comb(first, both) * math.comb(days - first, second - both)
        for both in range(shared, min(first, second) + 1)
        if second - both <= days - first
    )
    return ways / math.comb(days, second)
