"""Over many generated catalogues: probabilities mean what they say, and promised error rates are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from retrieval.evaluation.metrics import reliability
from retrieval.novelty.calibration import Occasion
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import Verdict, decide
from retrieval.novelty.posterior import Candidates
from tests.retrieval.generated import World
from tests.retrieval.novelty.fitted_worlds import fitted


def calibration_error(seed: int, turtles: int, gallery: int, shared: float, bounded: bool, photos: int) -> float:
    """Expected calibration error over its 95 % quantile under perfect calibration; as many turtles fitted as tested."""
    world = World(seed, turtles, shared, bounded)
    model = fitted(world, individuals=photos)
    asked = world.queries(photos, gallery)
    p_new = np.array([model.posterior(one, gallery, 0.5).p_new for one in asked.candidates])
    figure = reliability(p_new, asked.new)
    return figure.error / figure.error_if_calibrated


@pytest.mark.parametrize(
    ("turtles", "gallery", "shared", "bounded", "seeds"),
    [
        (60, 10, 0.25, False, 3),
        (300, 300, 0.0, True, 3),
        (3000, 3000, 0.5, False, 3),
        (100_000, 100_000, 0.25, False, 3),
    ],
)
def test_p_new_is_calibrated(turtles: int, gallery: int, shared: float, bounded: bool, seeds: int) -> None:
    errors = [calibration_error(seed, turtles, gallery, shared, bounded, photos=80) for seed in range(seeds)]
    assert np.median(errors) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(("turtles", "gallery"), [(60, 10), (60, 60), (300, 300), (3000, 3000), (100_000, 100_000)])
def test_p_new_is_calibrated_over_many_catalogues(turtles: int, gallery: int, shared: float, bounded: bool) -> None:
    errors = [calibration_error(seed, turtles, gallery, shared, bounded, photos=300) for seed in range(10)]
    assert np.median(errors) <= (1 if gallery == turtles else 1.1)  # a sixth of the fitted gallery is asked
    assert max(errors) <= 2


@pytest.mark.slow
def test_the_best_candidates_probability_is_not_overstated() -> None:
    said, right = [], []
    for seed in range(5):
        world = World(seed, 300)
        model = fitted(world)
        asked = world.queries(300, 300)
        for one, true in zip(asked.candidates, asked.true, strict=True):
            posterior = model.posterior(one, 300, 0.5)
            said.append(posterior.p_candidates.max())
            right.append(posterior.turtle[posterior.p_candidates.argmax()] == true)
    figure = reliability(np.array(said), np.array(right))
    assert (figure.said - figure.seen).max() < 0.05
    assert figure.error < 0.1


@pytest.mark.parametrize(
    ("shared", "bounded"),
    [(0.25, False), pytest.param(0.5, False, marks=pytest.mark.slow), pytest.param(0.0, True, marks=pytest.mark.slow)],
)
def test_false_known_keeps_its_promise_while_the_gallery_grows_tenfold(shared: float, bounded: bool) -> None:
    realised, fixed = [], []
    for seed in range(2):
        world = World(seed, 50, shared, bounded)
        model = fitted(world)
        allowed = model.thresholds(Rates(false_known=0.05)).false_known.value
        at_fifty = world.impostors(2000, 50).score.max(axis=1)
        grown = world.impostors(400, 500)
        found = [Candidates(np.arange(len(s)), s, n) for s, n in zip(grown.score, grown.photos, strict=True)]
        realised.append(np.mean([-model.posterior(one, 500, 0.5).ratio <= allowed for one in found]))
        fixed.append((grown.score.max(axis=1) > np.quantile(at_fifty, 0.95)).mean())
    assert np.mean(realised) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 50 / 2)
    assert np.mean(fixed) > 0.1


@dataclass(frozen=True)
class Realised:
    """Shares of the encounters of fresh turtles: errors, and what was rightly said."""

    false_known: float
    misidentified: float
    false_new: float
    known: float
    new: float


ASKED = 150
"""Encounters that each world is asked about."""


def realised(seed: int, turtles: int, photos: int, rates: Rates, gap: float) -> Realised:
    world = World(seed, turtles, gap=gap)
    model = fitted(world, turtles)
    thresholds = model.thresholds(rates, together=photos > 1)
    rows = np.repeat(world.rng.integers(turtles, size=ASKED), photos)
    said = {}
    for catalogued in (False, True):
        references = world.photos[rows] if catalogued else np.zeros(len(rows), np.int64)
        searched = world.searched(rows, references)
        met = [
            Occasion(int(rows[at]), catalogued, tuple(searched[at : at + photos])) for at in range(0, len(rows), photos)
        ]
        answers = [one.answer(lambda found, gallery: model.posterior(found, gallery, 0.5)) for one in met]
        said[catalogued] = [(decide(answer, thresholds), one) for answer, one in zip(answers, met, strict=True)]

    def share(catalogued: bool, verdict: Verdict, right: bool | None = None) -> float:
        found = said[catalogued]
        return float(
            np.mean([what.verdict is verdict and right in (None, what.turtle == one.individual) for what, one in found])
        )

    return Realised(
        share(False, Verdict.KNOWN),
        share(True, Verdict.KNOWN, False),
        share(True, Verdict.NEW),
        share(True, Verdict.KNOWN, True),
        share(False, Verdict.NEW),
    )


@pytest.mark.slow
@pytest.mark.parametrize("photos", [1, 3])
@pytest.mark.parametrize(("gap", "said"), [(4.5, 0.6), (3.2, 0.15)], ids=["telling scores", "weak scores"])
@pytest.mark.parametrize(("turtles", "worlds"), [(20, 12), (50, 8), (200, 6)])
def test_promises_are_kept_and_new_is_said(turtles: int, worlds: int, gap: float, said: float, photos: int) -> None:
    rates = Rates()
    every = [realised(seed, turtles, photos, rates, gap) for seed in range(worlds)]
    error = 2 / np.sqrt(ASKED * worlds)
    for name in ("false_known", "misidentified", "false_new"):
        promised = getattr(rates, name)
        assert np.mean([getattr(one, name) for one in every]) <= promised + error * np.sqrt(promised)
    assert np.mean([one.known for one in every]) > said
    assert np.mean([one.new for one in every]) > said
