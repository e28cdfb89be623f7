"""Which photos of a catalogue are learnt from, which turtles decide, and what stands together in a batch."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from index.errors import InputError
from index.types import Float32, Int64, Photo

LEAST = 8
"""Sides of turtles seen on two occasions, below which nothing can be learnt that holds for others."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPhotos:
    """Photos with the codes of what they show, int64 [n] each."""

    photos: tuple[Photo, ...]
    sides: Int64
    turtles: Int64
    occasions: Int64

    @classmethod
    def of(cls, photos: Sequence[Photo]) -> LabelledPhotos:
        """Of photos that are of known turtles."""
        return cls(
            tuple(photos),
            _codes([(photo.turtle, photo.side) for photo in photos]),
            _codes([photo.turtle for photo in photos]),
            _codes([photo.occasion for photo in photos]),
        )

    def __len__(self) -> int:
        return len(self.sides)

    def rows(self, rows: Int64) -> LabelledPhotos:
        """Some of them, coded anew."""
        return LabelledPhotos.of([self.photos[row] for row in rows])

    @property
    def met_again(self) -> int:
        """Sides of turtles that were seen on two occasions or more."""
        pairs = np.unique(np.stack((self.sides, self.occasions)), axis=1)
        return int((np.bincount(pairs[0]) > 1).sum()) if len(self) else 0


def split(photos: LabelledPhotos, held_out: float) -> tuple[LabelledPhotos, LabelledPhotos]:
    """Photos to learn from, and those of other turtles that decide when to stop; the same turtles each time.

    Raises InputError where too few turtles were seen on two occasions for both.
    """
    seed = [hashlib.sha256(str(photo.turtle).encode()).digest()[0] / 256 for photo in photos.photos]
    aside = np.array(seed) < held_out
    learnt, kept = photos.rows(np.flatnonzero(~aside)), photos.rows(np.flatnonzero(aside))
    if learnt.met_again < LEAST or not kept.met_again:
        raise InputError(
            f"Training needs at least {LEAST} turtles that were seen from one side on two occasions, and one more that "
            f"is held out to decide: there are {learnt.met_again} and {kept.met_again}."
        )
    return learnt, kept


def ranks_of(like: Float32, photos: LabelledPhotos) -> Int64:
    """At which place each photo finds another of its turtle and side, int64 [asked], by likeness float32 [n, n].

    Photos of one occasion are not shown to each other. Those without a partner on another occasion ask nothing, but may
    be found. Another turtle that is as alike comes first, so that whoever tells nothing apart finds nobody.
    """
    ranks = []
    for row in range(len(photos)):
        others = photos.occasions != photos.occasions[row]
        right = others & (photos.sides == photos.sides[row])
        if right.any():
            ranks.append(1 + int((like[row][others & ~right] >= like[row][right].max()).sum()))
    return np.array(ranks, np.int64)


def batches(photos: LabelledPhotos, size: int, each: int, rng: np.random.Generator) -> Iterator[Int64]:
    """Rows of the batches of one epoch, int64 [size] each: `each` photos of a side, of as many occasions as there are.

    Sides that were seen once are in the batches too: they tell what other turtles look like.
    """
    by_side: dict[int, list[int]] = defaultdict(list)
    for row, side in enumerate(photos.sides.tolist()):
        by_side[side].append(row)
    order = rng.permutation(list(by_side)).tolist()
    batch: list[int] = []
    for side in order:
        batch += _apart(np.array(by_side[side]), photos.occasions, each, rng)
        if len(batch) >= size:
            yield np.array(batch[:size], np.int64)
            batch = batch[size:]
    if len(batch) > each:
        yield np.array(batch, np.int64)


def _apart(rows: Int64, occasions: Int64, each: int, rng: np.random.Generator) -> list[int]:
    """Some of these rows, one of every occasion before a second of any."""
    shuffled = rng.permutation(rows)
    turn: dict[int, int] = defaultdict(int)
    turns = []
    for row in shuffled:
        turns.append(turn[int(occasions[row])])
        turn[int(occasions[row])] += 1
    return [int(row) for row in shuffled[np.argsort(turns, kind="stable")][:each]]


def _codes(things: Sequence[object]) -> Int64:
    known: dict[object, int] = {}
    return np.array([known.setdefault(thing, len(known)) for thing in things], np.int64)
