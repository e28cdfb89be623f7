"""The network against kornia's, on random weights of every published configuration and on real weights; batches
against each pair alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import compress, count
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kornia.feature.lightglue import LightGlue as KorniaLightGlue
from safetensors.torch import load_file

from drawing.heads import draw_head
from index.errors import DeviceUnavailable, InputError, WeightsCorrupt
from index.types import LocalFeatures
from retrieval.attention import attend, attend_both
from retrieval.batching import LightGlueMatcher, choose_device, settled, side_by_side
from retrieval.keypoints import SiftExtractor
from retrieval.lightglue import LightGlue, LightGlueConfig
from retrieval.positions import Rotary, normalise
from retrieval.putative import putative_matches, turned
from retrieval.ranking import no_null
from retrieval.room import Room
from retrieval.scoring import PairConfidences, Score, pair_confidences, score_pairs
from retrieval.weights import DEFAULT, load_network

SHARED = Path(__file__).parents[2].parent / "shared" / "weights"

PUBLISHED = {
    "sift": LightGlueConfig(input_dim=128, add_scale_ori=True),
    "disk": LightGlueConfig(input_dim=128),
    "aliked": LightGlueConfig(input_dim=128),
    "superpoint": LightGlueConfig(input_dim=256),
    "doghardnet": LightGlueConfig(input_dim=128, add_scale_ori=True),
    "xfeat": LightGlueConfig(input_dim=64, descriptor_dim=96, n_layers=6, num_heads=1, depth_confidence=None),
}


TOY = LightGlueConfig(input_dim=16, descriptor_dim=32, n_layers=4, num_heads=2, add_scale_ori=True)
CPU = torch.device("cpu")
NEAR_TIE = 1e-5
"""Margins under which another order of summation may decide otherwise."""


def random_features(seed: int, keypoints: int, config: LightGlueConfig, shared: float = 0.5) -> LocalFeatures:
    """Keypoints anywhere in a 480 x 360 image; a `shared` part of the descriptors is the same for every seed."""
    rng, common = np.random.default_rng(seed), np.random.default_rng(0)
    descriptors = rng.normal(size=(keypoints, config.input_dim))
    same = round(keypoints * shared)
    descriptors[:same] = common.normal(size=(2048, config.input_dim))[:same]
    descriptors = descriptors[rng.permutation(keypoints)]
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return LocalFeatures(
        xy=(rng.random((keypoints, 2)) * (480, 360)).astype(np.float32),
        scale=rng.uniform(2, 20, keypoints).astype(np.float32),
        orientation=rng.uniform(0, 6.28, keypoints).astype(np.float32),
        descriptors=descriptors.astype(np.float16),
        size=(480, 360),
    )


def others(config: LightGlueConfig) -> Iterator[LocalFeatures]:
    return (random_features(seed, 192, config) for seed in count(2))


def decided_network(config: LightGlueConfig) -> LightGlue:
    """Random weights, but alike descriptors match with confidence, and about half of the pairs stop at each layer."""
    torch.manual_seed(1)
    network = LightGlue(config)
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("final_proj.weight"):
            value.copy_(4 * torch.eye(len(value)))
        elif name.endswith("matchability.bias"):
            value.fill_(2.0)
    with torch.no_grad():
        (x0, rotary0), (x1, rotary1) = (tokens_of(network, random_features(seed, 64, config)) for seed in (100, 101))
        for depth, layer in enumerate(list(network.transformers)[:-1]):
            x0, x1 = layer(x0, x1, rotary0, rotary1)
            weight = state[f"token_confidence.{depth}.token.0.weight"].mul_(8)
            evidence = (torch.cat((x0, x1), 1) @ weight.T).flatten()
            needed = torch.logit(torch.tensor(config.confidence_threshold(depth)))
            unsure = evidence.quantile(1 - (config.depth_confidence or 0.95))
            state[f"token_confidence.{depth}.token.0.bias"].fill_(needed - unsure)
    return network


def tokens_of(network: LightGlue, features: LocalFeatures) -> tuple[torch.Tensor, Rotary]:
    xy, scale, orientation = (
        torch.from_numpy(part)[None] for part in (features.xy, features.scale, features.orientation)
    )
    size = torch.tensor([features.size]).float()
    positions = normalise(xy, scale, orientation, size, network.config.add_scale_ori)
    return network.input_proj(torch.from_numpy(features.descriptors).float()[None]), network.posenc(positions)


def oracle_of(network: LightGlue, depth_confidence: float = -1.0) -> KorniaLightGlue:
    config = network.config
    oracle = KorniaLightGlue(
        None,
        input_dim=config.input_dim,
        descriptor_dim=config.descriptor_dim,
        n_layers=config.n_layers,
        num_heads=config.num_heads,
        add_scale_ori=config.add_scale_ori,
        depth_confidence=depth_confidence,
        width_confidence=-1,
        filter_threshold=-1.0,
        flash=True,
    )
    oracle.load_state_dict(network.state_dict() | {"confidence_thresholds": oracle.confidence_thresholds})
    return oracle.eval()


@torch.inference_mode()
def smallest_margin(network: LightGlue, query: LocalFeatures, candidate: LocalFeatures) -> float:
    """How little would have to change for the pair to stop elsewhere or to match otherwise."""
    config = network.config
    margins = []
    (x0, rotary0), (x1, rotary1) = tokens_of(network, query), tokens_of(network, candidate)
    for depth, layer in enumerate(network.transformers):
        x0, x1 = layer(x0, x1, rotary0, rotary1)
        scores = network.log_assignment[depth](x0, x1).log_scores[0]
        if bool(settled(network, depth, x0, x1)):
            for side in (scores, scores.T):
                best = side.topk(2, 1).values
                margins.append(float((best[:, 0] - best[:, 1]).min()))
            break
        if config.depth_confidence is not None:
            sure = network.token_confidence[depth](torch.cat((x0, x1), 1))[0].sort().values
            last_unsure = min(int((1 - config.depth_confidence) * len(sure)), len(sure) - 1)
            around = sure[max(0, last_unsure - 1) : last_unsure + 2]
            margins.append(float((around - config.confidence_threshold(depth)).abs().min()))
    return min(margins)


def ask_oracle(oracle: KorniaLightGlue, query: LocalFeatures, candidate: LocalFeatures) -> dict[str, torch.Tensor]:
    def image(features: LocalFeatures) -> dict[str, torch.Tensor]:
        ori = torch.from_numpy(features.orientation)
        return {
            "keypoints": torch.from_numpy(features.xy)[None],
            "descriptors": torch.from_numpy(features.descriptors.astype(np.float32))[None],
            "scales": torch.from_numpy(features.scale)[None] / 2,
            "oris": torch.where(ori > torch.pi, ori - 2 * torch.pi, ori)[None],
            "image_size": torch.tensor(features.size)[None],
        }

    with torch.inference_mode():
        answer: dict[str, torch.Tensor] = oracle({"image0": image(query), "image1": image(candidate)})
    return answer


@pytest.mark.parametrize("name", PUBLISHED)
def test_single_pairs_equal_kornia(name: str) -> None:
    network = decided_network(PUBLISHED[name])
    matcher = LightGlueMatcher(network, name, CPU, torch.float32)
    query = random_features(1, 128, network.config)
    # kornia does not turn the query
    candidate = next(one for one in others(network.config) if putative_matches(query, [one], CPU).turn == 0)
    depth = network.config.depth_confidence
    answer = ask_oracle(oracle_of(network, -1.0 if depth is None else depth), query, candidate)
    ours = matcher.match(query, [candidate])[0]
    assert ours.confidence.max() > 0.3
    assert np.array_equal(ours.pairs, answer["matches"][0].numpy())
    assert np.abs(ours.confidence - answer["scores"][0].numpy()).max() < 1e-4


@pytest.mark.skipif(not SHARED.exists(), reason="the pretrained weights are not beside the repository")
def test_real_weights_give_the_golden_matches() -> None:
    network = LightGlue.from_state_dict(load_file(SHARED / "xfeat_lighterglue_l3.safetensors"))
    assert network.config == LightGlueConfig(64, 96, 3, 1, depth_confidence=None)
    golden = np.load(SHARED / "xfeat_lighterglue_l3_golden.npz")
    size = torch.from_numpy(golden["image_size"]).float()

    def tokens(i: int) -> tuple[torch.Tensor, torch.Tensor]:
        xy = torch.from_numpy(golden[f"keypoints{i}"])[None]
        positions = normalise(xy, torch.ones(1, 1024), torch.zeros(1, 1024), size[None], with_scale_ori=False)
        return torch.from_numpy(golden[f"descriptors{i}"])[None], positions

    with torch.inference_mode():
        log_scores = network(*tokens(0), *tokens(1)).log_scores[0]
    best, partner = log_scores.max(1)
    mutual = log_scores.argmax(0)[partner] == torch.arange(1024)
    pairs = torch.stack((torch.arange(1024)[mutual], partner[mutual]), 1).numpy()
    assert np.array_equal(pairs, golden["matches"])
    assert np.abs(best[mutual].exp().numpy() - golden["scores"]).max() < 1e-4


def golden_views() -> tuple[LocalFeatures, LocalFeatures]:
    golden = np.load(SHARED / "xfeat_lighterglue_l3_golden.npz")
    width, height = (int(side) for side in golden["image_size"])
    first, second = (
        LocalFeatures(
            xy=golden[f"keypoints{view}"],
            scale=np.ones(1024, np.float32),
            orientation=np.zeros(1024, np.float32),
            descriptors=golden[f"descriptors{view}"].astype(np.float16),
            size=(width, height),
        )
        for view in (0, 1)
    )
    return first, second


def part_of(features: LocalFeatures, keypoints: slice) -> LocalFeatures:
    parts = {name: getattr(features, name)[keypoints] for name in ("xy", "scale", "orientation", "descriptors")}
    return replace(features, **parts)


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
    oracle = oracle_of(network)
    for candidate, ours, rough in zip(candidates, exact, reduced, strict=True):
        answer = ask_oracle(oracle, query, candidate)
        assert np.array_equal(ours.pairs, answer["matches"][0].numpy())
        assert np.abs(ours.confidence - answer["scores"][0].numpy()).max() < 1e-4
        # these pairs have mean confidences of 0.22 to 0.46
        assert abs(ours.confidence.sum() - rough.confidence.sum()) / 256 < 3e-3


def test_old_and_prefixed_names_load() -> None:
    config = LightGlueConfig(8, 16, 2, 2)
    network = LightGlue(config)
    old = {
        "matcher."
        + name.replace("transformers.0.self_attn", "self_attn.0").replace(
            "transformers.1.cross_attn", "cross_attn.1"
        ): tensor
        for name, tensor in network.state_dict().items()
    }
    loaded = LightGlue.from_state_dict(old)
    assert loaded.config == config
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), loaded.parameters(), strict=True))


@pytest.mark.parametrize("damage", ["empty", "missing", "extra", "shape", "affine"])
def test_other_networks_are_refused(damage: str) -> None:
    state = LightGlue(LightGlueConfig(8, 16, 2, 2)).state_dict()
    if damage == "empty":
        state.clear()
    elif damage == "missing":
        del state["transformers.1.cross_attn.to_v.weight"]
    elif damage == "extra":
        state["head.weight"] = torch.zeros(3)
    elif damage == "shape":
        state["transformers.1.cross_attn.to_v.weight"] = torch.zeros(8, 16)
    else:
        state["posenc.Wr.weight"] = torch.zeros(4, 6)
    with pytest.raises(WeightsCorrupt):
        LightGlue.from_state_dict(state)


def test_every_layer_can_be_trained() -> None:
    network = LightGlue(LightGlueConfig(8, 16, 3, 2, add_scale_ori=True))
    descriptors, positions = torch.randn(2, 5, 8), torch.randn(2, 5, 4)
    network(descriptors, positions, descriptors.flip(1), positions.flip(1)).log_scores.mean().backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None]
    assert all(name.startswith(("token_confidence", "log_assignment.0", "log_assignment.1")) for name in silent)


def test_positions_are_centred_and_in_the_conventions_of_the_published_networks() -> None:
    xy = torch.tensor([[[0.0, 0.0], [200.0, 100.0]]])
    orientation = torch.tensor([[1.0, 4.0]])
    positions = normalise(xy, torch.tensor([[4.0, 6.0]]), orientation, torch.tensor([[200.0, 100.0]]), True)
    expected = torch.tensor([[[-1, -0.5, 2, 1], [1, 0.5, 3, 4 - 2 * torch.pi]]])
    assert torch.allclose(positions, expected)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_pair_gets_in_any_batch_what_it_gets_alone(data: st.DataObject) -> None:
    exit_share = data.draw(st.sampled_from([None, 0.5, 0.8]), "depth_confidence")
    network = decided_network(replace(TOY, depth_confidence=exit_share))
    memory, threads = data.draw(st.sampled_from([1, 1 << 20]), "memory"), data.draw(st.integers(1, 3), "threads")
    matcher = LightGlueMatcher(network, "toy", CPU, torch.float32, memory, threads)
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
            turn = int(putative_matches(query, [candidate], CPU).turn[0])
            assert smallest_margin(network, turned(query, turn), candidate) < NEAR_TIE
            event("a margin under 1e-5")
        elif len(found):
            assert np.abs(found.confidence - alone.confidence).max() < 1e-4


def test_batches_stop_each_pair_where_kornia_stops_it() -> None:
    network = decided_network(replace(TOY, depth_confidence=0.8))
    query = random_features(0, 64, TOY)
    candidates = [random_features(seed, 64, TOY, seed / 24) for seed in range(1, 25)]
    together = LightGlueMatcher(network, "toy", CPU, torch.float32).match(query, candidates)
    upright = putative_matches(query, candidates, CPU).turn == 0
    oracle, stops, ties = oracle_of(network, 0.8), set(), 0
    for candidate, found in compress(zip(candidates, together, strict=True), upright):
        answer = ask_oracle(oracle, query, candidate)
        stops.add(int(answer["stop"]))
        if np.array_equal(found.pairs, answer["matches"][0].numpy()):
            assert np.abs(found.confidence - answer["scores"][0].numpy()).max() < 1e-4
        else:
            assert smallest_margin(network, query, candidate) < NEAR_TIE
            ties += 1
    assert len(stops) > 1
    assert ties <= 1


def test_the_query_is_turned_to_lie_like_the_candidate() -> None:
    network = decided_network(TOY)
    matcher = LightGlueMatcher(network, "toy", CPU, torch.float32)
    query = random_features(0, 128, TOY)
    candidates = [turned(query, eighths) for eighths in range(8)]
    for candidate, matches in zip(candidates, matcher.match(query, candidates), strict=True):
        upright = matcher.match(candidate, [candidate])[0]
        assert np.array_equal(matches.pairs, upright.pairs)
        assert np.abs(matches.confidence - upright.confidence).max() < 1e-4


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


def test_both_ways_of_attention_agree() -> None:
    torch.manual_seed(0)
    one, other, values0, values1 = (torch.randn(2, 4, n, 16) for n in (70, 40, 70, 40))
    exact = attend_both(one / 2, other / 2, values0, values1, Room())
    a, b, v0, v1 = (part.to(torch.bfloat16) for part in (one / 2, other / 2, values0, values1))
    spelt_out, back = attend_both(a, b, v0, v1, Room()), attend(b, a, v0, Room())
    for plain, rough in zip((*exact, exact[1]), (*spelt_out, back), strict=True):
        assert (plain - rough.float()).abs().max() < 0.03


def test_threads_that_match_side_by_side_leave_torch_as_it_was() -> None:
    before = torch.get_num_threads()
    assert side_by_side(lambda number: (number, torch.get_num_threads()), range(5), 2) == [(n, 1) for n in range(5)]
    assert torch.get_num_threads() == before


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
    assert LightGlueMatcher(LightGlue(TOY), "toy-1-abc", CPU).id == "lightglue-toy-1-abc-turn8-exit0.95"


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        assert choose_device("cuda").type == "cuda"
    else:
        with pytest.raises(DeviceUnavailable, match="no GPU"):
            choose_device("cuda")
