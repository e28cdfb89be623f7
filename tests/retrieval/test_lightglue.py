"""The network against kornia's, on random weights of every published configuration and on real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from kornia.feature.lightglue import LightGlue as KorniaLightGlue
from safetensors.torch import load_file

from index.errors import WeightsCorrupt
from index.types import LocalFeatures
from retrieval.batching import LightGlueMatcher
from retrieval.lightglue import LightGlue, LightGlueConfig, normalise

SHARED = Path(__file__).parents[2].parent / "shared" / "weights"

PUBLISHED = {
    "sift": LightGlueConfig(input_dim=128, add_scale_ori=True),
    "disk": LightGlueConfig(input_dim=128),
    "aliked": LightGlueConfig(input_dim=128),
    "superpoint": LightGlueConfig(input_dim=256),
    "doghardnet": LightGlueConfig(input_dim=128, add_scale_ori=True),
    "xfeat": LightGlueConfig(input_dim=64, descriptor_dim=96, n_layers=6, num_heads=1, depth_confidence=None),
}


def random_features(seed: int, keypoints: int, config: LightGlueConfig) -> LocalFeatures:
    """Keypoints anywhere in a 480 x 360 image; half of the descriptors are the same for every seed."""
    rng, common = np.random.default_rng(seed), np.random.default_rng(0)
    shared = common.normal(size=(2048, config.input_dim))[: keypoints // 2]
    own = rng.normal(size=(keypoints - len(shared), config.input_dim))
    rows = rng.permutation(keypoints)
    descriptors = np.concatenate((shared, own))[rows]
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return LocalFeatures(
        xy=(rng.random((keypoints, 2)) * (480, 360)).astype(np.float32),
        scale=rng.uniform(2, 20, keypoints).astype(np.float32),
        orientation=rng.uniform(0, 6.28, keypoints).astype(np.float32),
        descriptors=descriptors.astype(np.float16),
        size=(480, 360),
    )


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
        flash=False,
    )
    oracle.load_state_dict(network.state_dict() | {"confidence_thresholds": oracle.confidence_thresholds})
    return oracle.eval()


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
    torch.manual_seed(1)
    network = LightGlue(PUBLISHED[name])
    matcher = LightGlueMatcher(network, name, torch.device("cpu"))
    query, candidate = (random_features(seed, n, network.config) for seed, n in ((1, 128), (2, 192)))
    depth = network.config.depth_confidence
    answer = ask_oracle(oracle_of(network, -1.0 if depth is None else depth), query, candidate)
    ours = matcher.match(query, [candidate])[0]
    assert len(ours) > 10
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
