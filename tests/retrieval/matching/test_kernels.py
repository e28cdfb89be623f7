import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numba.core.caching import CacheImpl, IndexDataCacheFile

from index.types import LocalFeatures, Matches
from retrieval.matching import ViewedFirstStage, first_stage
from retrieval.matching.kernels import compiled
from retrieval.matching.nearest import mutual_nearest, mutual_nearest_of_each
from retrieval.matching.verification import Verification, in_order, verify, verify_each


def features(rng: np.random.Generator, n: int, *, on_a_line: bool = False) -> LocalFeatures:
    xy = rng.uniform(0, 300, (n, 2)).astype(np.float32)
    return LocalFeatures(
        xy=xy[:, :1] * np.ones(2, np.float32) if on_a_line else xy,
        scale=rng.uniform(3, 20, n).astype(np.float32),
        orientation=rng.uniform(0, 2 * np.pi, n).astype(np.float32),
        descriptors=rng.integers(0, 255, (n, 128), dtype=np.uint8),
        size=(300, 260),
    )


def seen_again(photo: LocalFeatures, rng: np.random.Generator, spread: float) -> LocalFeatures:
    linear = np.array([[0.9, -0.3], [0.25, 1.1]])
    n = len(photo)
    return LocalFeatures(
        xy=(photo.xy @ linear.T + 30 + spread * rng.normal(size=(n, 2))).astype(np.float32),
        scale=(photo.scale * np.exp(0.02 * spread * rng.normal(size=n))).astype(np.float32),
        orientation=(photo.orientation + 0.3 + 0.02 * spread * rng.normal(size=n)).astype(np.float32),
        descriptors=photo.descriptors,
        size=(320, 280),
    )


def by_least_squares(query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> np.ndarray:
    """What `verify` does, match by match."""
    rule, kept = Verification(), np.zeros(len(matches), bool)
    first, second, pairs = query, candidate, matches.pairs
    if not in_order(query, candidate):
        first, second, pairs = candidate, query, matches.pairs[:, ::-1]
    rows = np.flatnonzero(matches.confidence > 0)
    rows = rows[np.lexsort((pairs[rows, 0], -matches.confidence[rows]))]
    own, other = pairs[rows].T
    weight, side = matches.confidence[rows].astype(np.float64), max(second.size)
    source, target = first.xy[own].astype(np.float64), second.xy[other].astype(np.float64)
    zoom = np.log(second.scale[other] / first.scale[own])
    turn = second.orientation[other] - first.orientation[own]
    agree, alike = [], []
    for zoomed, turned, start, end in zip(zoom, turn, source, target, strict=True):
        linear = np.exp(zoomed) * np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
        apart = np.linalg.norm((source - start) @ linear.T + end - target, axis=1)
        alike.append((abs(zoom - zoomed) < np.log(rule.zoom)) & (np.cos(turn - turned) > np.cos(rule.turn)))
        agree.append(alike[-1] & (apart < rule.coarse * side))
    if len(rows) < rule.fewest:
        return kept
    best = int(np.argmax(np.array(agree) @ weight))
    inliers, places = agree[best], np.column_stack([source, np.ones(len(source))])
    for _ in range(3):
        if inliers.sum() < rule.fewest:
            return kept
        root = np.sqrt(weight[inliers])[:, None]
        affine, *_ = np.linalg.lstsq(places[inliers] * root, target[inliers] * root, rcond=1e-6)
        inliers = alike[best] & (np.linalg.norm(places @ affine - target, axis=1) < rule.fine * side)
    kept[rows] = inliers if inliers.sum() >= rule.fewest else False
    return kept


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 25), st.booleans())
@settings(max_examples=60)
def test_verification_keeps_what_least_squares_explain(seed: int, spread: float, on_a_line: bool) -> None:
    rng = np.random.default_rng(seed)
    query = features(rng, 70, on_a_line=on_a_line)
    candidate = seen_again(query, rng, spread)
    own = rng.permutation(70)
    there = np.where(np.arange(70) < 30, own, rng.permutation(own))
    matches = Matches(np.stack([own, there], 1).astype(np.int32), rng.random(70, np.float32))
    kept = verify(query, candidate, matches).confidence > 0
    expected = by_least_squares(query, candidate, matches)
    assert (kept != expected).sum() <= 1  # at a tolerance's very edge, float32 may say otherwise


def test_what_a_pair_gets_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(1)
    query = features(rng, 90)
    others = [seen_again(query, rng, 4.0), features(rng, 30), features(rng, 0), features(rng, 130)]
    described = [rng.random((len(one), 128), np.float32) for one in (query, *others)]
    found = mutual_nearest_of_each(described[0], described[1:])
    found[0] = Matches(np.stack([np.arange(90)] * 2, 1).astype(np.int32), np.full(90, 0.5, np.float32))
    for one, alone in zip(found[1:], described[2:], strict=True):
        again = mutual_nearest(described[0], alone)
        assert np.array_equal(one.pairs, again.pairs)
        assert np.array_equal(one.confidence, again.confidence)
    together = verify_each(query, others, found)
    assert together[0].confidence.all()
    for candidate, matches, one in zip(others, found, together, strict=True):
        assert np.array_equal(verify(query, candidate, matches).confidence, one.confidence)
    assert verify_each(query, [], []) == []


def test_a_photo_without_keypoints_matches_nobody_and_takes_nobodys_matches() -> None:
    rng = np.random.default_rng(2)
    query, other = (rng.random((64, 128), np.float32) for _ in range(2))
    waiting = np.zeros((0, 1), np.float32)
    alone = mutual_nearest(query, other)
    for candidates in ([waiting, other], [other, waiting], [waiting, other, waiting]):
        for _ in range(20):
            found = mutual_nearest_of_each(query, candidates)
            assert [len(one) for one in found] == [len(alone) if one is other else 0 for one in candidates]
    assert len(mutual_nearest(waiting, waiting)) == len(mutual_nearest(waiting, other)) == 0
    nothing = replace(features(rng, 0), descriptors=np.zeros((0, 1), np.float16))
    assert [len(one) for one in first_stage(features(rng, 64), [nothing])] == [0]
    assert [len(one) for one in ViewedFirstStage()(features(rng, 64), [nothing])] == [0]


def test_of_equal_neighbours_the_first_counts_and_with_no_confidence() -> None:
    query = np.array([[0.6, 0.8], [0.6, 0.8], [-1, 0]], np.float32)
    candidate = np.array([[-1, 0], [0.8, 0.6], [0.8, 0.6]], np.float32)
    found = mutual_nearest(query, candidate)
    assert found.pairs.tolist() == [[0, 1], [2, 0]]
    assert found.confidence.tolist() == [0.0, 1.0]


def doubled(values: np.ndarray) -> np.ndarray:
    return values * 2


def test_where_nothing_can_be_kept_each_process_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert compiled(doubled)(np.arange(3)).tolist() == [0, 2, 4]


def test_a_full_disk_hinders_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert compiled(doubled)(np.arange(3)).tolist() == [0, 2, 4]
    assert compiled(doubled)(np.arange(3.0)).tolist() == [0, 2, 4]


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("kept", [0, 20])
def test_what_was_kept_and_is_damaged_is_compiled_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str, kept: int
) -> None:
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    assert compiled(doubled)(np.arange(3)).tolist() == [0, 2, 4]
    [file] = tmp_path.rglob(f"*.{ending}")
    file.write_bytes(file.read_bytes()[:kept])
    once_more = compiled(doubled)
    assert once_more(np.arange(3)).tolist() == once_more(np.arange(3)).tolist() == [0, 2, 4]
