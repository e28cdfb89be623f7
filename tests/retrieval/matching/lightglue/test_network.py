"""The network against kornia's, on random weights of every published configuration and on real weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.matching.implementations import kornia_of
from index.errors import WeightsCorrupt
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.positions import normalise
from tests.retrieval.oracles import (
    CPU,
    PUBLISHED,
    SHARED,
    ask_oracle,
    decided_network,
    how_they_lie,
    others,
    random_features,
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_single_pairs_equal_kornia(name: str) -> None:
    network = decided_network(PUBLISHED[name])
    matcher = LightGlueMatcher(network, name, CPU, torch.float32)
    query = random_features(1, 128, network.config)
    # kornia does not turn the query
    candidate = next(one for one in others(network.config) if how_they_lie(query, [one]) == 0)
    depth = network.config.depth_confidence
    answer = ask_oracle(kornia_of(network, CPU, -1.0 if depth is None else depth), query, candidate)
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
