from dataclasses import replace

import numpy as np
from hypothesis import given, settings, strategies as st

from index.types import LocalFeatures, Matches
from retrieval.features.sift import SiftExtractor, rootsift
from retrieval.matching.nearest import NearestNeighbourMatcher, mutual_nearest
from retrieval.matching.verification import Verification, verify
from synthetic.heads import draw_head


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, 16)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40))
@settings(max_examples=40)
def test_matches_are_mutual_nearest_neighbours_whichever_photo_asks(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = unit(rng, n), unit(rng, m)
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    expected = {
        (i, j) for i in range(n) for j in range(m) if distance[i].argmin() == j and distance[:, j].argmin() == i
    }
    forth, back = mutual_nearest(a, b), mutual_nearest(b, a)
    assert {(int(i), int(j)) for i, j in forth.pairs} == expected
    confidences = {(int(i), int(j)): c for (i, j), c in zip(forth.pairs, forth.confidence, strict=True)}
    for (j, i), c in zip(back.pairs, back.confidence, strict=True):
        assert np.isclose(confidences[int(i), int(j)], c, atol=1e-4)
    assert ((forth.confidence >= 0) & (forth.confidence <= 1)).all()


def test_confidence_is_one_minus_the_larger_distance_ratio() -> None:
    a = np.array([[1, 0], [0, 1]], np.float32)
    angle = 0.2
    b = np.array([[np.cos(angle), np.sin(angle)], [-1, 0]], np.float32)
    [[i, j]] = mutual_nearest(a, b).pairs
    best = np.linalg.norm(a[i] - b[j])
    second = min(np.linalg.norm(a[i] - b[1 - j]), np.linalg.norm(a[1 - i] - b[j]))
    assert (i, j) == (0, 0)
    assert np.isclose(mutual_nearest(a, b).confidence[0], 1 - best / second, atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.booleans())
@settings(max_examples=40)
def test_a_keypoint_that_is_there_twice_says_nothing(seed: int, n: int, among_the_query: bool) -> None:
    rng = np.random.default_rng(seed)
    once = unit(rng, n)
    twice = np.concatenate([once[:1], once])
    matches = mutual_nearest(twice, once) if among_the_query else mutual_nearest(once, twice)
    doubtful = matches.pairs[:, 1 - among_the_query] == 0
    assert doubtful.any()
    assert (matches.confidence[doubtful] == 0).all()
    assert (matches.confidence[~doubtful] > 0.98).all()


def turned(features: LocalFeatures, angle: float, zoom: float, shift: tuple[float, float]) -> LocalFeatures:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return LocalFeatures(
        xy=(zoom * features.xy @ rotation.T + shift).astype(np.float32),
        scale=(zoom * features.scale).astype(np.float32),
        orientation=((features.orientation + angle) % (2 * np.pi)).astype(np.float32),
        descriptors=features.descriptors,
        size=features.size,
    )


def random_features(rng: np.random.Generator, n: int) -> LocalFeatures:
    return LocalFeatures(
        xy=rng.uniform(0, 300, (n, 2)).astype(np.float32),
        scale=rng.uniform(3, 20, n).astype(np.float32),
        orientation=rng.uniform(0, 2 * np.pi, n).astype(np.float32),
        descriptors=rng.integers(0, 255, (n, 128), dtype=np.uint8),
        size=(300, 300),
    )


@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.floats(0.5, 2.0))
@settings(max_examples=25)
def test_verification_finds_the_similarity_among_wrong_matches(seed: int, angle: float, zoom: float) -> None:
    rng = np.random.default_rng(seed)
    query = random_features(rng, 60)
    candidate = turned(query, angle, zoom, (20, -10))
    right = np.stack([np.arange(25), np.arange(25)], axis=1)
    wrong = np.stack([np.arange(25, 60), rng.permutation(np.arange(25, 60))], axis=1)
    matches = Matches(np.concatenate([right, wrong]).astype(np.int32), np.full(60, 0.5, np.float32))
    verified = verify(query, candidate, matches)
    assert (verified.confidence[:25] == 0.5).all()
    truly_wrong = matches.pairs[:, 0] != matches.pairs[:, 1]
    assert (verified.confidence[truly_wrong] == 0).sum() >= 0.8 * truly_wrong.sum()
    assert np.array_equal(verified.pairs, matches.pairs)


