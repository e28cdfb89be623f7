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


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c], heads side by side: [B, m, h * c]."""
    if not _spelt_out(queries):
        return _joined(F.scaled_dot_product_attention(queries, keys, values, scale=1.0))
    gathered, heads = _room_for(queries)
    weights = queries.new_empty((queries.shape[1], queries.shape[2], keys.shape[2]))
    for pair in range(len(queries)):
        torch.bmm(queries[pair], keys[pair].mT, out=weights)
        torch.softmax(weights, 2, out=weights)
        torch.bmm(weights, values[pair], out=heads[pair])
    return gathered


def attend_both(first: Tensor, second: Tensor, values0: Tensor, values1: Tensor) -> tuple[Tensor, Tensor]:
    """softmax(A B^T) V1 and softmax(B A^T) V0 of A, V0 [B, h, m, c] and B, V1 [B, h, n, c]: [B, m or n, h * c]."""
    if not _spelt_out(first):
        return attend(first, second, values1), attend(second, first, values0)
    (gathered0, heads0), (gathered1, heads1) = _room_for(first), _room_for(second)
    similarity, weights = first.new_empty((2, first.shape[1], first.shape[2], second.shape[2]))
    for pair in range(len(first)):
        torch.bmm(first[pair], second[pair].mT, out=similarity)
        torch.softmax(similarity, 2, out=weights)
        torch.bmm(weights, values1[pair], out=heads0[pair])
        torch.softmax(similarity, 1, out=weights)
        torch.bmm(weights.mT, values0[pair], out=heads1[pair])
    return gathered0, gathered1


def _spelt_out(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16


def _room_for(queries: Tensor) -> tuple[Tensor, Tensor]:
    """Uninitialised [B, m, h * c], and its heads as [B, h, m, c]."""
    pairs, heads, count, channels = queries.shape
    gathered = queries.new_empty((pairs, count, heads, channels))
    return gathered.flatten(2), gathered.transpose(1, 2)


def _joined(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)
