"""Implementations of LightGlue that are compared: kornia's, transformers' and ours, with the same weights.

The field's tool for animals (wildlife-tools) keeps features in main memory, stacks and sends both photos of 128 pairs,
matches them with early exit and pruning off, and fetches the results pair by pair. It is run with kornia's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from kornia.feature.lightglue import LightGlue as KorniaLightGlue
from torch import Tensor
from torch.utils.data import default_collate

from index.types import LocalFeatures, Matches
from retrieval.devices import choose_precision
from retrieval.matching.device_features import resident_on
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.positions import normalise

FIELD = "the field's tool (kornia, 128 pairs)"
KORNIA = "kornia"
OURS = "ours"


@dataclass(slots=True)
class Way:
    """One way to match a query with candidates: `batch` of them at a time.

    Attributes
    ----------
    found : list of Matches
        With the candidates, each once.
    pairs, seconds
        Measured.
    """

    name: str
    batch: int
    match: Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]
    found: list[Matches] = field(default_factory=list)
    pairs: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.pairs / self.seconds


def ways_of(network: LightGlue, device: torch.device) -> list[Way]:
    """Every way that `network` fits, ours last; kornia's batches are of several sizes, the fastest of which counts."""
    oracle = kornia_of(network, device)

    def kornia(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        return match_with_kornia(oracle, query, candidates, device)

    ways = [
        Way(f"{KORNIA}, pair by pair", 1, kornia),
        *(Way(f"{KORNIA}, {size} pairs", size, kornia) for size in (4, 16, 64)),
        Way(FIELD, 128, as_the_field_does(oracle, device)),
    ]
    if transformers_fits(network):
        other = transformers_of(network, device)

        def transformers(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
            return match_with_transformers(other, query, candidates, device)

        ways += [Way(f"transformers, {size} pairs", size, transformers) for size in (4, 16)]
    size = 64 if device.type == "cpu" else 1000  # a shortlist at once, as in use; the engine makes its batches itself
    for precision in dict.fromkeys((torch.float32, choose_precision(device))):
        matcher = LightGlueMatcher(network, "benchmark", device, precision)
        ways.append(Way(f"{OURS}, {precision}", size, without_turning(matcher)))
    return ways


def without_turning(matcher: LightGlueMatcher) -> Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]:
    """The network alone, as others run it: nobody looks first how the photos lie."""
    nothing = Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    return lambda query, candidates: matcher.match(query, candidates, [nothing] * len(candidates))


def transformers_fits(network: LightGlue) -> bool:
    """Whether transformers has LightGlue here, and its kind, which knows positions only, can be this network."""
    there = find_spec("transformers") is not None and find_spec("transformers.models.lightglue") is not None
    return there and not network.config.add_scale_ori


def kornia_of(network: LightGlue, device: torch.device, depth_confidence: float = -1.0) -> KorniaLightGlue:
    """Without point pruning; early exit where a share of confident keypoints is given."""
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
        # not False, which would switch fused attention off for everyone in the process
        flash=True,
    )
    oracle.load_state_dict(network.state_dict(), strict=False)
    return oracle.to(device).eval()


def match_with_kornia(
    oracle: KorniaLightGlue, query: LocalFeatures, candidates: Sequence[LocalFeatures], device: torch.device
) -> list[Matches]:
    with torch.inference_mode():
        answer = oracle({"image0": images([query] * len(candidates), device), "image1": images(candidates, device)})
    return [
        Matches(pairs.cpu().numpy().astype(np.int32), scores.cpu().numpy())
        for pairs, scores in zip(answer["matches"], answer["scores"], strict=True)
    ]


def images(photos: Sequence[LocalFeatures], device: torch.device) -> dict[str, Tensor]:
    """A batch of photos as kornia's network wants it."""
    features = resident_on(device).collate(photos)
    xy, scale, ori = features.keypoints[..., :2], features.keypoints[..., 2], features.keypoints[..., 3]
    positions = normalise(xy, scale, ori, features.size, with_scale_ori=True)
    return {
        "keypoints": xy,
        "scales": positions[..., 2],
        "oris": positions[..., 3],
        "descriptors": features.comparable(),
        "image_size": features.size,
    }


