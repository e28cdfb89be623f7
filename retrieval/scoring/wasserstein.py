"""Scores of photo pairs: how far a pair's match confidences lie above those of different turtles.

The distribution F of a pair's confidences is compared with the confidence null F0, the same over pairs of different
turtles. The Wasserstein distance ∫|F0−F| is the work that turns one into the other; only work upwards speaks for a
match, so the score is its upper part W⁺ = ∫max(F0−F, 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Float32, Float64, Int64
from retrieval.scoring.confidences import PairConfidences
from retrieval.scoring.score import Score
from retrieval.scoring.serialization import model_record, read_model

_KIND, _VERSION = "confidence null", 1
_NAMES = ("confidence", "weight", "keypoints", "mean", "spread")
_ATOMS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceNull:
    """F0: how confidences are distributed over the keypoints of pairs of different turtles.

    Attributes
    ----------
    confidence : float64 [k]
        Ascending support.
    weight : float64 [k]
        Probability of each support point, in sum 1; finer steps towards the upper tail.
    keypoints : float64 [b]
        Ascending keypoint counts at which the next two are known.
    mean, spread : float64 [b]
        Mean and standard deviation of W⁺ over pairs of different turtles.
    """

    confidence: Float64
    weight: Float64
    keypoints: Float64
    mean: Float64
    spread: Float64

    @classmethod
    def fit(cls, pairs: PairConfidences, first: Int64, second: Int64) -> ConfidenceNull:
        """Fit from pairs of different turtles; every pair of turtles counts equally, whatever its number of photos.

        Parameters
        ----------
        first, second : int64 [pairs]
            Codes of the two turtles of each pair.
        """
        pair_weight = _equal_weights(first, second)
        confidence, weight = _compress(pairs.values, np.repeat(pair_weight / pairs.keypoints, pairs.keypoints))
        none = np.zeros(0)
        score = upper_work(pairs, cls(confidence, weight, none, none, none))
        return cls(confidence, weight, *_moments_by_length(score, pairs.keypoints, pair_weight))

    def survival_scale(self, confidence: npt.NDArray[np.floating]) -> Float64:
        """u = −ln(1−F0(c)), linear between support points and constant beyond the largest, float64 like `confidence`.

        Ties count half (the mid-distribution), so that u stays finite at the largest support point.
        """
        above = np.cumsum(self.weight[::-1])[::-1] - self.weight / 2
        u: Float64 = np.interp(confidence, self.confidence, -np.log(above))
        return u

    def to_record(self) -> dict[str, object]:
        """What `from_record` reads: named arrays under a kind and a version."""
        return model_record(_KIND, _VERSION, {name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | str) -> ConfidenceNull:
        """Read what `to_record` gave, or its JSON text; raises CatalogTooNew or CatalogDamaged."""
        read = read_model(record, _KIND, _VERSION, _NAMES)
        return cls(*(np.asarray(read[name], np.float64) for name in _NAMES))


def score_pairs(pairs: PairConfidences, null: ConfidenceNull, score: Score) -> Float64:
    """Score every pair by one recipe, float64 [pairs]; the match count and the sum do not look at the null."""
    match score:
        case Score.WASSERSTEIN:
            return upper_work(pairs, null)
        case Score.WASSERSTEIN_DISTANCE:
            return upper_work(pairs, null) + lower_work(pairs, null)
        case Score.WASSERSTEIN_NULL_SCALE:
            return upper_work(pairs, null, null.survival_scale)
        case Score.STANDARDISED:
            mean = np.interp(pairs.keypoints, null.keypoints, null.mean)
            return (upper_work(pairs, null) - mean) / np.interp(pairs.keypoints, null.keypoints, null.spread)
        case Score.MATCH_COUNT:
            return pairs.matches().astype(np.float64)
        case Score.CONFIDENCE_SUM:
            return pairs.mean() * pairs.keypoints


def best_first(score: Float64, mean_confidence: Float64) -> Int64:
    """Order of the pairs, best first, int64 [pairs]; equal scores go by mean confidence."""
    return np.lexsort((-mean_confidence, -score)).astype(np.int64)


def upper_work(
    pairs: PairConfidences, null: ConfidenceNull, axis: Callable[[npt.NDArray[np.floating]], Float64] | None = None
) -> Float64:
    """W⁺ of every pair, exact up to rounding, float64 [pairs]: how much confidence must be added to the null.

    Where F lies below F0 its quantile function lies above: W⁺ = ∫max(Q−Q0, 0) over probability. Both are steps, and the
    steps of all pairs with equally many keypoints lie at the same probabilities.

    Parameters
    ----------
    axis : callable or None
        Ascending map of confidences on which work is counted; None is the plain confidence axis.
    """
    return _work(pairs, null, axis, 1.0)


def lower_work(
    pairs: PairConfidences, null: ConfidenceNull, axis: Callable[[npt.NDArray[np.floating]], Float64] | None = None
) -> Float64:
    """The other part, ∫max(F−F0, 0), float64 [pairs]; both parts together are the Wasserstein distance."""
    return _work(pairs, null, axis, -1.0)


def _work(
    pairs: PairConfidences,
    null: ConfidenceNull,
    axis: Callable[[npt.NDArray[np.floating]], Float64] | None,
    direction: float,
) -> Float64:
    work = np.zeros(len(pairs))
    null_values = direction * (null.confidence if axis is None else axis(null.confidence))
    null_ends = np.cumsum(null.weight)
    null_ends /= null_ends[-1]
    for keypoints in np.unique(pairs.keypoints):
        rows = np.flatnonzero(pairs.keypoints == keypoints)
        confidences = pairs.values[pairs.start[rows, None] + np.arange(keypoints)]
        own_ends = np.arange(1, keypoints + 1) / keypoints
        ends = np.sort(np.concatenate((null_ends[:-1], own_ends)))
        step = np.diff(ends, prepend=0.0)
        inside = ends - step / 2
        if direction > 0:  # where all confidences are 0, as most are, nobody lies above the null
            above = inside > 1 - confidences.any(axis=0).sum() / keypoints
            step, inside = step[above], inside[above]
        null_at = null_values[np.searchsorted(null_ends[:-1], inside)]
        own = confidences[:, np.searchsorted(own_ends[:-1], inside)]
        own_at = direction * (own.astype(np.float64) if axis is None else axis(own))
        work[rows] = np.maximum(own_at - null_at, 0.0) @ step
    return work


def _equal_weights(first: Int64, second: Int64) -> Float64:
    """Weight of each photo pair so that every pair of turtles weighs the same, in sum 1."""
    turtles = np.stack((np.minimum(first, second), np.maximum(first, second)))
    _, group, count = np.unique(turtles, axis=1, return_inverse=True, return_counts=True)
    weight = 1.0 / count[group.ravel()]
    return np.asarray(weight / weight.sum())


def _compress(values: Float32, weight: Float64) -> tuple[Float64, Float64]:
    """At most `_ATOMS` support points: cell means of the weighted sample, cells ever smaller towards the upper tail."""
    support, at = np.unique(values, return_inverse=True)
    mass = np.bincount(at.ravel(), weight / weight.sum(), len(support)).astype(np.float64)
    if len(support) <= _ATOMS:
        return support.astype(np.float64), mass
    middle = np.cumsum(mass) - mass / 2
    body = np.linspace(0, 0.9, _ATOMS // 2, endpoint=False)
    tail = 1 - np.geomspace(0.1, min(1 - middle[-1], 0.1) / 2, _ATOMS // 2)
    cell = np.searchsorted(np.concatenate((body, tail)), middle)
    cells, cell = np.unique(cell, return_inverse=True)
    cell_mass = np.bincount(cell, mass, len(cells)).astype(np.float64)
    return np.bincount(cell, mass * support, len(cells)) / cell_mass, cell_mass


def _moments_by_length(score: Float64, keypoints: Int64, weight: Float64) -> tuple[Float64, Float64, Float64]:
    """Weighted mean and spread of W⁺ in up to eight groups of like keypoint counts."""
    inner = np.quantile(keypoints, np.linspace(0, 1, max(1, min(8, len(keypoints) // 50)) + 1)[1:-1])
    group = np.searchsorted(np.unique(inner), keypoints)
    centre, mean, spread = [], [], []
    for members in (group == code for code in np.unique(group)):
        share = weight[members] / weight[members].sum()
        centre.append(share @ keypoints[members])
        mean.append(share @ score[members])
        spread.append(np.sqrt(share @ (score[members] - mean[-1]) ** 2))
    floor = max(float(np.max(spread)) * 1e-3, np.finfo(float).tiny)
    return np.array(centre), np.array(mean), np.maximum(spread, floor)


def no_null() -> ConfidenceNull:
    """The null before any fit: different turtles have no matches at all, so that W⁺ is the mean confidence."""
    some = np.zeros(1)
    return ConfidenceNull(np.zeros(1), np.ones(1), np.ones(1), some, np.ones(1))
