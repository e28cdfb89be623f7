"""In which order groups are worth a person's time: what an answer tells, for each second that it takes.

Pure functions of what is known about the groups; nothing here reads a catalogue.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.novelty import Verdict

KNOWN, NEW = "KNOWN", "NEW"
"""Verdicts by name: what computes them takes seconds to import."""


class Pile(StrEnum):
    """What kind of look a group needs."""

    CONTESTED = "contested"
    UNDECIDED = "undecided"
    PROBABLY_NEW = "probably new"
    KNOWN = "known"
    DISPUTED = "disputed"


class Order(StrEnum):
    """Orders that a person may choose."""

    WORTH = "worth"
    DATE = "date"
    SITE = "site"
    FILE = "file"
    OLDEST = "oldest"


SECONDS = {Pile.CONTESTED: 25.0, Pile.UNDECIDED: 15.0, Pile.PROBABLY_NEW: 12.0, Pile.KNOWN: 3.0, Pile.DISPUTED: 30.0}
"""What a look takes until answers of this catalogue say otherwise."""

LIKELY_NEW = 0.9
NEAR = 0.5
"""The second candidate is near-equal from this share of the first's probability on."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A group that waits for an answer.

    Attributes
    ----------
    key : int
        Its first encounter.
    probabilities : tuple of float
        Of its candidates, best first; empty without a fitted model.
    sides_disagree : bool
        Whether its left and right photos point at different turtles.
    limits : bool
        Whether it is so hard that an answer would move the threshold for NEW.
    look : tuple of str
        The candidates' ids, best first: those of look-alikes are alike.
    """

    key: int
    verdict: Verdict
    p_new: float | None
    photos: int
    probabilities: tuple[float, ...] = ()
    sides_disagree: bool = False
    limits: bool = False
    disputed: bool = False
    look: tuple[str, ...] = ()
    day: dt.date | None = None
    site: str | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """Median seconds of a look, by pile."""

    seconds: dict[Pile, float] = field(default_factory=lambda: dict(SECONDS))


def entropy(p: float | None) -> float:
    """Bits that an answer tells about new or not; a whole one where nothing is known."""
    if p is None:
        return 1.0
    return sum(-q * math.log2(q) for q in (p, 1 - p) if q > 0)


def pile_of(one: Waiting) -> Pile:
    """What kind of look a group needs."""
    if one.disputed:
        return Pile.DISPUTED
    if one.sides_disagree or _near_equal(one.probabilities):
        return Pile.CONTESTED
    if one.verdict == KNOWN:
        return Pile.KNOWN
    if one.verdict == NEW or (one.p_new is not None and one.p_new > LIKELY_NEW):
        return Pile.PROBABLY_NEW
    return Pile.UNDECIDED


def worth(one: Waiting, pace: Pace) -> float:
    """Bits a second: what an answer tells about all of the group's photos, and about ids that may be one turtle."""
    pile = pile_of(one)
    bits = entropy(one.p_new) * max(1, one.photos)
    if pile is Pile.CONTESTED:
        bits += 2.0 * max(1, one.photos)  # may also reveal that two ids are one turtle
    if one.limits:
        bits *= 1.5
    return bits / max(pace.seconds.get(pile, SECONDS[pile]), 0.1)


_FIRST = {Pile.DISPUTED: 0, Pile.CONTESTED: 1, Pile.UNDECIDED: 2, Pile.PROBABLY_NEW: 3, Pile.KNOWN: 4}


def ranked(groups: Iterable[Waiting], order: Order = Order.WORTH, pace: Pace | None = None) -> list[Waiting]:
    """Every group once, what is most worth a look first; the same groups always come in the same order."""
    pace = pace or Pace()
    everyone = sorted(groups, key=lambda one: one.key)
    if order is not Order.WORTH:
        return sorted(everyone, key=lambda one: (*_by(one, order), one.key))
    likely_new = [one for one in everyone if pile_of(one) is Pile.PROBABLY_NEW]
    rest = [one for one in everyone if pile_of(one) is not Pile.PROBABLY_NEW]
    rest.sort(key=lambda one: (_FIRST[pile_of(one)], -worth(one, pace), one.key))
    cut = next((n for n, one in enumerate(rest) if pile_of(one) is Pile.KNOWN), len(rest))
    return [*rest[:cut], *_alike_together(likely_new), *rest[cut:]]


def reranked(shown: Sequence[int], fresh: Sequence[Waiting]) -> list[Waiting]:
    """The fresh order, but what is on the screen stays where it was: at the front."""
    there = {one.key: one for one in fresh}
    kept = [there[key] for key in shown if key in there]
    return [*kept, *(one for one in fresh if one.key not in set(shown))]


def later_last(groups: Sequence[Waiting], later: Collection[int]) -> list[Waiting]:
    """What somebody put off comes at the end, in its order."""
    return [*(one for one in groups if one.key not in later), *(one for one in groups if one.key in later)]


def _near_equal(probabilities: Sequence[float]) -> bool:
    if len(probabilities) < 2:
        return False
    first, second = sorted(probabilities, reverse=True)[:2]
    return first > 0.05 and second >= NEAR * first


def _alike_together(groups: Sequence[Waiting]) -> list[Waiting]:
    """Look-alikes of one new turtle follow each other: those whose candidates are the same stand together."""
    left, placed = list(groups), []
    while left:
        at = left.pop(0)
        placed.append(at)
        left.sort(key=lambda one: (-_likeness(at, one), one.key))
    return placed


def _likeness(one: Waiting, other: Waiting) -> float:
    shared = set(one.look[:5]) & set(other.look[:5])
    return len(shared) / 5


def _by(one: Waiting, order: Order) -> tuple[object, ...]:
    undated = dt.date.max
    if order is Order.SITE:
        return (one.site is None, one.site or "", one.day or undated)
    if order is Order.FILE:
        return (one.file,)
    if order is Order.DATE:
        return (one.day is None, -(one.day or undated).toordinal())
    return (one.day or undated,)
