"""Decision thresholds with stated error rates: certified by individual where that can be, else modelled and bounded.

A rule that speaks when a statistic is at most τ is wrong on a share of an individual's photos that never falls as τ
rises. *Certified*: with the mean share over n individuals, the largest τ with (n·mean + 1)/(n + 1) ≤ rate keeps the
expected rate for the next individual, whatever the distribution (Angelopoulos et al. 2022; Vovk et al. 2005). The one
that is added stands for an individual that fails on all of its photos; with few individuals it uses the rate up, and
the rule would keep its promise by never speaking. *Modelled*: the largest τ at which the mean share stays within the
rate in most bootstrap samples of the individuals (Efron 1979), and never above what the fitted distributions give, nor,
where a rate is smaller than one individual of them all, above what the tail of the errors' statistics gives; it is
marked "modelled, not certified".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from index.types import Bool, Float64, Int64

CONFIDENCE, OF_KNOWN = 0.8, 0.95
"""Share of the bootstrap samples in which a modelled threshold keeps the rate; the second for the rules of KNOWN.

A turtle that is wrongly called new is found by the next audit, while a photo under a wrong name stays in that turtle's
history and is matched with from then on.
"""
SAMPLES = 200
TAIL, FEWEST = 0.2, 4.0
"""Share and least number of the individuals from whose errors a tail is extrapolated."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Error rates that the verdicts promise, each a share of photos.

    Attributes
    ----------
    false_known : float
        Of photos of uncatalogued turtles: called KNOWN.
    misidentified : float
        Of photos of catalogued turtles: called KNOWN under another turtle's name.
    false_new : float
        Of photos of catalogued turtles: called NEW.
    """

    false_known: float = 0.01
    misidentified: float = 0.01
    false_new: float = 0.05


@dataclass(frozen=True, slots=True)
class Threshold:
    """A statistic at most `value` may speak; up to `certified` the calibration photos alone vouch for the rate.

    Attributes
    ----------
    certified : float
        Never above `value`; -inf where there are too few individuals to certify anything.
    individuals, needed : int
        How many the calibration has, and how many could certify the rate.
    """

    value: float
    certified: float
    individuals: int = 0
    needed: int = 0

    @property
    def lacks(self) -> bool:
        """Whether there are too few individuals to certify anything."""
        return self.individuals < self.needed


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The three rules' thresholds, for the rates of the same names.

    Attributes
    ----------
    stopped_at : int
        Pairs at which the fit stopped before it had asked about every photo that it drew; 0 where it did not.
    """

    false_known: Threshold
    misidentified: Threshold
    false_new: Threshold
    stopped_at: int = 0


def individuals_for(rate: float) -> int:
    """How many individuals could certify a rate, if none of them failed: 1/(n + 1) is at most the rate."""
    return math.ceil(1 / rate - 1e-9) - 1


def threshold_for(
    statistic: Float64, wrong: Bool, individual: Int64, rate: float, model: float, confidence: float = CONFIDENCE
) -> Threshold:
    """The largest threshold that keeps `rate`; nothing speaks where there are no calibration photos.

    Parameters
    ----------
    statistic : float64 [n]
        Of calibration photos, from models fitted without their individuals.
    wrong : bool [n]
        Whether speaking would be an error for this photo.
    individual : int64 [n]
        Every individual weighs the same, whatever the number of its photos.
    model : float
        Threshold that the fitted distributions give for the rate.
    confidence : float
        Share of the bootstrap samples in which a modelled threshold keeps the rate.
    """
    needed = individuals_for(rate)
    if not len(individual):
        return Threshold(-np.inf, -np.inf, 0, needed)
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    individuals = len(count)
    order = np.argsort(statistic, kind="stable")
    ordered, code = statistic[order], code.ravel()[order]
    share = wrong[order] / count[code]
    certified = _largest(ordered, np.cumsum(share), rate * (individuals + 1) - 1)
    drawn = np.random.default_rng(0).multinomial(individuals, np.full(individuals, 1 / individuals), SAMPLES)
    errors = np.flatnonzero(share)  # nothing else changes the sums
    summed = np.cumsum(drawn[:, code[errors]] * share[errors], axis=1)
    bound = _largest(ordered[errors], np.quantile(summed, confidence, axis=0), rate * individuals)
    beyond = _beyond_the_sample(ordered[errors], share[errors], individuals, rate)
    return Threshold(max(certified, min(model, bound, beyond)), certified, individuals, needed)


def _beyond_the_sample(ordered: Float64, share: Float64, individuals: int, rate: float) -> float:
    """Where an exponential tail of the errors' statistics (ascending) reaches a rate that so few individuals hide.

    Scale and beginning are those of the lowest errors that `TAIL` of the individuals make (Weissman 1978; ratios of
    likelihoods are logarithms already). inf where the sample itself reaches the rate, or hardly anybody errs.
    """
    reached, begin = np.cumsum(share), max(TAIL * individuals, FEWEST)
    if rate * (individuals + 1) >= 1 or not len(reached) or reached[-1] <= begin:
        return np.inf
    last = int(np.searchsorted(reached, begin))
    lower = ordered[last] - ordered[:last]
    many = float(reached[last - 1])
    scale = float(share[:last] @ lower) / many
    # the predictive quantile of an exponential tail whose scale `many` individuals tell
    return float(ordered[last] - many * scale * ((rate * individuals / many) ** (-1 / many) - 1))


def _largest(ordered: Float64, reached: Float64, allowed: float) -> float:
    """The largest value below the first of the `ordered` statistics at which the rising `reached` is too much."""
    if allowed < 0:
        return -np.inf
    too_many = np.flatnonzero(reached > allowed + 1e-9)
    return float(np.nextafter(ordered[too_many[0]], -np.inf)) if len(too_many) else np.inf
