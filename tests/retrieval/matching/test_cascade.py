"""The cascade and what becomes of each candidate, with a matcher that records what it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.matching.cascade import RerankRecipe, first_stage, rerank, strength, strongest
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.matching.verification import verify


@dataclass
class RecordingMatcher:
    """Matches like nearest neighbours and remembers the candidates."""

    id: str = "recording"
    shown: list[LocalFeatures] = field(default_factory=list)
    told: list[Matches] = field(default_factory=list)

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        self.shown += candidates
        self.told += first_matches or []
        return NearestNeighbourMatcher().match(query, candidates)


def view_of(descriptors: np.ndarray, seed: int, same: int) -> LocalFeatures:
    """A photo that shares its first `same` descriptors, at the same places, with all others of these."""
    rng, common = np.random.default_rng(seed), np.random.default_rng(0)
    own = rng.integers(0, 120, descriptors.shape)
    own[:same] = descriptors[:same]
    xy = common.random((len(own), 2)) * 300
    xy[same:] = rng.random((len(own) - same, 2)) * 300
    return LocalFeatures(
        xy=xy.astype(np.float32),
        scale=np.full(len(own), 5, np.float32),
        orientation=np.zeros(len(own), np.float32),
        descriptors=own.astype(np.uint8),
        size=(300, 300),
    )


DESCRIPTORS = np.random.default_rng(1).integers(0, 120, (64, 128))
QUERY = view_of(DESCRIPTORS, 2, 64)
CANDIDATES = [view_of(DESCRIPTORS, 10 + same, same) for same in (0, 60, 5, 40, 20)]


def test_the_candidates_with_the_strongest_first_look_are_compared() -> None:
    matcher = RecordingMatcher()
    found = rerank(QUERY, CANDIDATES, matcher, RerankRecipe(keep=2))
    assert [matches is not None for matches in found] == [False, True, False, True, False]
    assert matcher.shown == [CANDIDATES[1], CANDIDATES[3]]
    for told, look in zip(matcher.told, first_stage(QUERY, matcher.shown), strict=True):
        assert np.array_equal(told.pairs, look.pairs)
        assert np.array_equal(told.confidence, look.confidence)


def test_everything_is_compared_without_a_cascade() -> None:
    for keep in (None, 5, 9):
        assert all(rerank(QUERY, CANDIDATES, RecordingMatcher(), RerankRecipe(keep=keep)))


def test_of_equals_the_first_stay() -> None:
    first_matches = first_stage(QUERY, [CANDIDATES[3]] * 4)
    assert strongest([strength(look.confidence) for look in first_matches], 2) == [0, 1]
    assert strongest([1.0, 3.0, 2.0], 2) == [1, 2]


def test_matches_are_verified_if_the_recipe_says_so() -> None:
    plain = NearestNeighbourMatcher().match(QUERY, CANDIDATES)
    verified = rerank(QUERY, CANDIDATES, RecordingMatcher(), RerankRecipe())
    bare = rerank(QUERY, CANDIDATES, RecordingMatcher(), RerankRecipe(verification=None))
    for candidate, raw, strict, loose in zip(CANDIDATES, plain, verified, bare, strict=True):
        assert strict is not None
        assert loose is not None
        assert np.array_equal(loose.confidence, raw.confidence)
        assert np.array_equal(strict.confidence, verify(QUERY, candidate, raw).confidence)
    assert any((a.confidence != b.confidence).any() for a, b in zip(verified, bare, strict=True) if a and b)


def test_the_others_keep_a_share_of_their_first_look() -> None:
    matcher = RecordingMatcher()
    found = rerank(QUERY, CANDIDATES, matcher, RerankRecipe(keep=2, others=0.5))
    first_matches = first_stage(QUERY, CANDIDATES)
    for row, (matches, look) in enumerate(zip(found, first_matches, strict=True)):
        assert matches is not None
        share = 1.0 if row in (1, 3) else 0.5
        np.testing.assert_allclose(matches.confidence, share * look.confidence, rtol=1e-6)
    assert matcher.shown == [CANDIDATES[1], CANDIDATES[3]]


def test_a_recipe_says_whom_the_matcher_sees() -> None:
    recipes = [RerankRecipe(), RerankRecipe(50), RerankRecipe(50, others=0.5), RerankRecipe(50, others=0.8)]
    assert [recipe.seen for recipe in recipes] == ["all", "50", "50+0.5", "50+0.8"]
