"""Mutual nearest descriptors of a query and many photos at once, in a few large matrix products.

A match counts by its distinctness, one minus the distance ratio (Lowe, IJCV 2004), the worse of both directions: the
mere number of mutual matches hardly tells a turtle from another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from index.types import LocalFeatures


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
