"""Putative matches of a shortlist against the same by hand, and the rotation that they vote for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from index.types import LocalFeatures
from retrieval.nearest import comparable as unit
from retrieval.nearest import mutual_nearest
from retrieval.putative import equal_counts, putative_matches, turned

CPU = torch.device("cpu")


def photo(seed: int, keypoints: int) -> LocalFeatures:
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        xy=(rng.random((keypoints, 2)) * (480, 360)).astype(np.float32),
        scale=rng.uniform(2, 20, keypoints).astype(np.float32),
        orientation=rng.uniform(0, 2 * np.pi, keypoints).astype(np.float32),
        descriptors=rng.integers(0, 120, (keypoints, 128)).astype(np.uint8),
        size=(480, 360),
    )


@settings(max_examples=20, deadline=None)
@given(
    own=st.integers(0, 40),
    others=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 1, 30, 64])), max_size=8),
)
def test_strengths_are_those_of_each_pair_by_hand(own: int, others: list[tuple[int, int]]) -> None:
    query, candidates = photo(100, own), [photo(seed, count) for seed, count in others]
    strengths = putative_matches(query, candidates, CPU).strength
    for candidate, strength in zip(candidates, strengths, strict=True):
        expected = 0.0
        if len(query) > 1 and len(candidate) > 1:
            matches = mutual_nearest(unit(query), unit(candidate))
            expected = float((matches.confidence**2).sum())
        elif len(query) and len(candidate):
            expected = strength  # without a second best nothing is distinct by hand
        assert strength == pytest.approx(expected, abs=1e-4)


def test_small_batches_give_the_same() -> None:
    query, candidates = photo(0, 40), [photo(seed, 40) for seed in range(1, 8)]
    whole = putative_matches(query, candidates, CPU)
    assert np.array_equal(putative_matches(query, candidates, CPU, memory=1).strength, whole.strength)


@pytest.mark.parametrize("eighths", range(8))
def test_a_rotation_that_the_matches_agree_on_is_found(eighths: int) -> None:
    query = photo(0, 64)
    lying = turned(query, eighths)
    wrapped = replace(lying, orientation=np.mod(lying.orientation, 2 * np.pi).astype(np.float32))
    assert putative_matches(query, [wrapped], CPU).turn.tolist() == [eighths]


def test_unrelated_photos_are_hardly_ever_turned() -> None:
    turns = putative_matches(photo(0, 256), [photo(seed, 256) for seed in range(1, 61)], CPU).turn
    assert (turns != 0).mean() < 0.15


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


@given(counts=st.lists(st.integers(0, 5), max_size=30), most=st.integers(0, 7))
def test_batches_hold_every_photo_once_and_no_more_than_allowed(counts: list[int], most: int) -> None:
    photos = [photo(0, count) for count in counts]
    batches = list(equal_counts(photos, lambda count: most * count))
    assert sorted(row for batch in batches for row in batch) == [row for row, count in enumerate(counts) if count]
    for batch in batches:
        assert len({counts[row] for row in batch}) == 1
        assert len(batch) <= max(1, most * counts[batch[0]])
