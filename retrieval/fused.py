"""LightGlue's layers with their weights rearranged for inference: the same results with less work.

Against `lightglue.TransformerLayer`: queries, keys and values lie in separate blocks, so that attention reads them
without a copy; the rotary encoding is one complex product; the output projection of an attention is multiplied into
the update network that follows it; and what that network reads is not concatenated first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.attention import attend, attend_both
from retrieval.lightglue import CrossAttention, SelfAttention, TransformerLayer


class FusedLayer:
    """One transformer layer in `dtype` on `device`; takes and gives x [B, n, d] of that type."""

    def __init__(self, layer: TransformerLayer, device: torch.device, dtype: torch.dtype) -> None:
        self.self_attention = FusedSelfAttention(layer.self_attn, device, dtype)
        self.cross_attention = FusedCrossAttention(layer.cross_attn, device, dtype)


class FusedSelfAttention:
    """`lightglue.SelfAttention` for inference."""

    def __init__(self, block: SelfAttention, device: torch.device, dtype: torch.dtype) -> None:
        def separated(value: Tensor) -> Tensor:
            """Rows ordered by head, channel, q/k/v into rows ordered by q/k/v, head, channel."""
            return value.view(-1, 3, *value.shape[1:]).transpose(0, 1).reshape(value.shape)

        self.heads = block.heads
        dim = block.out_proj.out_features
        scale = torch.ones(3 * dim)
        scale[:dim] = (dim // self.heads) ** -0.5
        self.weight = (scale[:, None] * separated(block.Wqkv.weight.detach().cpu())).to(device, dtype)
        self.bias = (scale * separated(block.Wqkv.bias.detach().cpu())).to(device, dtype)
        self.update = FusedUpdate(block.ffn, block.out_proj, device, dtype)

    def __call__(self, x: Tensor, rotary: Tensor) -> Tensor:
        """Update `x`; `rotary` is complex64 [B, 1, n, d / h / 2]."""
        qkv = F.linear(x, self.weight, self.bias).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        qk = torch.view_as_complex(qkv[:2].float().view(2, *qkv.shape[1:-1], -1, 2))
        q, k = torch.view_as_real(qk * rotary).flatten(-2).to(x.dtype)
        return self.update(x, attend(q, k, qkv[2]))


class FusedCrossAttention:
    """`lightglue.CrossAttention` for inference."""

    def __init__(self, block: CrossAttention, device: torch.device, dtype: torch.dtype) -> None:
        self.heads = block.heads
        # queries are keys here, and each bears half of the scale
        scale = (block.to_qk.out_features // self.heads) ** -0.25
        self.weight = torch.cat((scale * block.to_qk.weight, block.to_v.weight)).detach().to(device, dtype)
        self.bias = torch.cat((scale * block.to_qk.bias, block.to_v.bias)).detach().to(device, dtype)
        self.update = FusedUpdate(block.ffn, block.to_out, device, dtype)

    def __call__(self, x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
        """Update `x0` [B, m, d] and `x1` [B, n, d]."""
        (qk0, v0), (qk1, v1) = self._project(x0), self._project(x1)
        gathered0, gathered1 = attend_both(qk0, qk1, v0, v1)
        return self.update(x0, gathered0), self.update(x1, gathered1)

    def _project(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias).view(*x.shape[:2], 2, self.heads, -1).permute(2, 0, 3, 1, 4)


class FusedUpdate:
    """x + MLP(x, P context) with the projection P multiplied into the MLP's first layer."""

    def __init__(self, mlp: nn.Sequential, project: nn.Linear, device: torch.device, dtype: torch.dtype) -> None:
        first, norm, _, last = mlp
        assert isinstance(first, nn.Linear) and isinstance(norm, nn.LayerNorm) and isinstance(last, nn.Linear)
        own, message = torch.split(first.weight.detach().double(), project.out_features, 1)
        self.own = own.to(device, dtype)
        self.context = (message @ project.weight.detach().double()).to(device, dtype).T
        self.bias = (first.bias + message @ project.bias.double()).detach().to(device, dtype)
        self.norm = (norm.weight.detach().to(device, dtype), norm.bias.detach().to(device, dtype), norm.eps)
        self.last = (last.weight.detach().to(device, dtype), last.bias.detach().to(device, dtype))

    def __call__(self, x: Tensor, gathered: Tensor) -> Tensor:
        """Update `x` [B, n, d] with what attention gathered, `gathered` [B, n, d]."""
        hidden = F.linear(x, self.own, self.bias).flatten(0, 1).addmm_(gathered.flatten(0, 1), self.context)
        weight, bias, eps = self.norm
        hidden = F.gelu(F.layer_norm(hidden, weight.shape, weight, bias, eps))
        return x + F.linear(hidden, *self.last).view_as(x)
