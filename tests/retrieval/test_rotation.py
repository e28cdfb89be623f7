"""How photos lie against each other, and turning keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawing.heads import draw_head
from index.types import LocalFeatures
from retrieval.keypoints import SiftExtractor
from retrieval.rerank import first_look
from retrieval.rotation import rotations, turned


def photo(seed: int, keypoints: int) -> LocalFeatures:
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        xy=(rng.random((keypoints, 2)) * (480, 360)).astype(np.float32),
        scale=rng.uniform(2, 20, keypoints).astype(np.float32),
        orientation=rng.uniform(0, 2 * np.pi, keypoints).astype(np.float32),
        descriptors=rng.integers(0, 120, (keypoints, 128)).astype(np.uint8),
        size=(480, 360),
    )


def lying(query: LocalFeatures, candidate: LocalFeatures) -> int:
    return int(rotations(query, [candidate], first_look(query, [candidate]))[0])


@pytest.mark.parametrize("eighths", range(8))
def test_a_rotation_that_the_matches_agree_on_is_found(eighths: int) -> None:
    query = photo(0, 64)
    other = turned(query, eighths)
    wrapped = replace(other, orientation=np.mod(other.orientation, 2 * np.pi).astype(np.float32))
    assert lying(query, wrapped) == eighths
    assert lying(wrapped, query) == -eighths % 8


@pytest.mark.parametrize("quarters", range(4))
def test_pictures_that_were_turned_are_seen_to_lie_so(quarters: int) -> None:
    extractor = SiftExtractor(256, 320)
    upright, other = (draw_head(3, number, size=(320, 320)) for number in (0, 1))
    query = extractor.extract(np.ascontiguousarray(np.rot90(other, quarters)))  # counter-clockwise
    assert lying(query, extractor.extract(upright)) == 2 * quarters


def test_what_nothing_matches_is_not_turned() -> None:
    query, stranger = photo(0, 2), photo(1, 2)
    assert lying(query, stranger) == 0
    assert rotations(query, [], []).shape == (0,)


@given(eighths=st.integers(0, 8), seed=st.integers(0, 9))
def test_turning_keeps_the_centre_and_the_distances(eighths: int, seed: int) -> None:
    before = photo(seed, 5)
    after = turned(before, eighths)
    centre = np.array([479, 359]) / 2
    assert np.allclose(np.linalg.norm(after.xy - centre, axis=1), np.linalg.norm(before.xy - centre, axis=1), atol=1e-3)
    back = turned(after, 8 - eighths)
    assert np.allclose(back.xy, before.xy, atol=1e-3)
    assert np.allclose(np.exp(1j * back.orientation), np.exp(1j * before.orientation), atol=1e-5)


def test_a_quarter_turn_is_the_one_that_images_make() -> None:
    # numpy's rot90 with k=-1 turns a picture clockwise: pixel (x, y) goes to (height - 1 - y, x)
    square = replace(photo(0, 3), size=(101, 101))
    clockwise = turned(square, 2)
    assert np.allclose(clockwise.xy, np.stack((100 - square.xy[:, 1], square.xy[:, 0]), 1), atol=1e-3)
    assert np.allclose(clockwise.orientation, square.orientation + np.pi / 2)
