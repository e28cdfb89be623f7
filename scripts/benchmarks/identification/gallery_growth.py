"""False KNOWN while a gallery grows: the fitted model knows how large the gallery is, a fixed cut-off does not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.identification.known_answers import Grounds, Searcher
from benchmarks.identification.splits import encounters_by_turtle
from index.catalog import Catalog
from index.types import Int64, Photo
from retrieval.evaluation import ErrorRate
from retrieval.evaluation.metrics import error_rate
from retrieval.fitting import learn, run_trials
from retrieval.novelty import Rates
from retrieval.novelty.model import MIN_GENUINE_INDIVIDUALS

FITTED_AT = 50
STEPS = 4


@dataclass(frozen=True, slots=True)
class Growth:
    """Realised false-KNOWN rates of photos whose turtle is not in the gallery, by turtles in it.

    Attributes
    ----------
    turtles : tuple of int
        The first is the gallery that was fitted.
    model : tuple of ErrorRate
        Best scores that the model finds rare enough for KNOWN.
    fixed : tuple of ErrorRate
        Best scores over the cut-off that keeps the rate in the fitted gallery.
    """

    turtles: tuple[int, ...]
    model: tuple[ErrorRate, ...]
    fixed: tuple[ErrorRate, ...]


def measure_growth(catalog: Catalog, photos: Sequence[Photo], grounds: Grounds, rates: Rates, seed: int) -> Growth:
    """Fit at fifty turtles, ask about all others, each with its own turtle left out, in ever larger galleries."""
    rng, turtle = np.random.default_rng(seed), grounds.table.turtle
    everyone = _fitted_first(photos, turtle, rng)
    start = min(FITTED_AT, len(everyone) // 2)
    first = np.flatnonzero(np.isin(turtle, everyone[:start]))
    trial_scores = run_trials(catalog, [photos[row] for row in first.tolist()], grounds.engine, 10**9, seed)
    fitted = learn(trial_scores, grounds.engine.score, seed)
    if fitted.novelty is None:
        sys.exit(fitted.missing)
    searcher = Searcher(grounds, fitted)
    allowed = fitted.novelty.thresholds(rates).false_known.value
    cut = _cut_off(searcher, first, turtle, rates.false_known)
    asked = np.flatnonzero(~np.isin(turtle, everyone[:start]))
    sizes = np.unique(np.geomspace(start, len(everyone), STEPS).round().astype(int))
    model, fixed = [], []
    for size in sizes:
        there = np.flatnonzero(np.isin(turtle, everyone[:size]))
        seen = [(row, searcher.search(int(row), there[turtle[there] != turtle[row]])) for row in asked]
        answered = [(row, found) for row, found in seen if found is not None]
        individual = turtle[[row for row, _ in answered]]
        rare = np.array([-searcher.posterior(found, 0.5).ratio <= allowed for _, found in answered])
        over = np.array([found.best > cut for _, found in answered])
        model.append(error_rate(rare, individual, rates.false_known))
        fixed.append(error_rate(over, individual, rates.false_known))
    return Growth(tuple(int(size) for size in sizes), tuple(model), tuple(fixed))


def _fitted_first(photos: Sequence[Photo], turtle: Int64, rng: np.random.Generator) -> Int64:
    """Codes of all turtles in random order, but enough of those that were seen twice among the first."""
    seen = encounters_by_turtle(photos)
    names = dict(zip(turtle.tolist(), (str(photo.turtle) for photo in photos), strict=True))
    order = rng.permutation(np.unique(turtle))
    twice = [code for code in order if any(len(met) > 1 for met in seen[names[int(code)]].values())]
    leading = twice[: MIN_GENUINE_INDIVIDUALS + 3]
    return np.array([*leading, *(code for code in order if code not in set(leading))], np.int64)


def _cut_off(searcher: Searcher, gallery: Int64, turtle: Int64, rate: float) -> float:
    """The score that this share of the gallery's own photos exceed, each with its turtle removed, by individual."""
    found = [(row, searcher.search(int(row), gallery[turtle[gallery] != turtle[row]])) for row in gallery]
    score = np.array([one.best for _, one in found if one is not None])
    individual = turtle[[row for row, one in found if one is not None]]
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    order = np.argsort(-score)
    above = np.cumsum((1 / count[code.ravel()])[order]) / len(count)
    return float(score[order][min(int(np.searchsorted(above, rate)), len(score) - 1)])
