"""LightGlue networks, keypoints for them, and kornia's answers, which ours must equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from kornia.feature.lightglue import LightGlue as KorniaLightGlue

from benchmarks.matching.rerank import random_network
from index.types import Int32, LocalFeatures
from retrieval.matching.cascade import first_stage
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.matcher import settled
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.positions import Rotary, normalise, turned
from retrieval.matching.lightglue.rotation import rotations

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


def how_they_lie(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> Int32:
    """By how much the matcher turns the query, or if negative the candidate; kornia turns none."""
    return rotations(query, candidates, first_stage(query, candidates))


def turned_photo(features: LocalFeatures, eighths: int) -> LocalFeatures:
    """Keypoints as the matcher turns them, clockwise; descriptors do not change."""
    parts = (features.xy[:, 0], features.xy[:, 1], features.scale, features.orientation)
    keypoints = torch.from_numpy(np.stack(parts, 1))[None]
    x, y, scale, orientation = turned(keypoints, torch.tensor([features.size]).float(), torch.tensor([eighths]))[0].T
    return replace(features, xy=torch.stack((x, y), 1).numpy(), orientation=orientation.numpy(), scale=scale.numpy())


def others(config: LightGlueConfig) -> Iterator[LocalFeatures]:
    return (random_features(seed, 192, config) for seed in count(2))


def decided_network(config: LightGlueConfig) -> LightGlue:
    """Random weights, but alike descriptors match with confidence, and about half of the pairs stop at each layer."""
    network = random_network(config)
    state = network.state_dict()
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
    config = network.config
    positions = normalise(xy, scale, orientation, size, config.add_scale_ori, config.frames)
    return network.input_proj(torch.from_numpy(features.descriptors).float()[None]), network.posenc(positions)


def ask_oracle(oracle: KorniaLightGlue, query: LocalFeatures, candidate: LocalFeatures) -> dict[str, torch.Tensor]:
    def image(features: LocalFeatures) -> dict[str, torch.Tensor]:
        ori = torch.from_numpy(features.orientation)
        return {
            "keypoints": torch.from_numpy(features.xy)[None],
            "descriptors": torch.from_numpy(features.descriptors.astype(np.float32))[None],
            "scales": torch.from_numpy(features.scale)[None] / 2,
            "oris": torch.pi - torch.remainder(torch.pi - ori, 2 * torch.pi)[None],
            "image_size": torch.tensor(features.size)[None],
        }

    with torch.inference_mode():
        answer: dict[str, torch.Tensor] = oracle({"image0": image(query), "image1": image(candidate)})
    return answer


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
