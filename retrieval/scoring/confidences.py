"""Match confidences of a pair of photos, as scores take them: sorted, zero where there is no match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.types import MATCH_THRESHOLD, Float32, Float64, Int64, Matches


def pair_confidences(matches: Matches, query: int, candidate: int) -> Float32:
    """Match confidences of the smaller set's keypoints, 0 where a keypoint has no match.

    Several views and experts together may find more matches than that; then the surest are kept.

    Parameters
    ----------
    query, candidate : int
        Keypoint counts of the two photos.

    Returns
    -------
    float32 [min(query, candidate)]
        Ascending.
    """
    confidences = np.zeros(min(query, candidate), np.float32)
    if kept := min(len(matches), len(confidences)):
        confidences[-kept:] = np.sort(matches.confidence)[-kept:]
    return confidences


def count_matches(confidences: Float32) -> int:
    """Keypoint matches that count: those with a confidence of at least `MATCH_THRESHOLD`."""
    return int(np.count_nonzero(confidences >= MATCH_THRESHOLD))


@dataclass(frozen=True, slots=True, eq=False)
class PairConfidences:
    """Sorted confidences of many photo pairs, one after the other.

    Attributes
    ----------
    values : float32 [total]
        In 0..1, ascending within a pair.
    start : int64 [pairs + 1]
        Pair i owns ``values[start[i]:start[i + 1]]``; no pair is empty.
    """

    values: Float32
    start: Int64

    @classmethod
    def of(cls, rows: Sequence[Float32]) -> PairConfidences:
        """Join the results of `pair_confidences`."""
        start = np.concatenate(([0], np.cumsum([len(row) for row in rows], dtype=np.int64)))
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.float32), start)

    def __len__(self) -> int:
        return len(self.start) - 1

    def of_pair(self, pair: int) -> Float32:
        """A pair's confidences, ascending."""
        return self.values[self.start[pair] : self.start[pair + 1]]

    @property
    def keypoints(self) -> Int64:
        """Keypoints of the smaller photo of each pair, int64 [pairs]."""
        return np.diff(self.start)

    def mean(self) -> Float64:
        """Mean confidence of each pair, float64 [pairs]: the tie-breaker between equal scores."""
        if not len(self):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(self.values, self.start[:-1], dtype=np.float64) / self.keypoints)

    def matches(self) -> Int64:
        """Keypoint matches of each pair that count, int64 [pairs], as `count_matches` does."""
        if not len(self):
            return np.zeros(0, np.int64)
        return np.add.reduceat(self.values >= MATCH_THRESHOLD, self.start[:-1], dtype=np.int64)
