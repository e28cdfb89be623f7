"""Photos whose head lies on its side: turned for learned extractors, and their keypoints turned back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.engine.engine import ReadPhoto
from retrieval.features import turned, turned_back, upright
from retrieval.images import decode, jpeg, turn_of
from tests.index.making import features

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("turn", range(4))
def test_keypoints_of_a_turned_photo_lie_on_the_same_pixels_when_they_are_turned_back(turn: int) -> None:
    seen = turned(PIXELS, turn)
    assert seen.shape == ((40, 60, 3) if turn % 2 == 0 else (60, 40, 3))
    height, width = seen.shape[:2]
    rng = np.random.default_rng(1)
    xy = np.stack([rng.integers(0, width, 64), rng.integers(0, height, 64)], -1).astype(np.float32)
    none = np.zeros(64, np.float32)
    found = replace(features(3), xy=xy, orientation=none, size=(width, height))
    back = turned_back(found, turn)
    assert back.size == (60, 40)
    columns, rows = back.xy.astype(int).T
    assert np.array_equal(PIXELS[rows, columns], seen[xy[:, 1].astype(int), xy[:, 0].astype(int)])
    assert not back.orientation.any()  # an extractor that tells no orientation still tells none
    photo = replace(features(4), source=ReadPhoto(jpeg(PIXELS, turn=turn)))
    again = upright(back, photo)
    assert again is not None
    assert np.array_equal(again.xy, xy)
    assert again.size == (width, height)


def test_one_quarter_clockwise_brings_the_left_edge_to_the_top() -> None:
    assert np.array_equal(turned(PIXELS, 1)[0, ::-1], PIXELS[:, 0])


def test_orientations_turn_with_the_photo() -> None:
    found = replace(features(5), orientation=np.full(64, 0.3, np.float32), size=(60, 40))
    assert np.allclose(turned_back(found, 1).orientation, 0.3 - np.pi / 2, atol=1e-6)
    photo = replace(features(4), source=ReadPhoto(jpeg(PIXELS, turn=1)))
    again = upright(turned_back(found, 1), photo)
    assert again is not None
    assert np.allclose(again.orientation, 0.3, atol=1e-6)


def test_a_working_image_remembers_its_turn_and_shows_the_photo_as_it_is() -> None:
    plain = jpeg(PIXELS)
    assert [turn_of(jpeg(PIXELS, turn=turn)) for turn in range(5)] == [0, 1, 2, 3, 0]
    assert jpeg(PIXELS, turn=4) == plain
    assert np.array_equal(decode(jpeg(PIXELS, turn=3)), decode(plain))
    assert turn_of(b"") == turn_of(b"head lies turned, quarters clockwise: x") == 0


def test_without_keypoints_or_a_stored_image_nothing_is_turned() -> None:
    assert upright(None, features(1)) is None
    one = features(1)
    assert upright(one, features(2)) is one
