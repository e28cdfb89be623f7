"""A small network as a matcher: each pair by itself, on one thread, several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from index.types import Int32, LocalFeatures, Matches
from retrieval.matching.cascade import first_stage
from retrieval.matching.lightglue.config import matcher_id, require_descriptors
from retrieval.matching.lightglue.rotation import rotations
from retrieval.matching.lightglue.small.network import SmallNetwork, Tokens
from retrieval.matching.lightglue.small.room import Room
from retrieval.matching.verification import has_frames
from retrieval.parallel import on_all_cores


class SmallMatcher:
    """A `SmallNetwork` as a matcher, under the id that `LightGlueMatcher` gives the same weights.

    A pair gets the same bits whatever else is asked, and on any number of cores.

    Parameters
    ----------
    network : SmallNetwork
    weights : str
        Names the weights: their name and the beginning of their hash.
    """

    def __init__(self, network: SmallNetwork, weights: str) -> None:
        self.network = network
        self.id = matcher_id(weights, network.config)
        self._free: list[Room] = []

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`.

        Raises
        ------
        InputError
            The network was trained for other descriptors.
        """
        require_descriptors(query, self.id, self.network.config)
        if not len(query) or not len(candidates):
            return [_nothing() for _ in candidates]
        lying = self._rotations(query, candidates, first_matches)
        turns, way_of = np.unique(np.maximum(lying, 0), return_inverse=True)
        # what the query does before it first looks at a candidate, once for each way in which it is turned
        ways = on_all_cores(lambda eighths: self._tokens(query, eighths), turns.tolist())

        def match(row: int) -> Matches:
            if not len(candidates[row]):
                return _nothing()
            with self._room() as room:
                other = self.network.tokens(candidates[row], -min(int(lying[row]), 0), room)
                return self.network.match(ways[way_of[row]], other, room)

        return on_all_cores(match, range(len(candidates)))

    def _rotations(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None
    ) -> Int32:
        if not has_frames(query):
            return np.zeros(len(candidates), np.int32)
        return rotations(query, candidates, first_stage(query, candidates) if first_matches is None else first_matches)

    def _tokens(self, photo: LocalFeatures, eighths: int) -> Tokens:
        with self._room() as room:
            return self.network.tokens(photo, eighths, room)

    @contextmanager
    def _room(self) -> Iterator[Room]:
        """Memory that no other thread writes into meanwhile."""
        try:
            room = self._free.pop()
        except IndexError:
            room = Room()
        try:
            yield room
        finally:
            self._free.append(room)


def _nothing() -> Matches:
    return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
