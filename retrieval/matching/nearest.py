"""The nearest-neighbour matcher with geometric verification: first stage of the cascade, and the baseline forever."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from index.types import Float32, LocalFeatures, Matches
from retrieval.features import rootsift
from retrieval.parallel import in_parts, parts_on_all_cores

SIMILARITIES = 1 << 21
"""Similarities that are looked at at once, over several candidates: eight megabytes."""
NOTHING = Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))


class NearestNeighbourMatcher:
    """Mutual nearest neighbours of descriptors; confidence is one minus the distance ratio (Lowe, IJCV 2004).

    A match whose second-best neighbour is as near as its best says nothing and has confidence 0; the larger of the
    ratios in both directions counts, so the confidence does not depend on which photo is the query.
    """

    id = "nearest-1"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], _looks: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; how photos lie does not matter."""
        own = comparable(query)
        return parts_on_all_cores(lambda part: mutual_nearest_of_each(own, [*map(comparable, part)]), candidates)


def comparable(features: LocalFeatures) -> Float32:
    """Unit descriptors float32 [n, d]: RootSIFT for SIFT's bytes, normalised otherwise."""
    if features.descriptors.dtype == np.uint8:
        return rootsift(features.descriptors.astype(np.uint8, copy=False))
    values = features.descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), np.float32)


def mutual_nearest(query: Float32, candidate: Float32) -> Matches:
    """Mutual nearest neighbours of unit descriptors float32 [n, d] and [m, d]."""
    [matches] = mutual_nearest_of_each(query, [candidate])
    return matches


def mutual_nearest_of_each(query: Float32, candidates: Sequence[Float32]) -> list[Matches]:
    """As `mutual_nearest`, with each of several candidates, in order: the same answers at less expense."""
    described = [row for row, one in enumerate(candidates) if len(one) and len(query)]
    found = [NOTHING for _ in candidates]
    if described:
        most = max(1, SIMILARITIES // (len(query) * max(len(candidates[row]) for row in described)))
        for rows in in_parts(described, most):
            for row, matches in zip(rows, _together(query, [candidates[row] for row in rows]), strict=True):
                found[row] = matches
    return found


def _together(query: Float32, candidates: Sequence[Float32]) -> list[Matches]:
    from retrieval.matching.kernels import mutual_neighbours

    starts = np.cumsum([0, *map(len, candidates)])
    similarity = np.empty((starts[-1], len(query)), np.float32)
    for one, (first, last) in zip(candidates, pairwise(starts), strict=True):
        # each a product of its own, so that others do not change how it is rounded
        np.matmul(one, query.T, out=similarity[first:last])
    own, other = (np.empty(len(query) * len(candidates), np.int32) for _ in range(2))
    confidence, ends = np.empty(len(own), np.float32), np.zeros(len(starts), np.int64)
    mutual_neighbours(similarity, starts, own, other, confidence, ends)
    pairs, confidence = np.stack([own[: ends[-1]], other[: ends[-1]]], axis=1), confidence[: ends[-1]].copy()
    return [Matches(pairs[first:last], confidence[first:last]) for first, last in pairwise(ends)]
