"""The generalised Pareto tail, against distributions whose tail is known."""

import numpy as np
import pytest
from scipy.stats import genpareto

from retrieval.novelty.pareto import LEVELS, MIN_INDIVIDUALS_ABOVE, ParetoTail


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_a_pareto_tail_is_found_again(shape: float) -> None:
    score = genpareto.rvs(shape, scale=0.1, size=4000, random_state=1)
    tail = ParetoTail.fit(score, np.ones(4000), np.arange(4000), seed=0)
    assert tail.p_value >= 0.1
    assert tail.shape == pytest.approx(shape, abs=0.1)
    far = np.asarray(genpareto.isf(np.array([0.01, 0.001]), shape, scale=0.1), np.float64)
    assert np.exp(tail.log_survival(far)) == pytest.approx([0.01, 0.001], rel=0.4)


def test_a_bounded_sample_gets_a_tail_without_end() -> None:
    score = np.random.default_rng(2).random(2000)
    tail = ParetoTail.fit(score, np.ones(2000), np.arange(2000), seed=0)
    assert tail.shape >= 0
    assert np.exp(tail.log_survival(np.array([1.2])))[0] > 0


def test_a_kinked_body_raises_the_threshold() -> None:
    rng = np.random.default_rng(3)
    body = rng.uniform(0, 1, 2400)
    score = np.concatenate((body, 1 + rng.exponential(0.5, 600)))
    low = ParetoTail.fit(rng.exponential(0.5, 3000), np.ones(3000), np.arange(3000), seed=0)
    kinked = ParetoTail.fit(score, np.ones(3000), np.arange(3000), seed=0)
    assert low.level == LEVELS[0]
    assert kinked.level >= 0.8


def test_few_individuals_keep_the_threshold_low() -> None:
    rng = np.random.default_rng(4)
    score = np.concatenate((rng.uniform(0, 1, 400), 1 + rng.exponential(0.5, 100)))
    individual = np.arange(500) % 22
    tail = ParetoTail.fit(score, np.ones(500), individual, seed=0)
    assert len(np.unique(individual[score > tail.threshold])) >= MIN_INDIVIDUALS_ABOVE


def test_weights_count_as_repeated_rows() -> None:
    rng = np.random.default_rng(5)
    score = rng.exponential(1, 300)
    weight = rng.integers(1, 4, 300)
    weighted = ParetoTail.fit_above(score, weight.astype(np.float64), 0.8)
    repeated = ParetoTail.fit_above(np.repeat(score, weight), np.ones(weight.sum()), 0.8)
    assert weighted.threshold == repeated.threshold
    assert weighted.share == pytest.approx(repeated.share)
    assert weighted.scale == pytest.approx(repeated.scale, rel=0.05)


def test_hazard_is_the_slope_of_log_survival() -> None:
    tail = ParetoTail.fit_above(np.random.default_rng(6).pareto(4, 2000), np.ones(2000), 0.8)
    s = tail.threshold + np.array([0.1, 0.5, 2.0])
    slope = (tail.log_survival(s + 1e-6) - tail.log_survival(s - 1e-6)) / 2e-6
    assert -slope == pytest.approx(tail.hazard(s), rel=1e-4)
