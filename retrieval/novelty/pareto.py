"""Peaks over threshold: the generalised Pareto upper tail of a weighted sample (Pickands 1975; Coles 2001)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.types import Float64, Int64

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Quantiles that are tried as threshold, lowest first."""
MIN_INDIVIDUALS_ABOVE = 10
"""A tail is fitted from at least this many individuals' exceedances."""

_ACCEPT = 0.10
_MAX_SHAPE = 0.5
_SIMULATED = 199


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """P(score > s) = share · (1 + shape·(s − threshold)/scale)^(−1/shape) for s above the threshold.

    Attributes
    ----------
    level : float
        Quantile of the sample at which the threshold lies; share = 1 − level up to ties.
    shape : float
        At least 0: the tail never ends before the largest score that may yet come.
    p_value : float
        Goodness of fit (Cramér-von Mises, simulated with the effective number of exceedances).
    """

    level: float
    threshold: float
    share: float
    scale: float
    shape: float
    p_value: float

    @classmethod
    def fit_above(cls, score: Float64, weight: Float64, level: float, finest: float = 1e-9) -> ParetoTail:
        """Fit above one quantile by probability-weighted moments (Hosking and Wallis 1987); the p-value stays 1."""
        order = np.argsort(score, kind="stable")
        below = np.cumsum(weight[order]) / weight.sum()
        threshold = float(score[order][min(int(np.searchsorted(below, level)), len(score) - 1)])
        above = score > threshold
        if not above.any():
            share = float(weight[score >= threshold].sum() / weight.sum()) / 2
            return ParetoTail(level, threshold, share, max(float(np.std(score)), finest), 0.0, 1.0)
        scale, shape = _moments_fit((score[above] - threshold)[None], weight[above][None])
        share = float(weight[above].sum() / weight.sum())
        return ParetoTail(level, threshold, share, max(float(scale[0]), finest), float(shape[0]), 1.0)

    @classmethod
    def fit(cls, score: Float64, weight: Float64, individual: Int64, seed: int, finest: float = 1e-9) -> ParetoTail:
        """Fit above the lowest of `LEVELS` whose goodness of fit is not rejected at 10 %.

        A level qualifies while `MIN_INDIVIDUALS_ABOVE` individuals have a score above it; where every qualifying level
        is rejected the highest is taken and its p-value tells. The scale is at least `finest`, so that a sample without
        spread still leaves room for scores that have not come yet.
        """
        rng = np.random.default_rng(seed)
        tail = ParetoTail.fit_above(score, weight, LEVELS[0], finest)
        for level in LEVELS:
            candidate = ParetoTail.fit_above(score, weight, level, finest)
            above = score > candidate.threshold
            if len(np.unique(individual[above])) < MIN_INDIVIDUALS_ABOVE:
                break
            tail = _with_p_value(candidate, score[above] - candidate.threshold, weight[above], rng)
            if tail.p_value >= _ACCEPT:
                break
        return tail

    def log_survival(self, score: Float64) -> Float64:
        """Log of P(score > s) at or above the threshold, float64 like `score`."""
        excess = np.maximum(score - self.threshold, 0.0) / self.scale
        return np.asarray(np.log(self.share) - _log_growth(excess, self.shape), np.float64)

    def hazard(self, score: Float64) -> Float64:
        """Density over survival at or above the threshold, float64 like `score`."""
        return 1.0 / (self.scale + self.shape * np.maximum(score - self.threshold, 0.0))


def _with_p_value(tail: ParetoTail, excess: Float64, weight: Float64, rng: np.random.Generator) -> ParetoTail:
    observed = _cramer_von_mises(excess[None], weight[None], np.array([tail.scale]), np.array([tail.shape]))[0]
    effective = max(int(weight.sum() ** 2 / (weight**2).sum()), 5)
    uniform = rng.random((_SIMULATED, effective))
    exponential = -np.log1p(-uniform)
    drawn = tail.scale * (np.expm1(tail.shape * exponential) / tail.shape if tail.shape > 0 else exponential)
    equal = np.ones_like(drawn)
    simulated = _cramer_von_mises(drawn, equal, *_moments_fit(drawn, equal))
    p_value = float((1 + (simulated * effective >= observed * effective).sum()) / (_SIMULATED + 1))
    return ParetoTail(tail.level, tail.threshold, tail.share, tail.scale, tail.shape, p_value)


def _moments_fit(excess: Float64, weight: Float64) -> tuple[Float64, Float64]:
    """Scale and shape, float64 [rows] each, from excesses and weights [rows, n]."""
    order = np.argsort(excess, axis=1)
    y = np.take_along_axis(excess, order, 1)
    w = np.take_along_axis(weight, order, 1)
    w = w / w.sum(axis=1, keepdims=True)
    survival = 1.0 - np.cumsum(w, axis=1) + w / 2
    mean = np.maximum((w * y).sum(axis=1), 1e-12)
    first = (w * y * survival).sum(axis=1)
    shape = np.clip(2.0 - mean / np.maximum(mean - 2.0 * first, 1e-12), 0.0, _MAX_SHAPE)
    return mean * (1.0 - shape), shape


def _cramer_von_mises(excess: Float64, weight: Float64, scale: Float64, shape: Float64) -> Float64:
    """Mean squared distance of fitted and empirical distribution, float64 [rows]."""
    order = np.argsort(excess, axis=1)
    y = np.take_along_axis(excess, order, 1) / scale[:, None]
    w = np.take_along_axis(weight, order, 1)
    w = w / w.sum(axis=1, keepdims=True)
    empirical = np.cumsum(w, axis=1) - w / 2
    grown = np.where(shape[:, None] > 0, shape[:, None], 1.0)
    exponent = np.where(shape[:, None] > 0, np.log1p(grown * y) / grown, y)
    return np.asarray((w * (-np.expm1(-exponent) - empirical) ** 2).sum(axis=1))


def _log_growth(excess: Float64, shape: float) -> Float64:
    return np.log1p(shape * excess) / shape if shape > 0 else excess
