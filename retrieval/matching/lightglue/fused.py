"""LightGlue's layers with their weights rearranged for inference: the same results with less work.

Against `lightglue.TransformerLayer`: queries, keys and values lie in separate blocks; the scale of attention is in the
weights; the rotary encoding is one complex product; the output projection of an attention is multiplied into the update
network that follows it; and x is updated where it lies. What an update would add to x for every keypoint alike stays
out of x: this is its `offset`, which the biases of all that reads x make up for. `gpu.layers` runs the same
weights on GPUs.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.matching.lightglue.attention import attend, attend_both
from retrieval.matching.lightglue.network import CrossAttention, SelfAttention, TransformerLayer
from retrieval.matching.lightglue.workspace import Workspace


class FusedLayer:
    """One transformer layer in `dtype` on `device`; updates x [B, n, d] of that type in place.

    Parameters
    ----------
    before : FusedLayer or None
        The layer that x comes from.

    Attributes
    ----------
    offset : float32 [d]
        What x lacks behind this layer, on `device`.
    """

    def __init__(
        self, layer: TransformerLayer, before: FusedLayer | None, device: torch.device, dtype: torch.dtype
    ) -> None:
        weight = layer.self_attn.out_proj.weight
        none = weight.new_zeros(len(weight), dtype=torch.float64)
        offset: Tensor = none if before is None else before.cross_attention.update.offset
        self.self_attention = FusedSelfAttention(layer.self_attn, offset, device, dtype)
        self.cross_attention: FusedCrossAttention = FusedCrossAttention(
            layer.cross_attn, self.self_attention.update.offset, device, dtype
        )
        self.offset = self.cross_attention.update.offset.to(device, torch.float32)


class Product:
    """x Wᵀ + b for `weight` W [e, d] and `bias` b [e], which may be left out.

    In bfloat16 on a CPU the weights are packed once as oneDNN multiplies them, by operators that torch's compiler uses.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, device: torch.device, dtype: torch.dtype) -> None:
        weight = weight.to(device, dtype)
        self._bias = None if bias is None else bias.to(device, dtype)
        self._packed: Tensor | None = torch.ops.mkldnn._reorder_linear_weight(weight) if _packs(weight) else None
        self._weight = weight.T if self._packed is None else None

    def __call__(self, x: Tensor, room: Workspace, name: str) -> Tensor:
        """[..., e] for `x` [..., d], where `name` lies or in memory of its own."""
        rows = x.flatten(0, -2)
        if self._weight is None:
            found: Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._packed, self._bias, "none", [], "")
        else:
            found = room.take(name, (len(rows), self._weight.shape[1]), x)
            if self._bias is None:
                torch.mm(rows, self._weight, out=found)
            else:
                torch.addmm(self._bias, rows, self._weight, out=found)
        return found.view(*x.shape[:-1], -1)

    def reordered(self, order: Tensor) -> Product:
        """The product whose results come in this order, an int64 [e], on the same device."""
        assert self._weight is not None
        bias = None if self._bias is None else self._bias[order]
        return Product(self._weight.T[order], bias, self._weight.device, self._weight.dtype)

    def add_to(self, total: Tensor, x: Tensor, room: Workspace, name: str) -> None:
        """Add x Wᵀ to `total` [n, e], for a product without bias."""
        if self._weight is None:
            total.add_(self(x, room, name))
        else:
            total.addmm_(x, self._weight)


