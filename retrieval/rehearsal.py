"""The searches that a catalogue can make of its own photos, to learn how right and wrong turtles score.

Every queried photo is searched twice through the same shortlist as a real query: with its own turtle removed, in
nested random sub-galleries (impostor maxima), and with only its own encounter removed (genuine scores). Photos of one
encounter are never evidence of each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from index.types import Float32, Int64, Photo, Side
from retrieval.instruments import Instruments

SMALLEST_GALLERY = 5
"""Turtles of the smallest sub-gallery."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One search of one catalogue photo, as rows of the fit's photo table.

    Attributes
    ----------
    query : int
    gallery : int
        Turtles in it.
    shortlist : int64 [k]
        Photos that the search matches.
    own : int
        Photos of the query's turtle in the gallery; 0 with the turtle removed.
    """

    query: int
    gallery: int
    shortlist: Int64
    own: int


class Rehearsal:
    """Identified photos as columns, and which of them a search would shortlist.

    Parameters
    ----------
    similar : callable
        From a photo's row to the similarity of all photos' global descriptors to its own, float32 [n].
    visitors : int
        So many of the last photos are asked about, but in no gallery.
    """

    def __init__(
        self, photos: Sequence[Photo], similar: Callable[[int], Float32], instruments: Instruments, visitors: int = 0
    ) -> None:
        self.photos = photos
        self.gallery_photos = len(photos) - visitors
        self.in_gallery = np.arange(len(photos)) < self.gallery_photos
        codes = {name: code for code, name in enumerate(sorted({str(photo.turtle) for photo in photos}))}
        self.turtle = np.array([codes[str(photo.turtle)] for photo in photos], np.int64)
        self.encounter = np.array([photo.encounter for photo in photos], np.int64)
        sides = [None, *Side]
        self.side_code = np.array([sides.index(photo.side) for photo in photos], np.int64)
        self.turtles = len(codes)
        self.similar = similar
        self.instruments = instruments

    def photos_by_turtle_and_side(self) -> Int64:
        """How many photos each turtle has in each gallery that it is in, int64."""
        _, count = np.unique(np.stack((self.turtle, self.side_code))[:, self.in_gallery], axis=1, return_counts=True)
        return count.astype(np.int64)

    def plan(self, budget: int, rng: np.random.Generator) -> list[Trial]:
        """Trials of photos drawn turtle by turtle, until their pairs use up the budget."""
        trials: list[Trial] = []
        pairs: set[tuple[int, int]] = set()
        for query in self._turtle_by_turtle(rng):
            planned = self._trials(query, rng)
            pairs |= {ordered_pair(query, int(row)) for trial in planned for row in trial.shortlist}
            if len(pairs) > budget and trials:
                break
            trials += planned
        return trials

    def _turtle_by_turtle(self, rng: np.random.Generator) -> Iterator[int]:
        order = rng.permutation(len(self.photos))
        turn: defaultdict[int, int] = defaultdict(int)
        turns = np.zeros(len(order), np.int64)
        for row in order:
            turns[row] = turn[int(self.turtle[row])]
            turn[int(self.turtle[row])] += 1
        yield from (int(row) for row in sorted(order, key=lambda row: turns[row]))

    def _trials(self, query: int, rng: np.random.Generator) -> list[Trial]:
        same_side = np.flatnonzero((self.side_code == self.side_code[query]) & self.in_gallery)
        others = same_side[self.turtle[same_side] != self.turtle[query]]
        own = same_side[
            (self.turtle[same_side] == self.turtle[query]) & (self.encounter[same_side] != self.encounter[query])
        ]
        strangers = rng.permutation(np.unique(self.turtle[others]))
        similar = self.similar(query)
        ranked = others[np.argsort(-similar[others], kind="stable")]
        trials = []
        size = len(strangers)
        while size >= min(SMALLEST_GALLERY, len(strangers)) and size:
            among = ranked[np.isin(self.turtle[ranked], strangers[:size])]
            trials.append(Trial(query, size, self.shortlisted(among), 0))
            size //= 2
        if len(own):
            everyone = np.concatenate((others, own))
            near = everyone[np.argsort(-similar[everyone], kind="stable")]
            trials.append(Trial(query, len(strangers) + 1, self.shortlisted(near), len(own)))
        return trials

    def shortlisted(self, ranked: Int64) -> Int64:
        """The first rows of `ranked` (int64, nearest first) that a search would match: at most so many of a turtle."""
        seen: defaultdict[int, int] = defaultdict(int)
        kept: list[int] = []
        for row in ranked:
            seen[int(self.turtle[row])] += 1
            if seen[int(self.turtle[row])] <= self.instruments.per_turtle:
                kept.append(int(row))
            if len(kept) == self.instruments.shortlist:
                break
        return np.array(kept, np.int64)


def ordered_pair(first: int, second: int) -> tuple[int, int]:
    """The pair in the order under which it is known."""
    return (first, second) if first < second else (second, first)
