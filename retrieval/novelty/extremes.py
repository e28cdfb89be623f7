"""The distribution of the best of many scores, and how it grows with their number.

Impostor maxima grow with the turtles in the gallery, genuine scores with the photos of the turtle. The best of n
independent scores has the distribution H^n. Scores that share a query are dependent, so

    P(best ≤ s | n) = (1 + θ·(n/n0)^γ·Λ(s))^(−1/θ),    0 ≤ γ ≤ 1, θ ≥ 0.

θ is the variance of a gamma frailty: a photo that resembles everything raises all of its scores together. Far out in
the tail it changes nothing, where rare coincidences are independent. θ = 0 gives H^((n/n0)^γ) with H = exp(−Λ).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.types import Float64, Int64
from retrieval.novelty.pareto import ParetoTail

if TYPE_CHECKING:  # scipy takes half a second to import
    from scipy.interpolate import PchipInterpolator


_KNOTS = 14
_MAX_FRAILTY = 5.0


@dataclass(frozen=True, slots=True)
class Growth:
    """γ and θ of the module's formula, and how well they foretell the largest number when it is left out of the fit.

    Attributes
    ----------
    held_out : float or None
        Size that was left out and foretold; None where there were fewer than three sizes.
    held_out_distance : float
        Largest distance between foretold and observed distribution at that size, 0 to 1.
    """

    exponent: float
    frailty: float
    held_out: float | None = None
    held_out_distance: float = 0.0

    @classmethod
    def fit(cls, sample: Sample, start: Growth | None = None, frail: bool = True) -> Growth:
        """Fit γ (and θ if `frail`): every size's empirical distribution is foretold from every other size's.

        One size alone says nothing about growth: then γ = 1 and θ = 0, which is independence.
        """
        curves = _curves(sample)
        if len(curves.number) < 2:
            return Growth(1.0 if frail else 0.0, 0.0)
        fitted = _minimise(curves, start, frail)
        if start is not None or len(curves.number) < 3:
            return fitted
        largest = len(curves.number) - 1
        without = _minimise(_Curves(curves.number[:-1], curves.cdf[:-1], curves.count[:-1]), fitted, frail)
        foretold = _foretell(curves.cdf[largest - 1], curves.number[largest] / curves.number[largest - 1], without)
        distance = float(np.abs(foretold - curves.cdf[largest]).max())
        return replace(fitted, held_out=float(curves.number[largest]), held_out_distance=distance)


@dataclass(frozen=True)
class MaximumDistribution:
    """Fitted distribution of the best of n scores: empirical body, generalised Pareto upper tail, growth.

    Attributes
    ----------
    reference : float
        n0, the number at which body and tail were fitted.
    knots, rarity : float64 [k]
        Ascending scores of the body and −ln Λ there.
    """

    reference: float
    knots: Float64
    rarity: Float64
    tail: ParetoTail
    growth: Growth

    @classmethod
    def fit(
        cls,
        sample: Sample,
        growth: Growth,
        reference: float,
        seed: int | None,
        level: float = 0.0,
        finest: float = 1e-9,
    ) -> MaximumDistribution:
        """Fit body and tail at `reference` from all rows of the sample, each brought there by `growth`.

        Parameters
        ----------
        seed : int or None
            Draws the tail's goodness of fit and chooses its threshold; None takes the threshold at `level`.
        finest : float
            The tail's scale is at least this.
        """
        factor = (sample.number / reference) ** growth.exponent
        order = np.argsort(sample.score, kind="stable")
        score, weight = sample.score[order], sample.weight[order]
        at_risk = np.cumsum(weight * factor[order])
        steps = weight / at_risk
        work = np.cumsum(steps[::-1])[::-1] - steps / 2
        cdf = np.exp(-work)
        at_reference = np.maximum(np.diff(cdf, prepend=0.0), 1e-12)
        individual = sample.individual[order]
        tail = (
            ParetoTail.fit_above(score, at_reference, level, finest)
            if seed is None
            else ParetoTail.fit(score, at_reference, individual, seed, finest)
        )
        knots, rarity = _body_knots(score, cdf, tail, growth.frailty)
        return MaximumDistribution(reference, knots, rarity, tail, growth)

    @cached_property
    def _body(self) -> PchipInterpolator:
        from scipy.interpolate import PchipInterpolator

        return PchipInterpolator(self.knots, self.rarity)

    @cached_property
    def _lower_slope(self) -> float:
        return float(max(self._body(self.knots[0], 1), (self.rarity[-1] - self.rarity[0]) / np.ptp(self.knots) / 10))

    def rarity_of(self, score: npt.ArrayLike) -> Float64:
        """−ln Λ at the reference number, ascending, float64 like `score`; the Gumbel scale of the maximum."""
        s = np.asarray(score, np.float64)
        body = self._body(np.clip(s, self.knots[0], self.knots[-1]))
        below = np.minimum(s - self.knots[0], 0.0) * self._lower_slope
        above = self._tail_rarity(s) - self._tail_rarity(np.asarray(self.knots[-1]))
        return np.asarray(body + below + np.where(s > self.knots[-1], above, 0.0))

    def log_slope_of(self, score: npt.ArrayLike) -> Float64:
        """Log of the derivative of `rarity_of`, float64 like `score`."""
        s = np.asarray(score, np.float64)
        body = np.maximum(self._body(np.clip(s, self.knots[0], self.knots[-1]), 1), self._lower_slope / 100)
        slope = np.where(s < self.knots[0], self._lower_slope, body)
        return np.asarray(np.log(np.where(s > self.knots[-1], self._tail_slope(s), slope)))

    def _tail_rarity(self, score: Float64) -> Float64:
        return -_log_work_of_survival(self.tail.log_survival(score), self.growth.frailty)

    def _tail_slope(self, score: Float64) -> Float64:
        log_survival = self.tail.log_survival(score)
        theta = self.growth.frailty
        steeper = log_survival - (1 + theta) * np.log1p(-np.exp(log_survival))
        return np.asarray(self.tail.hazard(score) * np.exp(steeper - _log_work_of_survival(log_survival, theta)))

    def log_work(self, score: npt.ArrayLike, number: npt.ArrayLike) -> Float64:
        """ln((n/n0)^γ Λ(s)), float64, broadcast over both arguments."""
        grown = self.growth.exponent * np.log(np.asarray(number, np.float64) / self.reference)
        return np.asarray(grown - self.rarity_of(score))

    def log_cdf(self, score: npt.ArrayLike, number: npt.ArrayLike) -> Float64:
        """ln P(best of `number` ≤ score), float64, broadcast."""
        work = np.exp(np.minimum(self.log_work(score, number), 300.0))
        theta = self.growth.frailty
        return np.asarray(-np.log1p(theta * work) / theta if theta > 0 else -work)

    def survival(self, score: npt.ArrayLike, number: npt.ArrayLike) -> Float64:
        """P(best of `number` > score), float64, broadcast; exact in the far tail."""
        return np.asarray(-np.expm1(self.log_cdf(score, number)))

    def log_reversed_hazard(self, score: npt.ArrayLike, number: npt.ArrayLike) -> Float64:
        """ln of the derivative of ln P(best ≤ s), float64, broadcast: the density of the best over its distribution."""
        log_work = self.log_work(score, number)
        damped = np.logaddexp(0.0, np.log(self.growth.frailty) + log_work) if self.growth.frailty > 0 else 0.0
        return np.asarray(log_work + self.log_slope_of(score) - damped)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Best scores with what they were best of.

    Attributes
    ----------
    score, weight : float64 [n]
    individual : int64 [n]
    number : float64 [n]
        Turtles or photos among which the score is the best.
    """

    score: Float64
    weight: Float64
    individual: Int64
    number: Float64


