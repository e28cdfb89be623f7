import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import binom

from index.types import LocalFeatures, Matches
from retrieval.matching.position_verification import TRIALS, more_than_chance, verify_positions
from retrieval.matching.verification import has_frames


def features(xy: np.ndarray, orientation: float = 0.0) -> LocalFeatures:
    n = len(xy)
    return LocalFeatures(
        xy.astype(np.float32),
        np.full(n, 32, np.float32),
        np.full(n, orientation, np.float32),
        np.zeros((n, 64), np.float16),
        (480, 360),
    )


def row(n: int, confidence: float = 0.5) -> Matches:
    return Matches(np.stack([np.arange(n)] * 2, axis=1).astype(np.int32), np.full(n, confidence, np.float32))


@given(st.integers(0, 99), st.floats(-0.6, 0.6), st.floats(0.7, 1.4))
def test_what_one_affine_map_explains_is_kept_and_the_rest_is_not(seed: int, turn: float, zoom: float) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(40, 320, (60, 2))
    affine = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), 0.9 * np.cos(turn)]])
    moved = xy @ affine.T + 20
    wrong = np.arange(60) >= 40
    moved[wrong] += 150 * np.sign(rng.normal(size=(20, 2)))
    verified = verify_positions(features(xy), features(moved), row(60))
    assert (verified.confidence[~wrong] == 0.5).all()
    assert (verified.confidence[wrong] > 0).mean() < 0.5
    again = verify_positions(features(xy), features(moved), row(60))
    assert np.array_equal(verified.confidence, again.confidence)


def test_two_matches_explain_nothing() -> None:
    xy = np.array([[1.0, 2.0], [30.0, 4.0]])
    assert not verify_positions(features(xy), features(xy), row(2)).confidence.any()
    assert not verify_positions(features(xy[:0]), features(xy[:0]), row(0)).confidence.size


@pytest.mark.parametrize("count", [3, 4, 40, 200])
def test_matches_at_random_are_rejected(count: int) -> None:
    rng, kept = np.random.default_rng(0), []
    for _ in range(25):
        one, other = (features(rng.uniform(0, 360, (count, 2))) for _ in range(2))
        kept.append(verify_positions(one, other, row(count)).confidence.any())
    assert sum(kept) <= 1


@given(st.integers(3, 500), st.floats(1e-4, 0.05))
def test_what_chance_gives_is_what_random_maps_would_find(matches: int, share: float) -> None:
    fewest = more_than_chance(matches, share)
    found = [TRIALS * binom.sf(fewest - 4 - step, matches - 3, share) for step in (0, 1)]
    assert fewest == matches + 1 or found[0] < 1
    assert fewest == 3 or found[1] >= 1


@pytest.mark.parametrize("linear", [[[-1, 0], [0, 1]], [[1, 0], [0, 0.1]], [[0.1, 0], [0, 0.1]]])
def test_maps_that_no_two_photos_of_a_head_have_explain_nothing(linear: list[list[float]]) -> None:
    xy = np.random.default_rng(0).uniform(0, 300, (30, 2))
    moved = xy @ np.array(linear).T + 100
    assert verify_positions(features(xy), features(xy + 3), row(30)).confidence.all()
    assert not verify_positions(features(xy), features(moved), row(30)).confidence.any()


@given(st.integers(0, 99))
def test_it_does_not_matter_which_photo_asks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = features(rng.uniform(0, 300, (40, 2))), features(rng.uniform(0, 300, (40, 2)))
    pairs = np.stack([np.arange(40), rng.permutation(40)], 1).astype(np.int32)
    back = np.argsort(pairs[:, 1])
    forth = verify_positions(one, other, Matches(pairs, np.full(40, 0.5, np.float32))).confidence
    again = verify_positions(other, one, Matches(pairs[back][:, ::-1], np.full(40, 0.5, np.float32))).confidence
    assert np.array_equal(forth[back], again)


def test_matches_without_confidence_do_not_vote() -> None:
    xy = np.random.default_rng(0).uniform(0, 300, (10, 2))
    assert not verify_positions(features(xy), features(xy), row(10, 0.0)).confidence.any()


def test_keypoints_without_orientation_are_known_by_it() -> None:
    assert not has_frames(features(np.zeros((3, 2))))
    assert has_frames(features(np.zeros((3, 2)), 1.0))
