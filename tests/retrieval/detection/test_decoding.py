"""From heat maps to heads, and how boxes are compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from index.types import Float32, HeadBox, Side
from retrieval.detection import CELL, coverage, heads_in, iou

SHAPE = (28, 42)


def seen(*heads: tuple[float, int, int, float]) -> tuple[Float32, Float32, Float32, Float32]:
    """Predictions with heads: heat, row, column and half size in cells; each looks to the left and is a left side."""
    heat = np.zeros(SHAPE, np.float32)
    reach = np.ones((4, *SHAPE), np.float32)
    right, snout = np.full(SHAPE, 0.1, np.float32), np.zeros((2, *SHAPE), np.float32)
    snout[0] = -1
    for hot, row, column, half in heads:
        heat[row, column] = hot
        reach[:, row, column] = half
    return heat, reach, right, snout


def test_a_peak_becomes_a_box_in_pixels_of_the_photo() -> None:
    [head] = heads_in(*seen((0.8, 10, 20, 3.0)), (2.0, 2.0))
    assert head.confidence == pytest.approx(0.8)
    assert head.box == HeadBox(17.5 * CELL * 2, 7.5 * CELL * 2, 6 * CELL * 2, 6 * CELL * 2)
    assert head.side is Side.LEFT
    assert head.side_probability == pytest.approx(0.9)
    assert head.angle == pytest.approx(0.0, abs=1e-6)


def test_boxes_end_where_the_photo_ends() -> None:
    [head] = heads_in(*seen((0.8, 0, 0, 4.0)), (1.0, 1.0))
    assert head.box == HeadBox(0.0, 0.0, 4.5 * CELL, 4.5 * CELL)


def test_several_heads_come_surest_first_and_one_head_once() -> None:
    found = heads_in(*seen((0.4, 5, 5, 2.0), (0.9, 20, 30, 3.0), (0.6, 20, 32, 3.0)), (1.0, 1.0))
    assert [round(head.confidence, 1) for head in found] == [0.9, 0.4]


def test_nothing_hot_is_nothing() -> None:
    assert heads_in(*seen(), (1.0, 1.0)) == []


def test_a_turned_head_says_by_how_much() -> None:
    heat, reach, right, snout = seen((0.8, 10, 20, 3.0))
    snout[0], snout[1] = -np.cos(0.5), -np.sin(0.5)  # the snout points left and up, so turn it counter-clockwise
    [head] = heads_in(heat, reach, right, snout, (1.0, 1.0))
    assert head.angle == pytest.approx(-0.5, abs=1e-5)


BOXES = st.builds(HeadBox, *(st.floats(-50, 50) for _ in range(2)), *(st.floats(1, 80) for _ in range(2)))


@given(BOXES, BOXES)
def test_overlap_is_symmetric_within_bounds_and_one_for_itself(one: HeadBox, other: HeadBox) -> None:
    assert iou(one, other) == pytest.approx(iou(other, one))
    assert 0 <= iou(one, other) <= 1 + 1e-9
    assert iou(one, one) == pytest.approx(1)
    assert iou(one, other) == pytest.approx(max(0.0, one.overlap(other)), abs=1e-9)


@given(BOXES)
def test_an_enlarged_box_covers_more(one: HeadBox) -> None:
    assert coverage(one, one) == pytest.approx(1)
    larger = HeadBox(one.x, one.y, 2 * one.w, 2 * one.h)
    assert coverage(one, larger, 1.5) >= coverage(one, larger, 1.0)