def _log_work_of_survival(log_survival: Float64, frailty: float) -> Float64:
    """ln Λ from ln P(best > s) at n = n0, without loss in the far tail."""
    survival = np.exp(log_survival)
    log_cdf = np.log1p(-survival)
    work = np.expm1(-frailty * log_cdf) / frailty if frailty > 1e-9 else -log_cdf
    return np.where(survival < 1e-12, log_survival, np.log(np.maximum(work, 1e-300)))


def weigh_by_individual(individual: Int64) -> Float64:
    """Weights with which every individual counts once, float64 [n]."""
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / count[code.ravel()])


def _body_knots(score: Float64, cdf: Float64, tail: ParetoTail, frailty: float) -> tuple[Float64, Float64]:
    """Knots evenly spaced in rarity from the lowest score to the threshold, where the tail takes over."""
    support, last = np.unique(score[::-1], return_index=True)
    height = cdf[len(score) - 1 - last]
    body = support < tail.threshold
    top = -np.log(_work_of(np.array([1 - tail.share]), frailty))[0]
    rarity = np.minimum(-np.log(_work_of(np.clip(height[body], 1e-9, 1 - 1e-9), frailty)), top)
    alone = np.array([tail.threshold - tail.scale, tail.threshold]), np.array([top - 1.0, top])
    if not len(rarity) or rarity[0] >= top - 1e-6:
        return alone
    wanted = np.linspace(rarity[0], top, _KNOTS)[:-1]
    place = np.interp(wanted, rarity, support[body])
    place, first = np.unique(place, return_index=True)
    keep = place < tail.threshold - 1e-9 * max(tail.scale, 1e-9)
    if not keep.any():
        return alone
    return np.append(place[keep], tail.threshold), np.append(wanted[first][keep], top)


