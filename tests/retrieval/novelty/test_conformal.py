"""Conformal thresholds by individual: the promise, its limits, and what happens below them."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from retrieval.novelty.conformal import threshold_for


def every(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(n, np.bool_)


@given(st.integers(1, 60), st.floats(0.01, 0.5), st.integers(0, 1000))
def test_the_adjusted_share_stays_within_the_rate(n: int, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    statistic = rng.random(n)
    threshold = threshold_for(statistic, every(n), np.arange(n), rate, model=rate)
    spoken = int((statistic <= threshold.value).sum())
    if threshold.certified:
        assert (spoken + 1) / (n + 1) <= rate + 1e-9
        assert spoken == n or (spoken + 2) / (n + 1) > rate - 1e-9
    else:
        assert threshold.value <= rate
        assert spoken / n <= rate + 1e-9


@pytest.mark.parametrize(("individuals", "certified"), [(18, False), (19, True), (20, True)])
def test_five_percent_needs_nineteen_individuals(individuals: int, certified: bool) -> None:
    statistic = np.linspace(0.1, 1, individuals)
    threshold = threshold_for(statistic, every(individuals), np.arange(individuals), 0.05, model=0.05)
    assert threshold.certified is certified


def test_individuals_count_once_however_many_photos_they_have() -> None:
    statistic = np.concatenate((np.full(100, 0.01), np.linspace(0.2, 1, 39)))
    individual = np.concatenate((np.zeros(100, np.int64), np.arange(1, 40)))
    assert threshold_for(statistic, every(139), individual, 0.05, 0.05).value > 0.01


def test_only_errors_count() -> None:
    statistic = np.linspace(0.1, 1, 40)
    assert threshold_for(statistic, np.zeros(40, np.bool_), np.arange(40), 0.05, 0.05).value == 1.0


def test_the_realised_rate_of_the_next_individual_keeps_the_promise() -> None:
    rng = np.random.default_rng(0)
    wrong = []
    for _ in range(400):
        effect = rng.normal(size=31)
        statistic = effect[:, None] + 0.3 * rng.normal(size=(31, 4))
        individual = np.repeat(np.arange(30), 4)
        threshold = threshold_for(statistic[:30].ravel(), every(120), individual, 0.1, 0.1)
        wrong.append((statistic[30] <= threshold.value).mean())
    assert np.mean(wrong) <= 0.1 + 2 * np.std(wrong) / 20