def _packs(weight: Tensor) -> bool:
    """Whether oneDNN multiplies packed weights of this type on this processor."""
    if (
        weight.device.type != "cpu"
        or weight.dtype != torch.bfloat16
        or not hasattr(torch.ops.mkldnn, "_linear_pointwise")
    ):
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class FusedSelfAttention:
    """`lightglue.SelfAttention` for inference."""

    def __init__(self, block: SelfAttention, offset: Tensor, device: torch.device, dtype: torch.dtype) -> None:
        self.dim = dim = block.out_proj.out_features
        self.heads = block.heads
        scale = torch.ones(3 * dim, 1, device=block.Wqkv.weight.device)
        scale[:dim] = (dim // self.heads) ** -0.5 / log(2)

        def separated(value: Tensor) -> Tensor:
            """Rows ordered by head, channel, q/k/v into rows ordered by q/k/v, head, channel; queries scaled."""
            return scale * value.view(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(3 * dim, -1)

        weight = block.Wqkv.weight.detach()
        bias = block.Wqkv.bias.detach() + weight.double() @ offset
        self.project = Product(separated(weight), separated(bias)[:, 0], device, dtype)
        self.update = FusedUpdate(block.ffn, block.out_proj, offset, device, dtype)

    def __call__(self, x: Tensor, rotary: Tensor, room: Workspace) -> None:
        """Update `x`; `rotary` is complex64 [B, 1, n, d / h / 2]."""
        qkv = self.project(x, room, "own").view(*x.shape[:2], 3, self.heads, -1)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        turned = room.take("turned", qkv[:2].shape, rotary.real).copy_(qkv[:2])
        torch.view_as_complex(turned.view(*turned.shape[:-1], -1, 2)).mul_(rotary)
        q, k = turned if x.dtype == turned.dtype else room.take("in position", turned.shape, x).copy_(turned)
        self.update(x, attend(q, k, qkv[2], room), room)


class FusedCrossAttention:
    """`lightglue.CrossAttention` for inference."""

    def __init__(self, block: CrossAttention, offset: Tensor, device: torch.device, dtype: torch.dtype) -> None:
        self.heads = block.heads
        # queries are keys here, and each bears half of the scale
        scale = ((block.to_qk.out_features // self.heads) ** -0.5 / log(2)) ** 0.5
        weight = torch.cat((scale * block.to_qk.weight, block.to_v.weight)).detach()
        bias = torch.cat((scale * block.to_qk.bias, block.to_v.bias)).detach()
        self.project = Product(weight, bias + weight.double() @ offset, device, dtype)
        self.update = FusedUpdate(block.ffn, block.to_out, offset, device, dtype)

    def __call__(self, x0: Tensor, x1: Tensor, room: Workspace) -> None:
        """Update `x0` [B, m, d] and `x1` [B, n, d]."""
        (qk0, v0), (qk1, v1) = self._separated(x0, room, "own"), self._separated(x1, room, "others")
        gathered0, gathered1 = attend_both(qk0, qk1, v0, v1, room)
        self.update(x0, gathered0, room)
        self.update(x1, gathered1, room)

    def _separated(self, x: Tensor, room: Workspace, name: str) -> Tensor:
        return self.project(x, room, name).view(*x.shape[:2], 2, self.heads, -1).permute(2, 0, 3, 1, 4)


class FusedUpdate:
    """x + MLP(x, P gathered) with the projection P multiplied into the MLP's first layer.

    `offset` is what x lacks behind the update, float64 [d]; the parameter of this name, what it lacks before.
    """

    def __init__(
        self, mlp: nn.Sequential, project: nn.Linear, offset: Tensor, device: torch.device, dtype: torch.dtype
    ) -> None:
        first, norm, _, last = mlp
        assert isinstance(first, nn.Linear) and isinstance(norm, nn.LayerNorm) and isinstance(last, nn.Linear)
        own, message = torch.split(first.weight.detach().double(), project.out_features, 1)
        weight = torch.cat((own, message @ project.weight.detach().double()), 1)
        bias = first.bias + own @ offset + message @ project.bias.double()
        self.first = Product(weight, bias.detach(), device, dtype)
        self.norm = (norm.weight.detach().to(device, dtype), norm.bias.detach().to(device, dtype), norm.eps)
        self.last = Product(last.weight.detach(), None, device, dtype)
        self.offset = offset + last.bias.detach().double()

    def __call__(self, x: Tensor, gathered: Tensor, room: Workspace) -> None:
        """Update `x` [B, n, d] with what attention gathered, [B, h, n, d / h]."""
        pairs, heads, count, channels = gathered.shape
        read = room.take("read", (pairs, count, 2 * heads, channels), x)
        read[:, :, :heads] = x.view(pairs, count, heads, channels)
        read[:, :, heads:] = gathered.transpose(1, 2)
        hidden = self.first(read.flatten(2), room, "hidden").flatten(0, 1)
        weight, bias, eps = self.norm
        hidden = torch.ops.aten.gelu_(F.layer_norm(hidden, weight.shape, weight, bias, eps))
        self.last.add_to(x.flatten(0, 1), hidden, room, "last")