def _work_of(cdf: Float64, frailty: float) -> Float64:
    """Λ from H: inverse of the module's formula at n = n0."""
    log_cdf = np.log(cdf)
    return np.asarray(np.expm1(-frailty * log_cdf) / frailty if frailty > 1e-9 else -log_cdf)


@dataclass(frozen=True, slots=True, eq=False)
class _Curves:
    """Empirical distributions [sizes, grid] at pooled scores, by ascending number."""

    number: Float64
    cdf: Float64
    count: Float64


def _curves(sample: Sample) -> _Curves:
    codes = _size_groups(sample.number)
    number, cdf, count = [], [], []
    grid = np.quantile(sample.score, np.linspace(0.005, 0.995, 60))
    for code in np.unique(codes):
        rows = codes == code
        weight = sample.weight[rows]
        effective = weight.sum() ** 2 / (weight**2).sum()
        number.append(np.exp(np.average(np.log(sample.number[rows]), weights=weight)))
        below = (sample.score[rows][:, None] <= grid) * weight[:, None]
        cdf.append(np.clip(below.sum(axis=0) / weight.sum(), 0.5 / effective, 1 - 0.5 / effective))
        count.append(effective)
    return _Curves(np.array(number), np.array(cdf), np.array(count))


def _size_groups(number: Float64) -> Int64:
    """Group codes: the sizes themselves where they are few, else octaves."""
    sizes = np.unique(number)
    if len(sizes) <= 8:
        return np.searchsorted(sizes, number).astype(np.int64)
    return np.floor(np.log2(number)).astype(np.int64)


def _minimise(curves: _Curves, start: Growth | None, frail: bool) -> Growth:
    from scipy.optimize import minimize  # scipy takes half a second to import

    first = start or Growth(0.9, 0.2 if frail else 0.0)

    def loss(at: Float64) -> float:
        growth = _growth_at(at, frail)
        ratio = curves.number[:, None] / curves.number[None, :]
        foretold = _foretell(curves.cdf[None], ratio[..., None], growth)
        spread = foretold * (1 - foretold) + 1e-3
        weight = np.minimum(curves.count[:, None], curves.count[None, :])
        return float((weight[..., None] * (foretold - curves.cdf[:, None]) ** 2 / spread).sum())

    tried = [first.exponent, first.frailty] if frail else [first.exponent]
    best = minimize(loss, tried, method="Nelder-Mead", options={"xatol": 5e-3, "fatol": 1e-3, "maxfev": 120})
    return _growth_at(best.x, frail)


def _growth_at(at: Float64, frail: bool) -> Growth:
    return Growth(float(np.clip(at[0], 0.0, 1.0)), float(np.clip(at[1], 0.0, _MAX_FRAILTY)) if frail else 0.0)


def _foretell(cdf: Float64, ratio: npt.ArrayLike, growth: Growth) -> Float64:
    """Distribution at a number `ratio` times as large."""
    work = np.asarray(ratio) ** growth.exponent * _work_of(cdf, growth.frailty)
    return np.asarray((1 + growth.frailty * work) ** (-1 / growth.frailty) if growth.frailty > 1e-9 else np.exp(-work))
