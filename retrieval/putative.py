"""Putative matches of a query with a whole shortlist: mutual nearest descriptors, in a few large matrix products.

They are the cheap first look of the cascade, and they say by how much each candidate is rotated against the query. A
match counts by its distinctness, one minus the distance ratio (Lowe, IJCV 2004), the worse of both directions: the
mere number of mutual matches hardly tells a turtle from another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from index.types import Float32, Int32, LocalFeatures
from retrieval.resident import resident_on

BINS = 8
"""Rotations are told apart in steps of an eighth of a circle."""

CLEARLY = 2.0
"""By how many standard deviations a rotation must have more votes than no rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class PutativeMatches:
    """What descriptors alone say about each of C candidates.

    Attributes
    ----------
    strength : float32 [C]
        Sum of the squared distinctness of all matches.
    turn : int32 [C]
        By how many eighths of a circle, clockwise, the query has to be turned to lie like the candidate.
    """

    strength: Float32
    turn: Int32


def putative_matches(
    query: LocalFeatures, candidates: Sequence[LocalFeatures], device: torch.device, memory: int = 16 << 20
) -> PutativeMatches:
    """Mutual nearest neighbours of `query` with each candidate: how strong, and the rotation that they vote for.

    `memory` is how many bytes the similarities of one batch may take.
    """
    strength, turn = np.zeros(len(candidates), np.float32), np.zeros(len(candidates), np.int32)
    if not len(query):
        return PutativeMatches(strength, turn)
    with torch.inference_mode():
        features = resident_on(device)
        asked = features.collate([query])
        own, angle = F.normalize(asked.comparable()[0], dim=-1), asked.keypoints[..., 3]
        for rows in equal_counts(candidates, lambda n: memory // (4 * len(query) * n)):
            photos = features.collate([candidates[row] for row in rows])
            partner, distinct = mutual_distinct(F.normalize(photos.comparable(), dim=-1) @ own.T)
            strength[rows] = distinct.square().sum(1).cpu().numpy()
            turn[rows] = _elect(photos.keypoints[..., 3].gather(1, partner) - angle, distinct).cpu().numpy()
    return PutativeMatches(strength, turn)


def turned(features: LocalFeatures, eighths: int) -> LocalFeatures:
    """Keypoints as they would lie after turning the photo about its centre, clockwise; descriptors do not change."""
    if eighths == 0:
        return features
    angle = 2 * np.pi / BINS * eighths
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    centre = (np.array(features.size) - 1) / 2
    xy = ((features.xy - centre) @ rotation.T + centre).astype(np.float32)
    return replace(features, xy=xy, orientation=features.orientation + np.float32(angle))


def equal_counts(photos: Sequence[LocalFeatures], most: Callable[[int], int], threads: int = 1) -> list[list[int]]:
    """Row numbers of photos in batches of one keypoint count; `most` says how many of a count go together.

    Where there are enough photos of a count, they make as many batches for each of the `threads`.
    """
    by_count = defaultdict(list)
    for row, photo in enumerate(photos):
        by_count[len(photo)].append(row)
    by_count.pop(0, None)
    batches: list[list[int]] = []
    for count, rows in by_count.items():
        needed = -(-len(rows) // max(1, most(count)))
        even = min(-(-needed // threads) * threads, len(rows))
        # batches of nearly one size, not full ones and a small rest
        batches += (batch.tolist() for batch in np.array_split(np.array(rows), even))
    return batches


def mutual_distinct(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """For `similarity` [B, n, m] of unit vectors, which it overwrites: each query keypoint's nearest and how distinct.

    Both [B, m]; distinctness is 0 where the match is not mutual.
    """
    best, partner = similarity.max(1)
    back = similarity.max(2).indices  # faster than argmax
    mutual = back.gather(1, partner) == torch.arange(similarity.shape[2], device=similarity.device)
    # without the mutual ones, which share no row or column, what is left of each is its second best
    rest = similarity.scatter_(1, partner[:, None], torch.where(mutual, -1.0, best)[:, None])
    second = torch.maximum(rest.amax(1), rest.amax(2).gather(1, partner))
    ratio = ((1 - best) / (1 - second).clamp(min=1e-6)).clamp(0, 1).sqrt()
    return partner, torch.where(mutual, 1 - ratio, 0.0)


def _elect(difference: Tensor, weight: Tensor) -> Tensor:
    """The rotation [B] that most weight [B, m] of orientation differences [B, m] speaks for, 0 where by chance."""
    bins = torch.remainder(torch.round(difference * (BINS / (2 * torch.pi))), BINS).long()
    none = weight.new_zeros((len(bins), BINS))
    votes, variance = none.scatter_add(1, bins, weight), none.scatter_add(1, bins, weight.square())
    most, winner = votes.max(1)
    chance = (variance.gather(1, winner[:, None])[:, 0] + variance[:, 0]).sqrt()
    return torch.where(most - votes[:, 0] > CLEARLY * chance, winner, 0)
