"""What a GPU does between LightGlue's matrix products, in few passes over memory; sums are float32.

The programs are in `gpu.programs`; the sizes of their tiles are the fastest of those tried on an H200.

Shapes: B pairs, t tokens (all keypoints of a batch), d channels, h heads of c = d / h channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from retrieval.matching.lightglue.gpu import programs


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a product is cut: rows and columns of a tile, warps that compute it, tiles that are on their way."""

    rows: int
    columns: int
    warps: int
    stages: int


ATTEND = Tiles(64, 64, 4, 3)
SIMILAR, DEPTH = Tiles(128, 64, 4, 3), 32
ROTATED, NORMED = (2, 2), (4, 2)
"""Tokens and warps of a program."""
REDUCE = (64, 64)
"""Elements of a reduction that a tile keeps, and that it goes through at once."""


def rotate(qkv: Tensor, rotary: Tensor, heads: int) -> None:
    """Turn queries and keys in `qkv` [t, 3 d], in place, by `rotary` complex64 [t, c / 2].

    Of each head, the first half of the channels and the second are the two coordinates that are turned.
    """
    rows, width = qkv.shape
    programs.rotate[(triton.cdiv(rows, ROTATED[0]),)](
        qkv, torch.view_as_real(rotary), rows,
        width, width // 6 // heads, width // 3, triton.next_power_of_2(width // 3), ROTATED[0], num_warps=ROTATED[1],
    )  # fmt: skip


def norm_gelu(hidden: Tensor, scale: Tensor, shift: Tensor, eps: float) -> None:
    """GELU(LayerNorm(`hidden`)), in place, of [t, e]."""
    rows, width = hidden.shape
    programs.norm_gelu[(triton.cdiv(rows, NORMED[0]),)](
        hidden, scale, shift, rows, eps, width, triton.next_power_of_2(width), NORMED[0], num_warps=NORMED[1]
    )


def attend(queries: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
    """softmax(ln 2 Q K^T) V for [B, h, m, c], [B, h, n, c] and [B, h, n, c], into `out` [B, m, d].

    No largest similarity is subtracted before exponentials are taken, unless their sums say so.
    """
    pairs, heads, m, channels = queries.shape
    n = keys.shape[2]
    programs.attend[(triton.cdiv(m, ATTEND.rows) * pairs * heads,)](
        queries, keys, values, out, m, n,
        *queries.stride()[:3], *keys.stride()[:3], *values.stride()[:3], *out.stride()[:2],
        heads, channels, max(16, triton.next_power_of_2(channels)), n % ATTEND.columns == 0,
        ATTEND.rows, ATTEND.columns, num_warps=ATTEND.warps, num_stages=ATTEND.stages,
    )  # fmt: skip


def similarities(first: Tensor, second: Tensor, bias: Tensor | None = None) -> Tensor:
    """A Bᵀ + `bias` [n] for float32 [B, m, d] and [B, n, d], on matrix units.

    Nearly as exact as without them: each number is a sum of two that they multiply (TF32, three products).
    """
    pairs, m, width = first.shape
    n = second.shape[1]
    out = first.new_empty((pairs, m, n))
    programs.similar[(triton.cdiv(m, SIMILAR.rows) * triton.cdiv(n, SIMILAR.columns) * pairs,)](
        first, second, first if bias is None else bias, out, m, n,
        width, bias is not None, SIMILAR.rows, SIMILAR.columns, DEPTH,
        num_warps=SIMILAR.warps, num_stages=SIMILAR.stages,
    )  # fmt: skip
    return out


def log_sums(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """log Σ exp of `similarity` [B, m, n] over n, and over m: [B, m] and [B, n]."""
    pairs, m, n = similarity.shape
    rows, columns = similarity.new_empty((pairs, m)), similarity.new_empty((pairs, n))
    for out, kept, summed, steps in ((rows, m, n, (n, 1)), (columns, n, m, (1, n))):
        programs.log_sum[(triton.cdiv(kept, REDUCE[0]) * pairs,)](similarity, out, kept, summed, *steps, *REDUCE)
    return rows, columns


def favourites(similarity: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Largest 2 S + `columns` [B, n] of each row of S = `similarity` [B, m, n] and where it is; where each column's is.

    float32 [B, m], int64 [B, m] and int64 [B, n]; of equals the first. To a column `rows` [B, m] matter.
    """
    pairs, m, n = similarity.shape
    best, forth = similarity.new_empty((pairs, m)), similarity.new_empty((pairs, m), dtype=torch.int64)
    most, back = similarity.new_empty((pairs, n)), similarity.new_empty((pairs, n), dtype=torch.int64)
    for value, place, other, kept, sought, steps in (
        (best, forth, columns, m, n, (n, 1)),
        (most, back, rows, n, m, (1, n)),
    ):
        programs.favourite[(triton.cdiv(kept, REDUCE[0]) * pairs,)](
            similarity, other.contiguous(), value, place, kept, sought, *steps, *REDUCE
        )
    return best, forth, back


def try_all(width: int, heads: int, device: torch.device) -> None:
    """Run each once, which compiles them for layers of this size; raises whatever stands in the way."""
    qkv = torch.zeros(1, 64, 3 * width, dtype=torch.bfloat16, device=device)
    q, k, v = qkv.view(1, 64, 3, heads, -1).permute(2, 0, 3, 1, 4)
    rotate(qkv[0], torch.ones(64, width // heads // 2, dtype=torch.complex64, device=device), heads)
    for count in (64, 63):  # what fills its tiles is compiled without masks
        attend(q, k[:, :, :count], v[:, :, :count], torch.empty_like(qkv[..., :width]))
    hidden = torch.zeros(64, 2 * width, dtype=torch.bfloat16, device=device)
    norm_gelu(hidden, hidden[0], hidden[0], 1e-5)
    tokens = torch.zeros(1, 64, width, device=device)
    similarity = similarities(tokens, tokens)
    similarities(tokens, torch.zeros(1, width, width, device=device), torch.zeros(width, device=device))
    favourites(similarity, *log_sums(similarity))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
