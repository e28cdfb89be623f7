"""Attention of LightGlue's layers for inference, as fast as the processor at hand has it.

Torch's fused attention is the fastest on GPUs and, in float32, on CPUs. In bfloat16 on a CPU it is no faster than in
float32 (its products do not reach the processor's bfloat16 instructions, torch 2.15), while plain matrix products are
twice as fast; so there it is spelt out, a few heads at a time, whose weights then stay in the cache.

Shapes: B pairs, h heads of c channels, m and n keypoints. Queries come scaled, by log2(e) / sqrt(c) in all, because
processors raise 2 to a power faster than e.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.matching.lightglue.workspace import Workspace

LEAST = 1e-30
"""Sum of exponentials from which on those that count are far from the smallest number of their type; its inverse is as
far from the largest."""
SIMILARITIES = 1 << 19
"""How many are computed at once, of as many heads as that is: more leave the cache."""


def attend(queries: Tensor, keys: Tensor, values: Tensor, room: Workspace) -> Tensor:
    """softmax(ln 2 Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c]: [B, h, m, c]."""
    if not _spelt_out(queries):
        return F.scaled_dot_product_attention(queries, keys, values, scale=log(2))
    queries, keys, values = (_laid_out(one, room, name) for one, name in ((queries, "q"), (keys, "k"), (values, "v")))
    gathered = room.take("gathered", queries.shape, queries)
    for some in _few_heads(queries, keys, room):
        torch.bmm(some.of(queries), some.of(keys).mT, out=some.similarity)
        _gather(some.similarity, some.weights, [(2, some.of(values), some.of(gathered))])
    return gathered


def attend_both(
    first: Tensor, second: Tensor, values0: Tensor, values1: Tensor, room: Workspace
) -> tuple[Tensor, Tensor]:
    """softmax(ln 2 A B^T) V1 and softmax(ln 2 B A^T) V0 of A, V0 [B, h, m, c] and B, V1 [B, h, n, c]."""
    if not _spelt_out(first):
        return attend(first, second, values1, room), attend(second, first, values0, room)
    first, second = _laid_out(first, room, "q"), _laid_out(second, room, "k")
    values0, values1 = _laid_out(values0, room, "v0"), _laid_out(values1, room, "v1")
    gathered0 = room.take("gathered", first.shape, first)
    gathered1 = room.take("gathered back", second.shape, second)
    for some in _few_heads(first, second, room):
        torch.bmm(some.of(first), some.of(second).mT, out=some.similarity)
        ways = [(2, some.of(values1), some.of(gathered0)), (1, some.of(values0), some.of(gathered1))]
        _gather(some.similarity, some.weights, ways)
    return gathered0, gathered1


@dataclass(frozen=True, slots=True)
class FewHeads:
    """Heads `first` to `last` of all, of one pair, and memory for what they have in common, [last - first, m, n]."""

    first: int
    last: int
    similarity: Tensor
    weights: Tensor

    def of(self, heads: Tensor) -> Tensor:
        """Theirs of [B, h, n, c]."""
        return heads.flatten(0, 1)[self.first : self.last]


def _few_heads(queries: Tensor, keys: Tensor, room: Workspace) -> Iterator[FewHeads]:
    pairs, heads, m, n = *queries.shape[:3], keys.shape[2]
    step = max(
        count for count in range(1, heads + 1) if heads % count == 0 and (count == 1 or count * m * n <= SIMILARITIES)
    )
    shape = (step, m, n)
    for first in range(0, pairs * heads, step):
        yield FewHeads(
            first, first + step, room.take("similarity", shape, queries), room.take("weights", shape, queries)
        )


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


def _laid_out(heads: Tensor, room: Workspace, name: str) -> Tensor:
    """[B, h, n, c] in one piece: what is not, matrix products copy into memory of their own for every pair."""
    return heads if heads.is_contiguous() else room.take(name, heads.shape, heads).copy_(heads)