def as_the_field_does(
    oracle: KorniaLightGlue, device: torch.device
) -> Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]:
    """What wildlife-tools does with a batch of pairs, by its source (similarity/pairwise, 2026)."""
    waiting: dict[int, dict[str, Tensor]] = {}

    def features(photo: LocalFeatures) -> dict[str, Tensor]:
        if id(photo) not in waiting:
            waiting[id(photo)] = {name: value[0].cpu() for name, value in images([photo], torch.device("cpu")).items()}
        return waiting[id(photo)]

    def match(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        pairs = [(features(query), features(candidate)) for candidate in candidates]
        batch = default_collate(pairs)
        with torch.inference_mode():
            answer = oracle({f"image{n}": {k: v.to(device) for k, v in one.items()} for n, one in enumerate(batch)})
        found = []
        for row, (scores, matches) in enumerate(zip(answer["scores"], answer["matches"], strict=True)):
            rows, confidence = matches.cpu(), scores.cpu().numpy()
            for one, column in zip(batch, rows.T, strict=True):  # the tool keeps where the matches are
                one["keypoints"][row][column].numpy()
            found.append(Matches(rows.numpy().astype(np.int32), confidence))
        return found

    return match


def transformers_of(network: LightGlue, device: torch.device) -> Any:
    """transformers' network with the weights of `network`, early exit and pruning off."""
    from transformers import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig

    config = network.config
    other = LightGlueForKeypointMatching(
        LightGlueConfig(
            keypoint_detector_config=SuperPointConfig(descriptor_decoder_dim=config.input_dim),
            descriptor_dim=config.descriptor_dim,
            num_hidden_layers=config.n_layers,
            num_attention_heads=config.num_heads,
            depth_confidence=-1.0,
            width_confidence=-1.0,
            filter_threshold=-1.0,
        )
    )
    state = {
        new: value for old, one in network.state_dict().items() for new, value in renamed(old, one, config.num_heads)
    }
    wrong = other.load_state_dict(state, strict=False)
    lacking = [name for name in wrong.missing_keys if not name.startswith("keypoint_detector.")]
    if lacking or wrong.unexpected_keys:
        raise RuntimeError(f"transformers' LightGlue has other parameters: {lacking} {wrong.unexpected_keys}")
    return other.to(device).eval()


def renamed(name: str, value: Tensor, heads: int) -> list[tuple[str, Tensor]]:
    """A parameter as transformers calls and orders it."""
    if name.endswith(("Wqkv.weight", "Wqkv.bias")):
        stem, _, kind = name.rpartition("Wqkv.")
        # rows are ordered by head, channel, query/key/value
        parts = value.view(heads, -1, 3, *value.shape[1:]).unbind(2)
        stem = stem.replace("transformers.", "transformer_layers.").replace("self_attn.", "self_attention.")
        return [(f"{stem}{which}_proj.{kind}", part.flatten(0, 1)) for which, part in zip("qkv", parts, strict=True)]
    for old, new in (
        ("posenc.Wr.", "positional_encoder.projector."),
        ("input_proj.", "input_projection."),
        ("log_assignment.", "match_assignment_layers."),
        ("final_proj.", "final_projection."),
        ("token.0.", "token."),
        ("self_attn.ffn.", "self_mlp."),
        ("cross_attn.ffn.", "cross_mlp."),
        ("self_attn.", "self_attention."),
        ("cross_attn.", "cross_attention."),
        ("mlp.0.", "mlp.fc1."),
        ("mlp.1.", "mlp.layer_norm."),
        ("mlp.3.", "mlp.fc2."),
        ("to_out.", "o_proj."),
        ("out_proj.", "o_proj."),
        ("to_v.", "v_proj."),
        ("transformers.", "transformer_layers."),
    ):
        name = name.replace(old, new)
    if "to_qk." in name:
        return [(name.replace("to_qk.", f"{which}_proj."), value) for which in "qk"]
    return [(name, value)]


def match_with_transformers(
    other: Any, query: LocalFeatures, candidates: Sequence[LocalFeatures], device: torch.device
) -> list[Matches]:
    """Photos of one size: transformers takes the first one's for all."""
    photos = [one for candidate in candidates for one in (query, candidate)]
    features = resident_on(device).collate(photos)
    shape = (len(candidates), 2, len(query))
    with torch.inference_mode():
        found, confidence = other._match_image_pair(
            features.keypoints[..., :2].reshape(*shape, 2),
            features.comparable().reshape(*shape, -1),
            query.size[1],
            query.size[0],
            mask=torch.ones(shape, dtype=torch.int, device=device),
        )[:2]
    partner = found.reshape(*shape)[:, 0].cpu().numpy()
    confidence = confidence.reshape(*shape)[:, 0].cpu().numpy()
    matched = [np.flatnonzero(one >= 0) for one in partner]
    return [
        Matches(np.stack((rows, of_pair[rows]), 1).astype(np.int32), sure[rows])
        for rows, of_pair, sure in zip(matched, partner, confidence, strict=True)
    ]
