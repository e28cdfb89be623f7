"""Small networks without torch against the same networks with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings, strategies as st

from index.errors import InputError
from index.types import LocalFeatures, Matches
from retrieval.features.sift import SiftExtractor
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import DEFAULT
from retrieval.matching.lightglue.small.files import load_small_matcher
from retrieval.matching.lightglue.small.matcher import SmallMatcher
from retrieval.matching.lightglue.small.network import SmallNetwork
from synthetic.heads import draw_head
from tests.retrieval.oracles import (
    CPU,
    NEAR_TIE,
    PUBLISHED,
    decided_network,
    how_they_lie,
    random_features,
    smallest_margin,
    turned_photo,
)

TOY = LightGlueConfig(16, 32, 3, 2, add_scale_ori=True, depth_confidence=None)
NETWORKS = {
    "like turtle-sift": TOY,
    "one layer": replace(TOY, n_layers=1, num_heads=1),
    "as wide as its input": replace(TOY, input_dim=32, n_layers=2, num_heads=4),
    "positions only": replace(TOY, add_scale_ori=False),
    "kornia's frames": replace(TOY, frames="kornia"),
    "xfeat": replace(PUBLISHED["xfeat"], n_layers=3),
}


def without_torch(network: LightGlue) -> SmallMatcher:
    state = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    return SmallMatcher(SmallNetwork(state, network.config), "toy")


def require_alike(found: Matches, wanted: Matches) -> None:
    assert np.array_equal(found.pairs, wanted.pairs)
    assert found.pairs.dtype == np.int32
    assert found.confidence.dtype == np.float32
    assert np.abs(found.confidence - wanted.confidence).max(initial=0) < 1e-4


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=12)
@given(data=st.data())
def test_photos_match_as_with_torch(name: str, data: st.DataObject) -> None:
    network = decided_network(NETWORKS[name])
    query = random_features(0, data.draw(st.integers(1, 90), "query keypoints"), network.config)
    drawn = data.draw(
        st.lists(st.tuples(st.integers(1, 99), st.sampled_from([0, 1, 5, 64, 70]), st.floats(0, 1)), max_size=6), "new"
    )
    turns = data.draw(st.lists(st.integers(-4, 4), max_size=2), "turned")
    candidates = [random_features(seed, count, network.config, shared) for seed, count, shared in drawn]
    candidates += [turned_photo(query, eighths) for eighths in turns]
    wanted = LightGlueMatcher(network, "toy", CPU, torch.float32).match(query, candidates)
    found = without_torch(network).match(query, candidates)
    assert len(found) == len(candidates)
    for candidate, ours, theirs in zip(candidates, found, wanted, strict=True):
        if not np.array_equal(ours.pairs, theirs.pairs):
            turn = int(how_they_lie(query, [candidate])[0])
            one, other = turned_photo(query, max(turn, 0)), turned_photo(candidate, -min(turn, 0))
            assert smallest_margin(network, one, other) < NEAR_TIE
            event("a margin under 1e-5")
        else:
            require_alike(ours, theirs)


@pytest.fixture(scope="module")
def heads() -> list[LocalFeatures]:
    """Two photos of one drawn turtle, the second one turned too, and those of two others, one with fewer keypoints."""
    sift, fewer = SiftExtractor(512, 320), SiftExtractor(192, 320)
    query, again, stranger = (draw_head(turtle, photo, size=(320, 320)) for turtle, photo in ((3, 0), (3, 1), (4, 0)))
    turned = [np.ascontiguousarray(np.rot90(again, quarters)) for quarters in range(4)]
    return [sift.extract(query), *(sift.extract(one) for one in (*turned, stranger)), fewer.extract(draw_head(5, 0))]


def test_the_bundled_network_matches_drawn_heads_as_with_torch(heads: list[LocalFeatures]) -> None:
    query, *candidates = heads
    small = load_small_matcher(DEFAULT)
    assert small is not None
    trained = load_network(DEFAULT)
    wanted = LightGlueMatcher(trained.network, trained.id, CPU, torch.float32)
    assert small.id == wanted.id
    lying = how_they_lie(query, candidates)
    assert lying.min() < 0 < lying.max()  # both sides of a pair are turned
    found = small.match(query, candidates)
    assert max(one.confidence.sum() for one in found) > 10
    for ours, theirs in zip(found, wanted.match(query, candidates), strict=True):
        require_alike(ours, theirs)


def test_a_pair_has_the_same_bits_in_any_company_and_on_any_number_of_cores(
    heads: list[LocalFeatures], monkeypatch: pytest.MonkeyPatch
) -> None:
    query, *candidates = heads
    small = load_small_matcher(DEFAULT)
    assert small is not None
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    together = small.match(query, candidates)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for candidate, found in zip(candidates, together, strict=True):
        [alone] = small.match(query, [candidate])
        assert alone.pairs.tobytes() == found.pairs.tobytes()
        assert alone.confidence.tobytes() == found.confidence.tobytes()


def test_it_does_not_matter_which_photo_asks(heads: list[LocalFeatures]) -> None:
    query, *candidates = heads
    small = load_small_matcher(DEFAULT)
    assert small is not None
    for candidate, forth in zip(candidates, small.match(query, candidates), strict=True):
        [back] = small.match(candidate, [query])
        order = np.argsort(back.pairs[:, 1])
        assert np.array_equal(back.pairs[order][:, ::-1], forth.pairs)
        assert np.abs(back.confidence[order] - forth.confidence).max(initial=0) < 1e-4


@pytest.mark.parametrize("times", [30.0, 1000.0])
def test_similarities_beyond_the_range_of_exponentials_are_as_with_torch(times: float) -> None:
    network = decided_network(TOY)
    state = network.state_dict()
    for name, value in state.items():
        if "final_proj" in name or "to_qk" in name or "Wqkv" in name:
            value.mul_(times**0.5)
    network.load_state_dict(state)
    query, other = random_features(0, 60, TOY), random_features(1, 50, TOY)
    [wanted] = LightGlueMatcher(network, "toy", CPU, torch.float32).match(query, [other])
    [found] = without_torch(network).match(query, [other])
    assert len(wanted) > 10
    both = {tuple(pair) for pair in found.pairs.tolist()} & {tuple(pair) for pair in wanted.pairs.tolist()}
    assert len(both) > 0.9 * len(wanted)
    assert np.isfinite(found.confidence).all()


def test_of_keypoints_that_are_twice_there_one_is_matched() -> None:
    network = decided_network(TOY)
    once = random_features(0, 40, TOY)
    parts = [np.concatenate([part] * 2) for part in (once.xy, once.scale, once.orientation, once.descriptors)]
    twice = LocalFeatures(parts[0], parts[1], parts[2], parts[3], once.size)
    [found] = without_torch(network).match(twice, [random_features(1, 40, TOY)])
    assert len(np.unique(found.pairs[:, 1])) == len(found)


def test_photos_without_keypoints_have_no_matches() -> None:
    matcher = without_torch(decided_network(TOY))
    none, some = random_features(0, 0, TOY), random_features(1, 8, TOY)
    assert [len(matches) for matches in matcher.match(none, [some, none])] == [0, 0]
    assert [len(matches) for matches in matcher.match(some, [none])] == [0]
    assert matcher.match(some, []) == []


def test_descriptors_of_another_extractor_are_refused() -> None:
    photo = random_features(0, 8, PUBLISHED["xfeat"])
    with pytest.raises(InputError, match="16 values, these photos have 64"):
        without_torch(decided_network(TOY)).match(photo, [photo])
