"""Two witnesses: what both matchers say of each match, and never two matches of one keypoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, strategies as st

from index.errors import WeightsUnavailable
from index.types import LocalFeatures, Matches
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.features.sift import SiftExtractor
from retrieval.matching.fusion import NEIGHBOURS, BlendedMatcher, blended
from retrieval.matching.nearest import NearestNeighbourMatcher
from synthetic.heads import draw_head


def matches(*found: tuple[int, int, float]) -> Matches:
    pairs = np.array([(own, other) for own, other, _ in found], np.int32).reshape(-1, 2)
    return Matches(pairs, np.array([confidence for *_, confidence in found], np.float32))


def triples(found: Matches) -> list[tuple[int, int, object]]:
    together = zip(found.pairs.tolist(), found.confidence.tolist(), strict=True)
    return [(own, other, pytest.approx(confidence)) for (own, other), confidence in together]


def test_confidences_are_weighted_means_and_silence_counts_as_none() -> None:
    found = blended(matches((0, 0, 0.9), (1, 2, 0.5)), matches((0, 0, 0.2), (3, 1, 0.1)), 4, 3)
    own = 1 - NEIGHBOURS
    assert triples(found) == [(0, 0, own * 0.9 + NEIGHBOURS * 0.2), (1, 2, own * 0.5), (3, 1, NEIGHBOURS * 0.1)]


def test_where_the_two_disagree_the_more_confident_match_stays() -> None:
    assert triples(blended(matches((0, 0, 0.9)), matches((0, 1, 0.1)), 1, 2)) == [(0, 0, 0.9 * (1 - NEIGHBOURS))]
    assert triples(blended(matches((0, 0, 0.1)), matches((1, 0, 0.1)), 2, 1)) == [(1, 0, 0.1 * NEIGHBOURS)]


def test_nothing_comes_of_nothing() -> None:
    assert len(blended(matches(), matches(), 5, 5)) == 0


found_pairs = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6), st.floats(0.01, 1.0)),
    max_size=6,
    unique_by=(lambda one: one[0], lambda one: one[1]),
)


@given(found_pairs, found_pairs)
def test_no_keypoint_has_two_matches_and_the_query_has_no_privilege(
    sure: list[tuple[int, int, float]], distinct: list[tuple[int, int, float]]
) -> None:
    found = blended(matches(*sure), matches(*distinct), 6, 7)
    for column in found.pairs.T:
        assert len(set(column.tolist())) == len(column)
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    first, second = (matches(*((other, own, how) for own, other, how in one)) for one in (sure, distinct))
    back = blended(first, second, 7, 6)
    weighed = [one[2] * share for share, some in ((0.2, sure), (0.8, distinct)) for one in some]
    if len({round(one, 4) for one in weighed}) == len(weighed):  # of equals the first stays, and the order turns round
        assert sorted(map(tuple, back.pairs[:, ::-1].tolist())) == sorted(map(tuple, found.pairs.tolist()))


@dataclass(frozen=True)
class Silent:
    """A network that finds nothing."""

    id: str = "silent"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        del query, first_matches
        return [matches() for _ in candidates]


def test_beside_a_silent_network_neighbours_remain() -> None:
    first, second = (SiftExtractor(128, 320).extract(draw_head(1, photo, size=(320, 256))) for photo in (0, 1))
    matcher = BlendedMatcher(Silent())
    [both], [alone] = matcher.match(first, [second]), NearestNeighbourMatcher().match(first, [second])
    said = alone.confidence * np.float32(NEIGHBOURS)
    assert np.allclose(both.confidence, said[said > 1e-3])
    assert "silent" in matcher.id
    assert NearestNeighbourMatcher.id in matcher.id


@pytest.mark.parametrize(("name", "said"), [("nosuch+nearest", "called nosuch and"), ("+nearest", r"called \+nearest")])
def test_a_network_that_is_not_there_is_named(name: str, said: str) -> None:
    with pytest.raises(WeightsUnavailable, match=said):
        Engine.load(options=EngineOptions(matcher=name))


def test_a_network_beside_neighbours_is_chosen_by_name() -> None:
    chosen = Engine.load(options=EngineOptions(matcher="turtle-sift+nearest"))
    assert isinstance(chosen.matcher, BlendedMatcher)
    assert chosen.reranking.keep is not None
