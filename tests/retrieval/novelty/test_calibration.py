"""Statistics of several fits on one scale: order, levels and what speaks for catalogued turtles stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from index.types import Float64
from retrieval.novelty.calibration import Calibration

RATIOS = st.lists(st.floats(-8.0, 8.0), min_size=1, max_size=40).map(lambda values: np.array(values, np.float64))


def calibration(ratio: Float64, new_ratio: Float64) -> Calibration:
    nothing = np.zeros(len(ratio))
    individual = np.arange(len(ratio))
    return Calibration(new_ratio, np.arange(len(new_ratio)), ratio, nothing, nothing, nothing > 0, individual)


@given(RATIOS, RATIOS, RATIOS)
def test_the_order_stays_and_nothing_changes_sides(ratio: Float64, own: Float64, wanted: Float64) -> None:
    ordered = np.sort(ratio)
    read = calibration(ordered, ordered).on_scale(own, wanted)
    assert (np.diff(read.ratio) >= -1e-9).all()  # but for rounding
    assert (read.ratio[ordered < 0] <= 0).all()
    np.testing.assert_array_equal(read.ratio[ordered >= 0], ordered[ordered >= 0])
    np.testing.assert_array_equal(read.new_ratio, read.ratio)


@given(RATIOS, RATIOS)
def test_the_same_model_changes_nothing(ratio: Float64, own: Float64) -> None:
    read = calibration(ratio, ratio).on_scale(own, own)
    np.testing.assert_allclose(read.ratio, ratio, atol=1e-9)


def test_without_new_ones_nothing_changes() -> None:
    before = calibration(np.array([-2.0, 3.0]), np.array([-1.0]))
    assert before.on_scale(np.zeros(0), np.zeros(0)) is before


@pytest.mark.parametrize("lower", [0.2, 0.5])
def test_a_floor_is_read_where_the_model_in_use_has_it(lower: float) -> None:
    rng = np.random.default_rng(0)
    wanted = -2.3 + 0.1 * rng.standard_normal(400)
    read = calibration(np.array([-2.3 - lower]), np.array([-2.3 - lower, -2.9 - lower])).on_scale(
        wanted - lower, wanted
    )
    assert read.ratio[0] == pytest.approx(-2.3, abs=0.01)
    assert read.new_ratio[1] == pytest.approx(-2.9, abs=0.01)  # beyond what is known, as far below


def test_what_lies_between_the_floor_and_nothing_is_shifted_less_the_nearer_it_is_to_nothing() -> None:
    wanted = np.linspace(-2.4, -2.2, 100)
    ratio = np.array([-3.0, -1.5, -0.1, 0.0])
    read = calibration(ratio, ratio).on_scale(wanted - 0.6, wanted).ratio
    assert read[0] == pytest.approx(-2.4, abs=0.02)
    assert read[1] == pytest.approx(-1.5 * 2.2 / 2.8, abs=0.01)
    assert read[2] == pytest.approx(-0.1 * 2.2 / 2.8, abs=0.01)
    assert read[3] == 0.0
