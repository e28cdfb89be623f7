"""Standardising a query's scores: order is kept, the unit does not matter, and few others are no evidence."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from retrieval.scoring.normalization import TNorm

SCORES = st.lists(st.floats(-10, 10), min_size=1, max_size=30).map(np.array)


def fitted(factor: float = 1.0, shift: float = 0.0) -> TNorm:
    rng = np.random.default_rng(0)
    return TNorm.fit([factor * (effect + rng.normal(size=40)) + shift for effect in rng.normal(size=30)])


@given(SCORES)
def test_order_is_kept(scores: np.ndarray) -> None:
    standard = fitted().standardise(scores)
    assert (np.diff(standard[np.argsort(scores)]) >= 0).all()


@given(SCORES, st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_the_unit_of_the_score_does_not_matter(scores: np.ndarray, factor: float, shift: float) -> None:
    other = fitted(factor, shift).standardise(factor * scores + shift)
    assert other == pytest.approx(fitted().standardise(scores), abs=1e-5)


def test_a_query_that_resembles_everything_gains_nothing_by_it() -> None:
    scores = np.append(np.random.default_rng(1).normal(size=100), 6.0)
    plain, lifted = (fitted().standardise(scores + effect)[-1] for effect in (0.0, 2.0))
    assert lifted == pytest.approx(plain, abs=0.3)


def test_few_others_are_believed_less_than_many() -> None:
    cohort = fitted()
    few, many = (cohort.standardise(np.append(np.full(count, 3.0), 9.0))[-1] for count in (1, 1000))
    assert few < many
    assert cohort.standardise(np.array([2.0]))[0] == pytest.approx((2.0 - cohort.mean) / cohort.spread)


def test_queries_without_others_still_give_a_cohort() -> None:
    assert np.isfinite(TNorm.fit([np.array([1.0]), np.array([2.0])]).standardise(np.array([3.0]))).all()
    assert np.isfinite(TNorm.fit([]).standardise(np.array([3.0]))).all()
    assert np.isfinite(TNorm.fit([np.zeros(9)] * 3).standardise(np.zeros(4))).all()
