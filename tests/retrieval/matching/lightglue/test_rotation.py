"""How photos lie against each other, and turning keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from index.types import LocalFeatures, Matches
from retrieval.features.sift import SiftExtractor
from retrieval.matching.cascade import first_stage
from retrieval.matching.lightglue.config import AGREED
from retrieval.matching.lightglue.rotation import rotations
from synthetic.heads import draw_head
from tests.retrieval.oracles import turned_photo


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
    return int(rotations(query, [candidate], first_stage(query, [candidate]))[0])


@pytest.mark.parametrize("eighths", range(8))
def test_a_rotation_that_the_matches_agree_on_is_found(eighths: int) -> None:
    query = photo(0, 64)
    other = turned_photo(query, eighths)
    wrapped = replace(other, orientation=np.mod(other.orientation, 2 * np.pi).astype(np.float32))
    found = lying(query, wrapped)
    assert found % 8 == eighths
    assert lying(wrapped, query) == -found


@pytest.mark.parametrize("quarters", range(4))
def test_pictures_that_were_turned_are_seen_to_lie_so(quarters: int) -> None:
    extractor = SiftExtractor(256, 320)
    upright, other = (draw_head(3, number, size=(320, 320)) for number in (0, 1))
    query = extractor.extract(np.ascontiguousarray(np.rot90(other, quarters)))  # counter-clockwise
    assert lying(query, extractor.extract(upright)) % 8 == 2 * quarters


def all_alike(count: int) -> Matches:
    return Matches(np.stack([np.arange(count)] * 2, 1).astype(np.int32), np.full(count, 0.5, np.float32))


def test_only_what_enough_matches_agree_on_is_turned() -> None:
    query = photo(0, 64)
    other = turned_photo(query, 2)
    assert rotations(query, [other] * 3, [all_alike(count) for count in (0, AGREED - 1, AGREED)]).tolist() == [0, 0, 2]
    without = Matches(all_alike(9).pairs, (np.arange(9) < AGREED - 1).astype(np.float32))
    assert rotations(query, [other], [without]).tolist() == [0]
    assert rotations(query, [], []).shape == (0,)


def test_few_strangers_are_turned() -> None:
    pairs = [(photo(seed, 64), photo(seed + 100, 64)) for seed in range(60)]
    assert np.mean([lying(query, stranger) != 0 for query, stranger in pairs]) < 0.1


@given(
    seed=st.integers(0, 999),
    count=st.integers(AGREED, 40),
    eighths=st.floats(-4, 4),
    noise=st.sampled_from([0.0, 0.3, 3.0]),
)
@example(seed=0, count=8, eighths=4.0, noise=0.0)
def test_it_does_not_matter_which_photo_asks(seed: int, count: int, eighths: float, noise: float) -> None:
    rng, query = np.random.default_rng(seed), photo(seed, 40)
    angles = (query.orientation + eighths * np.pi / 4 + noise * rng.normal(size=40)).astype(np.float32)
    other = replace(photo(seed + 1, 40), orientation=angles)
    own, their = rng.permutation(40)[:count], rng.permutation(40)[:count]
    confidence = rng.random(count).astype(np.float32)
    forth = Matches(np.stack([own, their], 1).astype(np.int32), confidence)
    order = np.argsort(their)
    back = Matches(forth.pairs[order, ::-1], confidence[order])
    assert rotations(query, [other], [forth])[0] == -rotations(other, [query], [back])[0]


@given(eighths=st.integers(0, 8), seed=st.integers(0, 9))
def test_turning_keeps_the_centre_and_the_distances(eighths: int, seed: int) -> None:
    before = photo(seed, 5)
    after = turned_photo(before, eighths)
    centre = np.array([479, 359]) / 2
    assert np.allclose(np.linalg.norm(after.xy - centre, axis=1), np.linalg.norm(before.xy - centre, axis=1), atol=1e-3)
    back = turned_photo(after, 8 - eighths)
    assert np.allclose(back.xy, before.xy, atol=1e-3)
    assert np.allclose(np.exp(1j * back.orientation), np.exp(1j * before.orientation), atol=1e-5)


def test_a_quarter_turn_is_the_one_that_images_make() -> None:
    # numpy's rot90 with k=-1 turns a picture clockwise: pixel (x, y) goes to (height - 1 - y, x)
    square = replace(photo(0, 3), size=(101, 101))
    clockwise = turned_photo(square, 2)
    assert np.allclose(clockwise.xy, np.stack((100 - square.xy[:, 1], square.xy[:, 0]), 1), atol=1e-3)
    assert np.allclose(clockwise.orientation, square.orientation + np.pi / 2)
