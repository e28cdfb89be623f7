"""Conformal thresholds by individual: the promise, its limits, and what happens below them."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from retrieval.novelty.conformal import threshold_for


def every(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(n, np.bool_)


NO_MODEL = np.inf
"""A model that would allow everything."""


@given(st.integers(1, 60), st.floats(0.01, 0.5), st.integers(0, 1000))
def test_what_is_certified_keeps_the_adjusted_share(n: int, rate: float, seed: int) -> None:
    statistic = np.random.default_rng(seed).random(n)
    threshold = threshold_for(statistic, every(n), np.arange(n), rate, NO_MODEL)
    spoken = int((statistic <= threshold.certified).sum())
    assert threshold.certified <= threshold.value
    if rate * (n + 1) < 1:
        assert threshold.certified == -np.inf
    else:
        assert (spoken + 1) / (n + 1) <= rate + 1e-9
        assert spoken == n or (spoken + 2) / (n + 1) > rate - 1e-9


@given(st.integers(1, 60), st.floats(0.01, 0.5), st.integers(0, 1000), st.floats(0, 1))
def test_what_is_modelled_stays_below_the_model_and_the_observed_rate(
    n: int, rate: float, seed: int, model: float
) -> None:
    statistic = np.random.default_rng(seed).random(n)
    threshold = threshold_for(statistic, every(n), np.arange(n), rate, model)
    assert threshold.value <= max(model, threshold.certified)
    assert (statistic <= threshold.value).mean() <= rate + 1e-9


@pytest.mark.parametrize(("individuals", "certified"), [(18, False), (19, True), (20, True)])
def test_five_percent_needs_nineteen_individuals(individuals: int, certified: bool) -> None:
    statistic = np.linspace(0.1, 1, individuals)
    threshold = threshold_for(statistic, every(individuals), np.arange(individuals), 0.05, NO_MODEL)
    assert np.isfinite(threshold.certified) == certified


def test_individuals_count_once_however_many_photos_they_have() -> None:
    statistic = np.concatenate((np.full(100, 0.01), np.linspace(0.2, 1, 39)))
    individual = np.concatenate((np.zeros(100, np.int64), np.arange(1, 40)))
    assert threshold_for(statistic, every(139), individual, 0.05, NO_MODEL).certified > 0.01


def test_only_errors_count() -> None:
    statistic = np.linspace(0.1, 1, 40)
    assert threshold_for(statistic, np.zeros(40, np.bool_), np.arange(40), 0.05, NO_MODEL).certified == np.inf


def test_without_calibration_photos_nothing_speaks() -> None:
    none = np.zeros(0)
    assert threshold_for(none, none.astype(bool), none.astype(np.int64), 0.05, NO_MODEL).value == -np.inf


def test_few_failures_of_few_individuals_do_not_silence_the_rule() -> None:
    """One photo in four of one turtle in thirty is lower than all others; certifying 5 % has no room for it."""
    rng = np.random.default_rng(0)
    statistic, individual = 1 + rng.random(120), np.repeat(np.arange(30), 4)
    statistic[0] = 0.0
    threshold = threshold_for(statistic, every(120), individual, 0.05, NO_MODEL)
    assert threshold.certified < 1 + np.quantile(statistic - 1, 0.02) < threshold.value


@pytest.mark.parametrize("individuals", [20, 30, 100])
def test_the_realised_rate_of_the_next_individual_keeps_the_promise(individuals: int) -> None:
    rng = np.random.default_rng(0)
    certified, modelled = [], []
    for _ in range(400):
        effect = rng.normal(size=individuals + 1)
        statistic = effect[:, None] + 0.7 * rng.normal(size=(individuals + 1, 4))
        individual = np.repeat(np.arange(individuals), 4)
        threshold = threshold_for(statistic[:-1].ravel(), every(4 * individuals), individual, 0.1, NO_MODEL)
        certified.append((statistic[-1] <= threshold.certified).mean())
        modelled.append((statistic[-1] <= threshold.value).mean())
    assert np.mean(certified) <= 0.1 + 2 * np.std(certified) / 20
    assert np.mean(modelled) <= 0.1 + 2 * np.std(modelled) / 20


@pytest.mark.parametrize("individuals", [20, 50])
def test_a_rate_smaller_than_one_individual_is_kept_by_the_tail(individuals: int) -> None:
    """Thresholds among so few never see one error in a hundred; without a tail they would let about 1/(n+1) through."""
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(300):
        statistic = -rng.exponential(size=individuals)
        value = threshold_for(statistic, every(individuals), np.arange(individuals), 0.01, NO_MODEL).value
        kept.append(np.exp(value))
    assert np.mean(kept) < 0.015
