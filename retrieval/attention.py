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


def attend(queries: Tensor, keys: Tensor, values: Tensor, room: Room) -> Tensor:
    """softmax(Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c], heads side by side: [B, m, h * c]."""
    if not _spelt_out(queries):
        return _joined(F.scaled_dot_product_attention(queries, keys, values, scale=1.0))
    gathered = room.take("gathered", _shape(queries), queries)
    heads = _split(gathered, queries.shape[1])
    weights = room.take("weights", (*queries.shape[1:3], keys.shape[2]), queries)
    for pair in range(len(queries)):
        torch.bmm(queries[pair], keys[pair].mT, out=weights)
        torch.softmax(weights, 2, out=weights)
        torch.bmm(weights, values[pair], out=heads[pair])
    return gathered


def attend_both(first: Tensor, second: Tensor, values0: Tensor, values1: Tensor, room: Room) -> tuple[Tensor, Tensor]:
    """softmax(A B^T) V1 and softmax(B A^T) V0 of A, V0 [B, h, m, c] and B, V1 [B, h, n, c]: [B, m or n, h * c]."""
    if not _spelt_out(first):
        return attend(first, second, values1, room), attend(second, first, values0, room)
    gathered0 = room.take("gathered", _shape(first), first)
    gathered1 = room.take("gathered back", _shape(second), second)
    heads0, heads1 = _split(gathered0, first.shape[1]), _split(gathered1, first.shape[1])
    shape = (*first.shape[1:3], second.shape[2])
    similarity, weights = room.take("similarity", shape, first), room.take("weights", shape, first)
    for pair in range(len(first)):
        torch.bmm(first[pair], second[pair].mT, out=similarity)
        torch.softmax(similarity, 2, out=weights)
        torch.bmm(weights, values1[pair], out=heads0[pair])
        torch.softmax(similarity, 1, out=weights)
        torch.bmm(weights.mT, values0[pair], out=heads1[pair])
    return gathered0, gathered1


def _spelt_out(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16


def _joined(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)


def _split(x: Tensor, heads: int) -> Tensor:
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def _shape(heads: Tensor) -> tuple[int, int, int]:
    pairs, number, count, channels = heads.shape
    return pairs, count, number * channels
