"""LightGlue's layers on a GPU, in reduced precision: the weights of `lightglue.fused`, with less traffic to memory.

The layers are so narrow that a GPU moves their activations about as long as it multiplies them. So what lies between
the matrix products is done in one pass each (`gpu.kernels`), and what attention gathers is written beside the x
that it updates, where the update network reads both as one.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from retrieval.matching.lightglue.fused import FusedLayer, FusedSelfAttention, FusedUpdate, Product
from retrieval.matching.lightglue.workspace import Workspace


class TiledLayer:
    """One transformer layer; updates x [B, n, d] in place, which must lie in a `beside` of its own."""

    def __init__(self, layer: FusedLayer, kernels: ModuleType) -> None:
        self._layer = layer
        self._kernels = kernels
        self._project = _by_coordinate(layer.self_attention)
        self.offset = layer.offset

    def self_attention(self, x: Tensor, rotary: Tensor, room: Workspace) -> None:
        """Update `x`; `rotary` is complex64 [B, 1, n, d / h / 2]."""
        block = self._layer.self_attention
        qkv = self._project(x, room, "own")
        self._kernels.rotate(qkv.flatten(0, 1), rotary.flatten(0, 2), block.heads)
        q, k, v = _by_head(qkv, 3, block.heads)
        self._kernels.attend(q, k, v, _message(x))
        self._update(x, block.update, room)

    def cross_attention(self, x0: Tensor, x1: Tensor, room: Workspace) -> None:
        """Update `x0` [B, m, d] and `x1` [B, n, d]."""
        block = self._layer.cross_attention
        qk0, v0 = _by_head(block.project(x0, room, "own"), 2, block.heads)
        qk1, v1 = _by_head(block.project(x1, room, "others"), 2, block.heads)
        self._kernels.attend(qk0, qk1, v1, _message(x0))
        self._kernels.attend(qk1, qk0, v0, _message(x1))
        self._update(x0, block.update, room)
        self._update(x1, block.update, room)

    def _update(self, x: Tensor, update: FusedUpdate, room: Workspace) -> None:
        hidden = update.first(_both(x), room, "hidden").flatten(0, 1)
        self._kernels.norm_gelu(hidden, *update.norm)
        update.last.add_to(x.flatten(0, 1), hidden, room, "last")


def beside(x: Tensor) -> Tensor:
    """A copy of `x` [B, n, d] in a piece of memory that has as much place again beside every row."""
    pairs, count, width = x.shape
    wide = x.new_empty((pairs, count, 2 * width))
    wide[..., :width] = x
    return wide[..., :width]


def _both(x: Tensor) -> Tensor:
    """`x` and what lies beside it, [B, n, 2 d]."""
    pairs, count, width = x.shape
    if x.stride() != (2 * count * width, 2 * width, 1):
        raise ValueError("there is no place beside these rows")
    return x.as_strided((pairs, count, 2 * width), x.stride())


def _message(x: Tensor) -> Tensor:
    return _both(x)[..., x.shape[2] :]


def _by_coordinate(block: FusedSelfAttention) -> Product:
    """Queries, keys and values, of whose heads the first coordinate of every channel pair comes first, then the other.

    In this order kernels read and write whole rows; to similarities the order of channels is the same.
    """
    order = torch.arange(3 * block.dim).view(3, block.heads, -1, 2).transpose(2, 3).clone()
    order[2] = torch.arange(2 * block.dim, 3 * block.dim).view_as(order[2])  # values are not turned
    return block.project.reordered(order.flatten())


def _by_head(projected: Tensor, parts: int, heads: int) -> Tensor:
    """[B, n, parts h c] as [parts, B, h, n, c]."""
    return projected.view(*projected.shape[:2], parts, heads, -1).permute(2, 0, 3, 1, 4)


WIDE = 128
"""Channels from which on the kernels pay: what is narrower waits for launches, which they do not make cheaper."""


def kernels_for(width: int, heads: int, device: torch.device, precision: torch.dtype) -> ModuleType | None:
    """`gpu.kernels` for layers of so many channels in bfloat16 on an Nvidia GPU, else None."""
    if device.type != "cuda" or precision != torch.bfloat16 or width < WIDE:
        return None
    return working_kernels(width, heads, device)


@cache
def working_kernels(width: int, heads: int, device: torch.device) -> ModuleType | None:
    """The kernels, if the GPU is of Ampere's age or younger and each of them runs there for layers of this size."""
    if torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return None
    try:
        from retrieval.matching.lightglue.gpu import kernels

        with torch.cuda.device(device):
            kernels.try_all(width, heads, device)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # without Triton, or a compiler, or room in the GPU's caches, torch alone does the work
        return None
    return kernels
