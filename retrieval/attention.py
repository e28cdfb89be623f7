"""Attention of LightGlue's layers for inference, as fast as the processor at hand has it.

Torch's fused attention is the fastest on GPUs and, in float32, on CPUs. In bfloat16 on a CPU it is no faster than in
float32 (its products do not reach the processor's bfloat16 instructions, torch 2.15), while plain matrix products are
twice as fast; so there it is spelt out, one pair at a time, whose weights then stay in the cache.

Shapes: B pairs, h heads of c channels, m and n keypoints. Queries come scaled, by 1 / sqrt(c) in all.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.room import Room

SMALLEST_SUM = 1e-30
"""Sum of weights from which on the least of them that count are still far from the smallest number of their type."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, room: Room) -> Tensor:
    """softmax(Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c]: [B, h, m, c]."""
    if not _spelt_out(queries):
        return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
    queries, keys, values = (_laid_out(one, room, name) for one, name in ((queries, "q"), (keys, "k"), (values, "v")))
    gathered = room.take("gathered", queries.shape, queries)
    weights = room.take("weights", (*queries.shape[1:3], keys.shape[2]), queries)
    for pair in range(len(queries)):
        torch.bmm(queries[pair], keys[pair].mT, out=weights)
        torch.softmax(weights, 2, out=weights)
        torch.bmm(weights, values[pair], out=gathered[pair])
    return gathered


def attend_both(first: Tensor, second: Tensor, values0: Tensor, values1: Tensor, room: Room) -> tuple[Tensor, Tensor]:
    """softmax(A B^T) V1 and softmax(B A^T) V0 of A, V0 [B, h, m, c] and B, V1 [B, h, n, c]."""
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
        _both_softmax(similarity, weights, values0[pair], values1[pair], gathered0[pair], gathered1[pair])
    return gathered0, gathered1


def _both_softmax(
    similarity: Tensor, weights: Tensor, values0: Tensor, values1: Tensor, gathered0: Tensor, gathered1: Tensor
) -> None:
    """Weighted means of the values by the softmax of each row, and of each column, of `similarity` [h, m, n].

    Both are conditional distributions of one softmax over all of it, which takes half as many exponentials. Where a row
    or a column lies so far below the largest similarity that nothing of it would be left, each is taken for itself.
    """
    torch.softmax(similarity.flatten(1), 1, out=weights.view(len(weights), -1))
    rows, columns = (weights.sum(dim, dtype=torch.float32)[..., None] for dim in (2, 1))
    if min(float(rows.min()), float(columns.min())) > SMALLEST_SUM:
        torch.bmm(weights, values1, out=gathered0).div_(rows)
        torch.bmm(weights.mT, values0, out=gathered1).div_(columns)
    else:
        torch.bmm(torch.softmax(similarity, 2, out=weights), values1, out=gathered0)
        torch.bmm(torch.softmax(similarity, 1, out=weights).mT, values0, out=gathered1)


def _spelt_out(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16


def _laid_out(heads: Tensor, room: Room, name: str) -> Tensor:
    """[B, h, n, c] in one piece: what is not, matrix products copy into memory of their own for every pair."""
    return heads if heads.is_contiguous() else room.take(name, heads.shape, heads).copy_(heads)
