"""Figures against hand-made cases and their own definitions."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binomtest

from retrieval.evaluation.metrics import (
    auroc,
    balanced_share,
    cumulative_match,
    error_rate,
    mean_average_precision,
    open_set_accuracy,
    reliability,
)


def test_cumulative_match_and_map_by_hand() -> None:
    rank = np.array([1, 2, 0, 4])
    assert cumulative_match(rank, 5).tolist() == [0.25, 0.5, 0.5, 0.75, 0.75]
    assert mean_average_precision(rank) == pytest.approx((1 + 0.5 + 0 + 0.25) / 4)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_ordered_pairs(rows: list[tuple[int, bool]]) -> None:
    score = np.array([row[0] for row in rows], np.float64)
    positive = np.array([row[1] for row in rows])
    pairs = [float(a > b) + 0.5 * float(a == b) for a in score[positive] for b in score[~positive]]
    value = auroc(score, positive)
    assert value == pytest.approx(np.mean(pairs)) if pairs else np.isnan(value)


def test_open_set_accuracy_by_hand() -> None:
    individual = np.array([0, 0, 0, 1, 7, 7, 8])
    new = np.array([False, False, False, False, True, True, True])
    called = np.array([0, -1, 0, -2, -1, 3, -1])
    figures = open_set_accuracy(individual, new, called)
    assert figures.known == pytest.approx((2 / 3 + 0) / 2)
    assert figures.unknown == pytest.approx((1 / 2 + 1) / 2)
    assert figures.geometric_mean == pytest.approx((1 / 3 * 3 / 4) ** 0.5)


def test_balanced_share_of_nothing_is_nan() -> None:
    assert np.isnan(balanced_share(np.zeros(0, np.bool_), np.zeros(0, np.int64)))


def test_a_calibrated_model_stays_under_the_bound_and_an_overconfident_one_does_not() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(2000)
    event = rng.random(2000) < p
    honest = reliability(p, event)
    assert honest.error < honest.error_if_calibrated
    assert honest.count.sum() == 2000
    bold = reliability(np.clip(2 * p - 0.5, 0, 1), event)
    assert bold.error > bold.error_if_calibrated


def test_the_bound_is_exceeded_about_one_time_in_twenty() -> None:
    rng = np.random.default_rng(2)
    exceeded = 0
    for _ in range(150):
        p = rng.random(200)
        one = reliability(p, rng.random(200) < p, simulated=200)
        exceeded += one.error > one.error_if_calibrated
    assert 1 <= exceeded <= 18


def test_one_photo_each_gives_clopper_pearson() -> None:
    wrong = np.zeros(50, np.bool_)
    wrong[:3] = True
    figure = error_rate(wrong, np.arange(50), 0.05)
    assert figure.rate == pytest.approx(0.06)
    assert figure.low == pytest.approx(binomtest(3, 50, alternative="greater").proportion_ci(0.95).low, rel=0.05)
    assert figure.high == pytest.approx(binomtest(3, 50, alternative="less").proportion_ci(0.95).high, rel=0.05)
    assert not figure.contradicts


def test_photos_of_one_turtle_are_little_evidence() -> None:
    wrong = np.repeat([True, False, False, False, False], 20)
    clustered = error_rate(wrong, np.repeat(np.arange(5), 20), 0.1)
    spread = error_rate(wrong, np.arange(100), 0.1)
    assert clustered.rate == spread.rate == pytest.approx(0.2)
    assert clustered.effective == pytest.approx(5)
    assert not clustered.contradicts
    assert spread.contradicts


def test_no_error_among_n_turtles() -> None:
    figure = error_rate(np.zeros(40, np.bool_), np.arange(40) // 2, 0.01)
    assert figure.low == 0
    assert figure.high == pytest.approx(1 - 0.05 ** (1 / 20))
