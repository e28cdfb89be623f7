"""The parts of small networks against plain formulae."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, softmax

from retrieval.matching.lightglue.small.layers import attend, attend_both, twice_gelu
from retrieval.matching.lightglue.small.room import Room


def test_gelu_is_x_times_the_normal_distribution() -> None:
    x = np.linspace(-14, 14, 200_001, dtype=np.float32)
    exact = 2 * x.astype(np.float64) * ndtr(x.astype(np.float64))
    assert np.abs(twice_gelu(x.copy(), Room()) - exact).max() < 2e-6


@pytest.mark.parametrize("apart", [1.0, 20.0, 90.0, 3000.0])
def test_attention_is_the_softmax_however_far_similarities_lie_apart(apart: float) -> None:
    rng, room = np.random.default_rng(0), Room()
    own, other = (rng.normal(size=(count, 8)).astype(np.float32) * apart**0.5 for count in (50, 30))
    values0, values1 = (rng.normal(size=(count, 8)).astype(np.float32) for count in (50, 30))
    similarity = own.astype(np.float64) @ other.T.astype(np.float64)
    exact0, exact1 = softmax(similarity, 1) @ values1, softmax(similarity, 0).T @ values0
    means0, means1, alone = np.empty_like(values0), np.empty_like(values1), np.empty_like(values0)
    attend_both((own, values0), (other, values1), means0, means1, room)
    attend(own, other, values1, alone, room)
    near = 1e-5 * max(1.0, apart)  # float32 has so few digits left behind the point
    for found, exact in ((means0, exact0), (means1, exact1), (alone, exact0)):
        assert np.abs(found - exact).max() < near


def test_memory_is_used_again() -> None:
    room = Room()
    first = room.take("one", (4, 8))
    assert np.shares_memory(first, room.take("one", (8, 3)))
    assert not np.shares_memory(first, room.take("other", (4, 8)))
    assert room.take("one", (9, 9)).shape == (9, 9)
