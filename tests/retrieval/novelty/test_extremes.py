"""Best of many scores: the fitted distribution, its derivatives, and how it grows."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, strategies as st

from retrieval.novelty.extremes import Growth, MaximumDistribution, Sample


def drawn(seed: int, sizes: tuple[int, ...], effect: float, rows: int = 3000) -> Sample:
    """Best of n normal scores to which each row adds its own effect."""
    rng = np.random.default_rng(seed)
    best = [rng.normal(size=(rows, n)).max(axis=1) + effect * rng.normal(size=rows) for n in sizes]
    number = np.repeat(np.array(sizes, np.float64), rows)
    return Sample(np.concatenate(best), np.ones(rows * len(sizes)), np.tile(np.arange(rows), len(sizes)), number)


def at(sample: Sample, number: int) -> Sample:
    rows = sample.number == number
    return Sample(sample.score[rows], sample.weight[rows], sample.individual[rows], sample.number[rows])


@pytest.fixture(scope="module")
def fitted() -> MaximumDistribution:
    sample = drawn(0, (10, 20, 40), 0.5)
    return MaximumDistribution.fit(at(sample, 40), Growth.fit(sample), 40.0, seed=0)


def test_at_the_reference_it_is_the_sample(fitted: MaximumDistribution) -> None:
    score = np.sort(drawn(1, (40,), 0.5, rows=20000).score)
    levels = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98])
    assert np.exp(fitted.log_cdf(np.quantile(score, levels), 40)) == pytest.approx(levels, abs=0.025)


def test_independent_scores_grow_as_powers() -> None:
    growth = Growth.fit(drawn(2, (5, 10, 20, 40), 0.0))
    assert growth.exponent == pytest.approx(1, abs=0.05)
    assert growth.frailty < 0.1
    assert growth.held_out == pytest.approx(40)
    assert growth.held_out_distance < 0.05


def test_a_shared_effect_is_noticed_and_foretold() -> None:
    sample = drawn(3, (5, 10, 20, 40), 0.7)
    growth = Growth.fit(sample)
    assert growth.exponent < 0.95 or growth.frailty > 0.1
    model = MaximumDistribution.fit(at(sample, 40), growth, 40.0, seed=0)
    later = drawn(4, (400,), 0.7).score
    assert model.survival(np.quantile(later, 0.95), 400) == pytest.approx(0.05, abs=0.025)


def test_one_size_alone_counts_as_independent() -> None:
    assert Growth.fit(drawn(5, (10,), 0.5)) == Growth(1.0, 0.0)


@given(st.lists(st.floats(-6, 12), min_size=2, max_size=20), st.integers(1, 100000), st.integers(1, 100000))
def test_it_is_a_distribution_that_moves_up_with_the_number(scores: list[float], a: int, b: int) -> None:
    model = fixed()
    s = np.sort(scores)
    log_cdf = model.log_cdf(s, min(a, b))
    assert (np.diff(log_cdf) >= -1e-9).all()
    assert (log_cdf <= 0).all()
    assert (model.log_cdf(s, max(a, b)) <= log_cdf + 1e-9).all()
    assert np.isfinite(model.log_reversed_hazard(s, a)).all()


def test_reversed_hazard_is_the_slope_of_the_log_distribution(fitted: MaximumDistribution) -> None:
    inner = np.linspace(fitted.knots[0] + 0.2, fitted.knots[-1] - 0.2, 15) + 0.013
    s = np.concatenate(([fitted.knots[0] - 1], inner, fitted.knots[-1] + np.array([0.3, 1.0, 3.0])))
    for number in (5, 40, 4000):
        slope = (fitted.log_cdf(s + 1e-6, number) - fitted.log_cdf(s - 1e-6, number)) / 2e-6
        seen = slope > 1e-7
        assert np.exp(fitted.log_reversed_hazard(s, number))[seen] == pytest.approx(slope[seen], rel=0.02)


def test_the_far_tail_does_not_round_to_nothing(fitted: MaximumDistribution) -> None:
    far = fitted.knots[-1] + 40 * fitted.tail.scale
    assert 0 < fitted.survival(far, 40) < 1e-8
    assert fitted.survival(far, 40) > fitted.survival(far + 1, 40)


def test_all_scores_equal_still_fits() -> None:
    sample = Sample(np.zeros(50), np.ones(50), np.arange(50), np.full(50, 10.0))
    model = MaximumDistribution.fit(sample, Growth(1.0, 0.0), 10.0, seed=0)
    assert np.isfinite(model.log_cdf(np.array([-1.0, 0.0, 1.0]), 10)).all()
    assert model.survival(1.0, 10) < model.survival(-1.0, 10)


@cache
def fixed() -> MaximumDistribution:
    sample = drawn(6, (10, 40), 0.5, rows=500)
    return MaximumDistribution.fit(at(sample, 40), Growth(0.8, 0.3), 40.0, seed=0)


def test_scores_that_differ_by_rounding_alone_below_the_threshold_still_fit() -> None:
    score = np.concatenate(
        (np.full(40, 1 - 1e-13), np.full(21, 1.0), 1 + np.random.default_rng(0).exponential(size=60))
    )
    rows = np.arange(len(score))
    sample = Sample(score, np.ones(len(score)), rows, np.full(len(score), 10.0))
    model = MaximumDistribution.fit(sample, Growth(1.0, 0.0), 10.0, seed=0)
    assert np.isfinite(model.rarity_of(np.array([0.5, 1.0, 2.0]))).all()
