"""Two matchers as two witnesses: a network's confidence and the distinctness of nearest neighbours, match by match.

A network sees the arrangement of keypoints and is sure of much, also between turtles that look alike; neighbours see
one descriptor at a time and are sure of little. They err on different photos, so what both say tells more than either.
Neighbours also tell the network how the photos lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.matching.cascade import verified
from retrieval.matching.matcher import Matcher
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.matching.verification import Verification, has_frames

NEIGHBOURS = 0.8
"""Share of the neighbours in a blended confidence; theirs are about four times lower than a network's."""
FAINT = 1e-3
"""Confidence up to which a match is none: networks give every pair of mutual favourites some."""


class BlendedMatcher:
    """A matcher beside nearest neighbours; confidences are weighted means, a match that one does not find counts 0.

    Where the two give a keypoint different counterparts, the more confident match stays.
    """

    def __init__(self, network: Matcher) -> None:
        self._network = network
        self._neighbours = NearestNeighbourMatcher()
        self.id = f"{network.id}+{self._neighbours.id}x{NEIGHBOURS:g}-{FAINT:g}"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`, at most one a keypoint. Raises as the network's matcher."""
        distinct = self._neighbours.match(query, candidates)
        if first_matches is None:
            # keypoints without orientation do not tell how photos lie, so that nobody asks for what geometry says
            first_matches = verified(query, candidates, distinct, Verification()) if has_frames(query) else distinct
        sure = self._network.match(query, candidates, first_matches)
        together = zip(sure, distinct, candidates, strict=True)
        return [blended(one, two, len(query), len(other)) for one, two, other in together]


def blended(sure: Matches, distinct: Matches, query: int, candidate: int) -> Matches:
    """Matches of a network and of nearest neighbours as one set, for photos of so many keypoints."""
    pairs = np.concatenate([sure.pairs, distinct.pairs]).astype(np.int64)
    weight = np.concatenate([(1 - NEIGHBOURS) * sure.confidence, NEIGHBOURS * distinct.confidence])
    places, at = np.unique(pairs[:, 0] * candidate + pairs[:, 1], return_inverse=True)
    confidence = np.bincount(at.reshape(-1), weight, len(places)).astype(np.float32)
    own, other = places // candidate, places % candidate
    kept = confidence > FAINT
    for keypoint, count in ((own, query), (other, candidate)):
        best = np.zeros(count, np.float32)
        np.maximum.at(best, keypoint, confidence)
        kept &= confidence == best[keypoint]
    rows = np.flatnonzero(kept)
    for keypoint in (own, other):  # of equals the first
        _, first = np.unique(keypoint[rows], return_index=True)
        rows = np.sort(rows[first])
    return Matches(np.stack([own[rows], other[rows]], 1).astype(np.int32), confidence[rows])
