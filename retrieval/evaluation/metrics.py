"""Figures of closed-set and open-set identification.

Known samples belong to catalogued turtles, unknown ones do not. BAKS and BAUS are the balanced accuracies on known and
on unknown samples and their geometric mean is the figure of merit of the wildlife re-identification literature
(WildlifeDatasets, Čermák et al. 2024; AnimalCLEF 2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from index.types import Bool, Float64, Int64


def cumulative_match(rank: Int64, longest: int) -> Float64:
    """Cumulative match characteristic: share of queries whose true turtle stands at place 1, 2, ... `longest`.

    Parameters
    ----------
    rank : int64 [n]
        Place of the true turtle from 1; 0 where it is not in the list.

    Returns
    -------
    float64 [longest]
        Its first element is top-1, its fifth top-5.
    """
    places = np.arange(1, longest + 1)
    return np.asarray(((rank[:, None] > 0) & (rank[:, None] <= places)).mean(axis=0))


def mean_average_precision(rank: Int64) -> float:
    """mAP over ranked turtles, of which one is right: the mean of 1/rank, 0 where it is not in the list."""
    return float(np.where(rank > 0, 1.0 / np.maximum(rank, 1), 0.0).mean())


def auroc(score: Float64, positive: Bool) -> float:
    """Chance that a positive scores above a negative, ties counted half; NaN without both kinds."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def balanced_share(hit: Bool, individual: Int64) -> float:
    """Mean over individuals of their share of hits; NaN without rows."""
    if not len(hit):
        return float("nan")
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    return float((np.bincount(code.ravel(), hit) / count).mean())


@dataclass(frozen=True, slots=True)
class OpenSetAccuracy:
    """Balanced accuracy on known (BAKS) and on unknown samples (BAUS).

    Attributes
    ----------
    known : float
        Mean over catalogued turtles of the share of their photos named rightly; a photo that is rejected is wrong.
    unknown : float
        Mean over uncatalogued turtles of the share of their photos called new.
    """

    known: float
    unknown: float

    @property
    def geometric_mean(self) -> float:
        """√(BAKS·BAUS)."""
        return float(np.sqrt(self.known * self.unknown))


def open_set_accuracy(individual: Int64, new: Bool, called: Int64) -> OpenSetAccuracy:
    """BAKS and BAUS.

    Parameters
    ----------
    individual : int64 [n]
        Code of each photo's true turtle.
    new : bool [n]
        Whether that turtle is uncatalogued.
    called : int64 [n]
        Code of the turtle that the photo was given, -1 for new, -2 for no answer.
    """
    return OpenSetAccuracy(
        balanced_share((called == individual)[~new], individual[~new]),
        balanced_share((called == -1)[new], individual[new]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Said against seen probabilities, in bins of equally many samples.

    Attributes
    ----------
    said, seen : float64 [b]
        Mean probability and share of events.
    count : int64 [b]
    error : float
        Expected calibration error: mean of |said − seen| over samples.
    error_if_calibrated : float
        95 % quantile of that error if every event happened with the probability that was said.
    """

    said: Float64
    seen: Float64
    count: Int64
    error: float
    error_if_calibrated: float


def reliability(p: Float64, event: Bool, bins: int = 10, seed: int = 0, simulated: int = 1000) -> Reliability:
    """Reliability bins, expected calibration error, and how large a perfect model's would be; NaN without rows."""
    if not len(p):
        none = np.zeros(0)
        return Reliability(none, none, np.zeros(0, np.int64), float("nan"), float("nan"))
    order = np.argsort(p, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    count = np.array([len(group) for group in groups], np.int64)
    start = np.concatenate(([0], np.cumsum(count)[:-1]))
    ordered = p[order]
    said = np.add.reduceat(ordered, start) / count
    drawn = np.random.default_rng(seed).random((simulated, len(p))) < ordered
    outcomes = np.concatenate((event[order][None], drawn))
    seen = np.add.reduceat(outcomes, start, axis=1, dtype=np.float64) / count
    error = np.abs(seen - said) @ count / len(p)
    return Reliability(said, seen[0], count, float(error[0]), float(np.quantile(error[1:], 0.95)))


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A realised error rate against its promise.

    Attributes
    ----------
    rate : float
        Mean over individuals of their share of wrong photos.
    low, high : float
        One-sided 95 % bounds (Clopper-Pearson with the effective number of photos).
    effective : float
        Independent photos that would leave as much doubt: photos of one turtle tend to fail together.
    promised : float
    """

    rate: float
    low: float
    high: float
    effective: float
    promised: float

    @property
    def contradicts(self) -> bool:
        """Whether the promise is broken beyond chance."""
        return self.low > self.promised


def error_rate(wrong: Bool, individual: Int64, promised: float) -> ErrorRate:
    """The rate and its one-sided 95 % Clopper-Pearson bounds, by individual (Korn and Graubard 1998).

    The effective number of photos is that at which a plain binomial would vary as the individuals' shares do, never
    less than the number of individuals and never more than the number of photos. NaN rates without rows.
    """
    if not len(wrong):
        return ErrorRate(float("nan"), 0.0, 1.0, 0.0, promised)
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    share = np.bincount(code.ravel(), wrong) / count
    rate, clusters = float(share.mean()), len(count)
    variance = float(share.var(ddof=1)) / clusters if clusters > 1 else 0.0
    wanted = rate * (1 - rate) / variance if variance > 0 else float(clusters)
    effective = float(np.clip(wanted, clusters, len(wrong)))
    return ErrorRate(rate, *_clopper_pearson(rate * effective, effective), effective, promised)


def _clopper_pearson(events: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    low = float(betaincinv(events, trials - events + 1, 1 - confidence)) if events > 0 else 0.0
    high = float(betaincinv(events + 1, trials - events, confidence)) if events < trials else 1.0
    return low, high
