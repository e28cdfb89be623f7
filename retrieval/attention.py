"""Attention of LightGlue's layers for inference, as fast as the processor at hand has it.

Torch's fused attention is the fastest on GPUs and, in float32, on CPUs. In bfloat16 on a CPU it is no faster than in
float32 (its products do not reach the processor's bfloat16 instructions, torch 2.15), while plain matrix products are
twice as fast; so there it is spelt out, one pair at a time, whose weights then stay in the cache.

Shapes: B pairs, h heads of c channels, m and n keypoints. Queries come scaled, by log2(e) / sqrt(c) in all, because
processors raise 2 to a power faster than e.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.room import Room

LEAST = 1e-30
"""Sum of exponentials from which on those that count are far from the smallest number of their type; its inverse is as
far from the largest."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, room: Room) -> Tensor:
    """softmax(ln 2 Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c]: [B, h, m, c]."""
    if not _spelt_out(queries):
        return F.scaled_dot_product_attention(queries, keys, values, scale=log(2))
    queries, keys, values = (_laid_out(one, room, name) for one, name in ((queries, "q"), (keys, "k"), (values, "v")))
    gathered = room.take("gathered", queries.shape, queries)
    shape = (*queries.shape[1:3], keys.shape[2])
    similarity, weights = room.take("similarity", shape, queries), room.take("weights", shape, queries)
    for pair in range(len(queries)):
        torch.bmm(queries[pair], keys[pair].mT, out=similarity)
        _gather(similarity, weights, [(2, values[pair], gathered[pair])])
    return gathered


def attend_both(first: Tensor, second: Tensor, values0: Tensor, values1: Tensor, room: Room) -> tuple[Tensor, Tensor]:
    """softmax(ln 2 A B^T) V1 and softmax(ln 2 B A^T) V0 of A, V0 [B, h, m, c] and B, V1 [B, h, n, c]."""
    if not _spelt_out(first):
        return attend(first, second, values1, room), attend(second, first, values0, room)
    first, second = _laid_out(first, room, "q"), _laid_out(second, room, "k")
    values0, values1 = _laid_out(values0, room, "v0"), _laid_out(values1, room, "v1")
    gathered0 = room.take("gathered", first.shape, first)
    gathered1 = room.take("gathered back", second.shape, second)
    shape = (*first.shape[1:3], second.shape[2])
    similarity, weights = room.take("similarity", shape, first), room.take("weights", shape, first)
    for pair in range(len(first)):
        torch.bmm(first[pair], second[pair].mT, out=similarity)
        _gather(similarity, weights, [(2, values1[pair], gathered0[pair]), (1, values0[pair], gathered1[pair])])
    return gathered0, gathered1


def _gather(similarity: Tensor, weights: Tensor, ways: list[tuple[int, Tensor, Tensor]]) -> None:
    """Weighted means of values by the softmax of `similarity` [h, m, n] along dimension 2, 1, or each of both.

    All ways share the exponentials, by whose sums what they gathered is divided afterwards. No largest similarity is
    subtracted first, unless one lies so far from zero that its exponential would be taken for nothing or for infinite.

    Parameters
    ----------
    ways : list of (int, Tensor, Tensor)
        Dimension, values [h, m or n, c] along it, and where the means go.
    """
    torch.exp2(similarity, out=weights)
    sums = [weights.sum(dim, dtype=torch.float32)[..., None] for dim, _, _ in ways]
    if all(float(one.min()) > LEAST and float(one.max()) < 1 / LEAST for one in sums):
        for (dim, values, means), one in zip(ways, sums, strict=True):
            torch.bmm(weights if dim == 2 else weights.mT, values, out=means).div_(one)
        return
    for dim, values, means in ways:
        torch.softmax(log(2) * similarity, dim, out=weights)
        torch.bmm(weights if dim == 2 else weights.mT, values, out=means)


def _spelt_out(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16


def _laid_out(heads: Tensor, room: Room, name: str) -> Tensor:
    """[B, h, n, c] in one piece: what is not, matrix products copy into memory of their own for every pair."""
    return heads if heads.is_contiguous() else room.take(name, heads.shape, heads).copy_(heads)
