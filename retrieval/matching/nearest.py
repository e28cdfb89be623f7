"""The nearest-neighbour matcher with geometric verification: first stage of the cascade, and the baseline forever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.types import Float32, LocalFeatures, Matches
from retrieval.features import rootsift
from retrieval.parallel import on_all_cores


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
        return on_all_cores(lambda candidate: mutual_nearest(own, comparable(candidate)), candidates)


def comparable(features: LocalFeatures) -> Float32:
    """Unit descriptors float32 [n, d]: RootSIFT for SIFT's bytes, normalised otherwise."""
    if features.descriptors.dtype == np.uint8:
        return rootsift(features.descriptors.astype(np.uint8, copy=False))
    values = features.descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), np.float32)


def mutual_nearest(query: Float32, candidate: Float32) -> Matches:
    """Mutual nearest neighbours of unit descriptors float32 [n, d] and [m, d]."""
    if not len(query) or not len(candidate):
        return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    similarity = query @ candidate.T
    forth, most = similarity.argmax(axis=1), similarity.max(axis=0)  # argmax down the columns is many times slower
    rows = np.flatnonzero(similarity[np.arange(len(query)), forth] == most[forth])
    _, first = np.unique(forth[rows], return_index=True)  # of equals, argmax would have taken the first
    rows = rows[np.sort(first)]
    columns = forth[rows]
    best = similarity[rows, columns]
    # both second-best are asked for mutual neighbours only, whose best then stands in neither's way
    similarity[rows, columns] = -1.0
    second = np.maximum(similarity[rows].max(axis=1), similarity.max(axis=0)[columns])
    ratio = _distance(best) / np.maximum(_distance(second), 1e-6)
    confidence = np.clip(1.0 - ratio, 0.0, 1.0).astype(np.float32)
    return Matches(np.stack([rows, columns], axis=1).astype(np.int32), confidence)


def _distance(similarity: Float32) -> Float32:
    return np.asarray(np.sqrt(np.maximum(2.0 - 2.0 * similarity, 0.0)))