def test_verification_never_raises_a_confidence_and_is_repeatable() -> None:
    rng = np.random.default_rng(3)
    query, candidate = random_features(rng, 80), random_features(rng, 80)
    matches = NearestNeighbourMatcher().match(query, [candidate])[0]
    once, again = verify(query, candidate, matches), verify(query, candidate, matches)
    assert (once.confidence <= matches.confidence).all()
    assert np.array_equal(once.confidence, again.confidence)


@given(st.integers(0, 2**32 - 1), st.floats(-np.pi, np.pi), st.floats(0.5, 2.0), st.booleans())
@settings(max_examples=40)
def test_verification_rejects_the_same_matches_whichever_photo_asks(
    seed: int, angle: float, zoom: float, alike: bool
) -> None:
    rng = np.random.default_rng(seed)
    query = random_features(rng, 40)
    moved = turned(query, angle, zoom, (20, -10))
    # ten are about right, and many of the others near to the tolerances
    astray = np.where(np.arange(40) < 10, 0.2, 1.0)
    candidate = replace(
        moved,
        xy=(moved.xy + astray[:, None] * rng.normal(size=(40, 2)) * zoom * 20).astype(np.float32),
        scale=(moved.scale * np.exp(astray * rng.normal(size=40) / 2)).astype(np.float32),
        orientation=(moved.orientation + astray * rng.normal(size=40) / 3).astype(np.float32),
        size=(200, 280),
    )
    own, other = rng.permutation(40), np.arange(40)
    confidence = np.full(40, 0.5, np.float32) if alike else rng.random(40).astype(np.float32)
    there = np.stack([own, np.where((own >= 10) & (rng.random(40) < 0.3), other, own)], 1).astype(np.int32)
    rows = rng.permutation(40)
    forth = verify(query, candidate, Matches(there, confidence)).confidence
    back = verify(candidate, query, Matches(there[rows][:, ::-1], confidence[rows])).confidence
    assert np.array_equal(forth[rows], back)
    assert forth.any()


def test_matches_that_only_two_others_or_none_agree_with_are_rejected() -> None:
    rng = np.random.default_rng(4)
    query, candidate = random_features(rng, 12), random_features(rng, 12)
    alike = Matches(np.stack([np.arange(12)] * 2, 1).astype(np.int32), np.ones(12, np.float32))
    left = [int((verify(query, candidate, alike, Verification(fewest=n)).confidence > 0).sum()) for n in (1, 3)]
    assert left[0] in (1, 2)
    assert left[1] == 0


def test_fewer_than_three_matches_prove_nothing() -> None:
    rng = np.random.default_rng(4)
    features = random_features(rng, 10)
    two = Matches(np.array([[0, 0], [1, 1]], np.int32), np.ones(2, np.float32))
    assert (verify(features, features, two).confidence == 0).all()
    none = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    assert len(verify(features, features, none)) == 0


def test_the_same_drawn_turtle_matches_better_than_another() -> None:
    extractor = SiftExtractor()
    query, same, other = (
        extractor.extract(draw_head(individual, photograph, size=(320, 256)))
        for individual, photograph in ((1, 0), (1, 1), (2, 0))
    )
    matched = NearestNeighbourMatcher().match(query, [same, other])
    right, wrong = (
        verify(query, candidate, one, Verification()).confidence.sum()
        for candidate, one in zip((same, other), matched, strict=True)
    )
    assert right > 3 * wrong


def test_candidates_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(5)
    query, *others = (random_features(rng, n) for n in (70, 64, 100, 80))
    together = NearestNeighbourMatcher().match(query, others)
    for candidate, matches in zip(others, together, strict=True):
        [alone] = NearestNeighbourMatcher().match(query, [candidate])
        assert np.array_equal(alone.pairs, matches.pairs)
        assert np.array_equal(alone.confidence, matches.confidence)
    assert np.allclose(np.linalg.norm(rootsift(query.descriptors.astype(np.uint8)), axis=1), 1, atol=1e-5)
