"""A LightGlue network on pairs of photos as the matcher shows them to it, but so that it can be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from index.types import LocalFeatures, Matches
from retrieval.matching.device_features import resident_on, sent
from retrieval.matching.lightglue.network import Assignment, LightGlue
from retrieval.matching.lightglue.positions import normalise, turned
from retrieval.matching.lightglue.rotation import rotations
from retrieval.matching.verification import has_frames


def assign_pairs(
    network: LightGlue,
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    first_matches: Sequence[Matches],
    device: torch.device,
) -> Assignment:
    """What the last layer says of a query, m keypoints, with each of B candidates, n: as many as all of them have.

    Parameters
    ----------
    first_matches : sequence of Matches
        Verified nearest neighbours with each candidate, by which one photo of a pair is turned to lie like the other.
    """
    fewest = min(len(one) for one in candidates)
    lying = rotations(query, candidates, first_matches) if has_frames(query) else [0] * len(candidates)
    eighths = torch.as_tensor(lying, dtype=torch.int32)
    own = _inputs(network, [query] * len(candidates), eighths.clamp(min=0), device)
    others = _inputs(network, [strongest(one, fewest) for one in candidates], -eighths.clamp(max=0), device)
    assignment: Assignment = network(*own, *others)
    return assignment


def strongest(photo: LocalFeatures, most: int) -> LocalFeatures:
    """A photo's strongest keypoints, which come first."""
    return replace(
        photo,
        xy=photo.xy[:most],
        scale=photo.scale[:most],
        orientation=photo.orientation[:most],
        descriptors=photo.descriptors[:most],
    )


def _inputs(
    network: LightGlue, photos: Sequence[LocalFeatures], eighths: torch.Tensor, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Descriptors [B, n, input_dim] and positions [B, n, 2 or 4] as the network wants them."""
    features, config = resident_on(device).collate(photos), network.config
    keypoints = turned(features.keypoints, features.size, sent(eighths, device))
    xy, scale, orientation = torch.split(keypoints, [2, 1, 1], -1)
    positions = normalise(
        xy, scale.squeeze(-1), orientation.squeeze(-1), features.size, config.add_scale_ori, config.frames
    )
    return features.comparable(), positions
