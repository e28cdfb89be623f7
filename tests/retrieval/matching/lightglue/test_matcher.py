"""Batches against each pair alone and against kornia, and what reduced precision moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings, strategies as st
from safetensors.torch import load_file

from benchmarks.matching.implementations import kornia_of
from index.errors import DeviceUnavailable, InputError
from index.types import LocalFeatures
from retrieval.devices import choose_device
from retrieval.features.sift import SiftExtractor
from retrieval.matching.lightglue import attention
from retrieval.matching.lightglue.assignment import Assigned
from retrieval.matching.lightglue.attention import attend, attend_both
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.matcher import LightGlueMatcher, Tokens
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import DEFAULT
from retrieval.matching.lightglue.workspace import Workspace
from retrieval.scoring.confidences import PairConfidences, pair_confidences
from retrieval.scoring.score import Score
from retrieval.scoring.wasserstein import no_null, score_pairs
from synthetic.heads import draw_head
from tests.retrieval.oracles import (
    CPU,
    NEAR_TIE,
    PUBLISHED,
    SHARED,
    TOY,
    ask_oracle,
    decided_network,
    golden_views,
    how_they_lie,
    part_of,
    random_features,
    smallest_margin,
    turned_photo,
)

DEVICES = [CPU, torch.device("cuda")][: 1 + torch.cuda.is_available()]


@pytest.mark.skipif(not SHARED.exists(), reason="the pretrained weights are not beside the repository")
def test_real_weights_in_batches_equal_kornia_and_bear_reduced_precision() -> None:
    network = LightGlue.from_state_dict(load_file(SHARED / "xfeat_lighterglue_l3.safetensors"))
    query, view = golden_views()
    query = part_of(query, slice(0, 512))
    candidates = [part_of(view, slice(start, start + 256)) for start in (0, 256, 512, 768)]
    exact, reduced = (
        LightGlueMatcher(network, "xfeat", CPU, precision).match(query, candidates)
        for precision in (torch.float32, torch.bfloat16)
    )
    oracle = kornia_of(network, CPU)
    for candidate, ours, rough in zip(candidates, exact, reduced, strict=True):
        answer = ask_oracle(oracle, query, candidate)
        assert np.array_equal(ours.pairs, answer["matches"][0].numpy())
        assert np.abs(ours.confidence - answer["scores"][0].numpy()).max() < 1e-4
        # these pairs have mean confidences of 0.22 to 0.46
        assert abs(ours.confidence.sum() - rough.confidence.sum()) / 256 < 3e-3


@pytest.mark.parametrize("device", DEVICES, ids=str)
@settings(max_examples=15)
@given(data=st.data())
def test_a_pair_gets_in_any_batch_what_it_gets_alone(device: torch.device, data: st.DataObject) -> None:
    exit_share = data.draw(st.sampled_from([None, 0.5, 0.8]), "depth_confidence")
    network = decided_network(replace(TOY, depth_confidence=exit_share))
    memory, threads = data.draw(st.sampled_from([1, 1 << 20]), "memory"), data.draw(st.integers(1, 3), "threads")
    matcher = LightGlueMatcher(network, "toy", device, torch.float32, memory, threads)
    query = random_features(0, data.draw(st.integers(1, 90), "query keypoints"), TOY)
    drawn = data.draw(
        st.lists(st.tuples(st.integers(1, 99), st.sampled_from([1, 5, 64, 70]), st.floats(0, 1)), max_size=12), "photos"
    )
    candidates = [random_features(seed, count, TOY, shared) for seed, count, shared in drawn]
    together = matcher.match(query, candidates)
    assert len(together) == len(candidates)
    for candidate, found in zip(candidates, together, strict=True):
        alone = matcher.match(query, [candidate])[0]
        if not np.array_equal(found.pairs, alone.pairs):
            turn = int(how_they_lie(query, [candidate])[0])
            assert (
                smallest_margin(network, turned_photo(query, max(turn, 0)), turned_photo(candidate, -min(turn, 0)))
                < NEAR_TIE
            )
            event("a margin under 1e-5")
        elif len(found):
            assert np.abs(found.confidence - alone.confidence).max() < 1e-4


def test_a_batch_takes_no_more_memory_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(TOY, depth_confidence=None)
    query, *candidates = (random_features(seed, 64, config) for seed in range(25))
    # what the update networks of both photos hold at once: what they read, and twice as wide what they make of it
    least = 4 * 2 * 64 * 6 * config.descriptor_dim

    def batches(pairs: int) -> list[int]:
        matcher, sizes = LightGlueMatcher(decided_network(config), "toy", CPU, memory=pairs * least, threads=1), []

        def assign(own: Tokens, others: Tokens, room: Workspace) -> Assigned:
            sizes.append(len(own.x))
            return LightGlueMatcher.assign(matcher, own, others, room)

        monkeypatch.setattr(matcher, "assign", assign)
        matcher.match(query, candidates)
        return sizes

    assert max(batches(4)) <= 4
    assert sum(batches(4)) == sum(batches(1000)) == 24
    assert len(batches(1000)) == 1


def test_batches_stop_each_pair_where_kornia_stops_it() -> None:
    network = decided_network(replace(TOY, depth_confidence=0.8))
    # of one orientation, because kornia does not turn the query
    query, *candidates = (
        replace(random_features(seed, 64, TOY, seed / 24 if seed else 0.5), orientation=np.full(64, 0.5, np.float32))
        for seed in range(25)
    )
    together = LightGlueMatcher(network, "toy", CPU, torch.float32).match(query, candidates)
    oracle, stops, ties = kornia_of(network, CPU, 0.8), set(), 0
    for candidate, found in zip(candidates, together, strict=True):
        answer = ask_oracle(oracle, query, candidate)
        stops.add(int(answer["stop"]))
        if np.array_equal(found.pairs, answer["matches"][0].numpy()):
            assert np.abs(found.confidence - answer["scores"][0].numpy()).max() < 1e-4
        else:
            assert smallest_margin(network, query, candidate) < NEAR_TIE
            ties += 1
    assert len(stops) > 1
    assert ties <= 1


def test_one_photo_is_turned_to_lie_like_the_other() -> None:
    network = decided_network(TOY)
    matcher = LightGlueMatcher(network, "toy", CPU, torch.float32)
    query = random_features(0, 128, TOY)
    candidates = [turned_photo(query, eighths) for eighths in range(8)]
    for candidate, matches in zip(candidates, matcher.match(query, candidates), strict=True):
        stays = candidate if how_they_lie(query, [candidate])[0] > 0 else query
        upright = matcher.match(stays, [stays])[0]
        assert np.array_equal(matches.pairs, upright.pairs)
        assert np.abs(matches.confidence - upright.confidence).max() < 1e-4


@pytest.mark.parametrize(("precision", "near"), [(torch.float32, 1e-4), (torch.bfloat16, 3e-2)])
def test_a_pair_gets_the_same_whichever_photo_asks(precision: torch.dtype, near: float) -> None:
    matcher = LightGlueMatcher(decided_network(TOY), "toy", CPU, precision)
    query = random_features(0, 128, TOY)
    photos = [*(turned_photo(query, n) for n in range(8)), *(random_features(n, 96, TOY) for n in range(1, 5))]
    assert {np.sign(how_they_lie(query, [photo])[0]) for photo in photos} == {-1, 0, 1}
    for photo, forth in zip(photos, matcher.match(query, photos), strict=True):
        back = matcher.match(photo, [query])[0]
        order = np.argsort(back.pairs[:, 1])
        if precision == torch.float32:
            assert np.array_equal(back.pairs[order][:, ::-1], forth.pairs)
            assert np.abs(back.confidence[order] - forth.confidence).max() < near
        assert abs(back.confidence.sum() - forth.confidence.sum()) < near * forth.confidence.sum()


def test_reduced_precision_moves_confidences_little() -> None:
    network = decided_network(replace(PUBLISHED["xfeat"], n_layers=4))
    query = random_features(0, 64, network.config)
    candidates = [random_features(seed, 64, network.config, seed / 6) for seed in range(1, 7)]
    exact, reduced = (
        [
            float(matches.confidence.sum())
            for matches in LightGlueMatcher(network, "toy", CPU, precision).match(query, candidates)
        ]
        for precision in (torch.float32, torch.bfloat16)
    )
    spread = max(exact) - min(exact)
    assert max(abs(a - b) for a, b in zip(exact, reduced, strict=True)) < 0.02 * spread
    assert np.array_equal(np.argsort(exact), np.argsort(reduced))


def test_reduced_precision_moves_scores_by_less_than_a_tenth_of_the_nulls_spread() -> None:
    network = load_network(DEFAULT).network
    sift = SiftExtractor(192, 320)
    query, same, *different = (
        sift.extract(draw_head(turtle, photo, size=(320, 256)))
        for turtle, photo in [(0, 0), (0, 1), *((turtle, 0) for turtle in range(1, 8))]
    )
    exact, reduced = (
        mean_confidences(LightGlueMatcher(network, "own", CPU, precision), query, [same, *different])
        for precision in (torch.float32, torch.bfloat16)
    )
    spread = exact[1:].std()
    assert 0 < np.abs(reduced - exact).max() < 0.1 * spread
    assert exact.argmax() == reduced.argmax()


def mean_confidences(matcher: LightGlueMatcher, query: LocalFeatures, photos: list[LocalFeatures]) -> np.ndarray:
    """Scores before any fit."""
    found = matcher.match(query, photos)
    pairs = [pair_confidences(one, len(query), len(photo)) for one, photo in zip(found, photos, strict=True)]
    return score_pairs(PairConfidences.of(pairs), no_null(), Score.WASSERSTEIN)


@pytest.mark.parametrize("at_once", [1, 2, 3, 6])
def test_heads_attend_a_few_at_a_time_as_all_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    one, other, values0, values1 = (torch.randn(2, 6, n, 16).bfloat16() for n in (70, 40, 70, 40))
    one[1] *= 300  # of which one pair asks for care, and the other must not notice
    together = attend_both(one, other, values0, values1, Workspace())
    monkeypatch.setattr(attention, "SIMILARITIES", at_once * 70 * 40)
    found = attend_both(one, other, values0, values1, Workspace())
    for few, all_heads in zip(
        (*found, attend(one, other, values1, Workspace())), (*together, together[0]), strict=True
    ):
        assert (few.float() - all_heads.float()).abs().max() < 0.03
    alone = attend_both(one[:1], other[:1], values0[:1], values1[:1], Workspace())
    assert all(torch.equal(of_both[0], of_one[0]) for of_both, of_one in zip(found, alone, strict=True))


def test_both_ways_of_attention_agree() -> None:
    torch.manual_seed(0)
    one, other, values0, values1 = (torch.randn(2, 4, n, 16) for n in (70, 40, 70, 40))
    exact = attend_both(one / 2, other / 2, values0, values1, Workspace())
    a, b, v0, v1 = (part.to(torch.bfloat16) for part in (one / 2, other / 2, values0, values1))
    spelt_out, back = attend_both(a, b, v0, v1, Workspace()), attend(b, a, v0, Workspace())
    for plain, rough in zip((*exact, exact[1]), (*spelt_out, back), strict=True):
        assert (plain - rough.float()).abs().max() < 0.03


@pytest.mark.parametrize("apart", [1.0, 10.0, 300.0])
def test_keypoints_that_resemble_none_attend_as_precisely_as_others(apart: float) -> None:
    torch.manual_seed(0)
    one, other, values0, values1 = (torch.randn(1, 2, n, 8).to(torch.bfloat16) for n in (50, 30, 50, 30))
    # the first keypoint's similarities all lie that far below the others'
    one[..., 0], other[..., 0] = 0.0, 1.0
    one[:, :, 0] = 0.0
    one[:, :, 0, 0] = -apart
    there, back = attend_both(one, other, values0, values1, Workspace())
    plain = [part.float() for part in (one, other, values0, values1)]
    exact, backwards = attend_both(plain[0], plain[1], plain[2], plain[3], Workspace())
    swapped = attend_both(other, one, values1, values0, Workspace())
    for found in ((there, back), swapped[::-1]):
        assert (found[0].float() - exact).abs().max() < 0.03
        assert (found[1].float() - backwards).abs().max() < 0.03


def test_photos_without_keypoints_have_no_matches() -> None:
    matcher = LightGlueMatcher(decided_network(TOY), "toy", CPU)
    none, some = random_features(0, 0, TOY), random_features(1, 8, TOY)
    assert [len(matches) for matches in matcher.match(none, [some, none])] == [0, 0]
    assert [len(matches) for matches in matcher.match(some, [none])] == [0]
    assert matcher.match(some, []) == []


def test_descriptors_of_another_extractor_are_refused() -> None:
    photo = random_features(0, 8, PUBLISHED["xfeat"])
    with pytest.raises(InputError, match="16 values, these photos have 64"):
        LightGlueMatcher(decided_network(TOY), "toy", CPU).match(photo, [photo])


def test_the_id_names_weights_and_settings() -> None:
    assert LightGlueMatcher(LightGlue(TOY), "toy-1-abc", CPU).id == "lightglue-toy-1-abc-clockwise8-4-exit0.95"


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        assert choose_device("cuda").type == "cuda"
    else:
        with pytest.raises(DeviceUnavailable, match="no GPU"):
            choose_device("cuda")
