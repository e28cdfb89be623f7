"""The map that links two photos, and which matches get a number."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from retrieval.images.correspondence import APART, NUMBERED, apart, fitted_affine, laid_over

seeds = st.integers(0, 2**31)
plausible = st.tuples(
    st.floats(0.5, 2.0), st.floats(-3.0, 3.0), st.floats(0.6, 1.6), st.floats(-200, 200), st.floats(-200, 200)
)


@given(seeds, plausible, st.integers(4, 60))
def test_the_map_is_found_again(seed: int, drawn: tuple[float, ...], count: int) -> None:
    zoom, turn, squash, across, down = drawn
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    linear = zoom * np.diag([squash, 1.0]) @ rotation
    random = np.random.default_rng(seed)
    source = random.uniform(0, 320, (count, 2))
    target = source @ linear + (across, down)
    found = fitted_affine(source, target, random.uniform(0.1, 1, count))
    assert found is not None
    assert np.allclose(np.column_stack([source, np.ones(count)]) @ found, target, atol=1e-4)


@given(seeds, plausible)
def test_a_few_wrong_matches_do_not_bend_it(seed: int, drawn: tuple[float, ...]) -> None:
    zoom, turn, squash, across, down = drawn
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    linear = zoom * np.diag([squash, 1.0]) @ rotation
    random = np.random.default_rng(seed)
    source = random.uniform(0, 320, (40, 2))
    right = source @ linear + (across, down)
    target = right + random.normal(0, 1, right.shape)
    target[:4] = random.uniform(right.min(0), right.max(0), (4, 2))
    found = fitted_affine(source, target, np.full(40, 0.5))
    assert found is not None
    assert np.hypot(*(np.column_stack([source, np.ones(40)]) @ found - right)[4:].T).max() < 5


def test_mirrored_squashed_and_few_matches_give_no_map() -> None:
    source = np.array([[0.0, 0.0], [100, 0], [0, 100], [100, 100], [50, 20]])
    weight = np.ones(5)
    assert fitted_affine(source, source * [-1, 1], weight) is None
    assert fitted_affine(source, source * [10, 1], weight) is None
    assert fitted_affine(source, source * 0.01, weight) is None
    assert fitted_affine(source[:3], source[:3], weight[:3]) is None
    assert fitted_affine(np.column_stack([np.arange(5.0)] * 2), source, weight) is None
    assert fitted_affine(source, source, weight) is not None


@given(seeds, st.integers(0, 200))
def test_numbered_matches_keep_apart_and_nothing_that_would_fit_is_left_out(seed: int, count: int) -> None:
    points, size = np.random.default_rng(seed).uniform(0, 320, (count, 2)), (320, 320)
    kept = apart(points, size)
    least = APART * np.hypot(*size)
    assert kept == sorted(kept)
    assert len(kept) <= NUMBERED
    for place, row in enumerate(kept):
        assert all(np.hypot(*(points[row] - points[other])) >= least for other in kept[:place])
    if len(kept) < NUMBERED:
        for row in set(range(count)) - set(kept):
            assert any(np.hypot(*(points[row] - points[other])) < least for other in kept if other < row)


def test_without_a_map_one_photo_lies_over_the_others_middle() -> None:
    assert np.allclose(np.array([160, 128, 1]) @ laid_over((320, 256), (240, 320)), [120, 160])
