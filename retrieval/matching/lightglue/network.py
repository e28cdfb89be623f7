"""The LightGlue network (Lindenberger et al., ICCV 2023), for training and for inference.

Parameter names are those of the reference implementation (cvg/LightGlue), so its published weights load as they are.
Every submodule takes batches and can be differentiated; nothing here touches torch's global switches. Batched
inference with an early exit of each pair is in `lightglue.matcher`.

Shapes: B pairs, m query and n candidate keypoints, d = descriptor_dim, h heads of d / h channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.positions import PositionEncoding, Rotary
from retrieval.matching.lightglue.shapes import recognised


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the assignment head says about a batch of pairs.

    Attributes
    ----------
    log_scores : [B, m, n]
        Log probability that the two keypoints match (equation 7 of the paper).
    matchability0, matchability1 : [B, m], [B, n]
        Logits of a keypoint having any counterpart.
    """

    log_scores: Tensor
    matchability0: Tensor
    matchability1: Tensor


def _split(x: Tensor, heads: int) -> Tensor:
    return x.view(*x.shape[:-1], heads, -1).transpose(-2, -3)


def _join(x: Tensor) -> Tensor:
    return x.transpose(-2, -3).flatten(-2)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention, fused except where a CPU shall differentiate it: there torch's fused kernel is the slower."""
    if q.device.type != "cpu" or not (torch.is_grad_enabled() and q.requires_grad):
        return F.scaled_dot_product_attention(q, k, v)
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else q.dtype
    with torch.autocast("cpu", enabled=False):
        pair_score = (q.to(dtype) * q.shape[-1] ** -0.5) @ k.to(dtype).mT
        attended: Tensor = pair_score.softmax(-1) @ v.to(dtype)
    return attended


def _update_mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2 * dim, 2 * dim), nn.LayerNorm(2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))


class SelfAttention(nn.Module):
    """Keypoints of one image look at each other, at relative positions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.ffn = _update_mlp(dim)

    def forward(self, x: Tensor, rotary: Rotary) -> Tensor:
        """Update `x` [B, n, d]."""
        # the reference interleaves queries, keys and values within each head
        q, k, v = self.Wqkv(x).view(*x.shape[:-1], self.heads, -1, 3).transpose(-3, -4).unbind(-1)
        context = _attend(rotary.turn(q), rotary.turn(k), v.contiguous())
        message = self.out_proj(_join(context))
        updated: Tensor = x + self.ffn(torch.cat((x, message), -1))
        return updated


class CrossAttention(nn.Module):
    """Keypoints of two images look at each other, by content only; queries and keys are the same projection."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qk = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)
        self.ffn = _update_mlp(dim)

    def forward(self, x0: Tensor, x1: Tensor) -> tuple[Tensor, Tensor]:
        """Update `x0` [B, m, d] and `x1` [B, n, d]."""
        qk0, qk1 = _split(self.to_qk(x0), self.heads), _split(self.to_qk(x1), self.heads)
        v0, v1 = _split(self.to_v(x0), self.heads), _split(self.to_v(x1), self.heads)
        return self._update(x0, qk0, qk1, v1), self._update(x1, qk1, qk0, v0)

    def _update(self, x: Tensor, own: Tensor, other: Tensor, values: Tensor) -> Tensor:
        context = _attend(own, other, values)
        message = self.to_out(_join(context))
        updated: Tensor = x + self.ffn(torch.cat((x, message), -1))
        return updated


class TransformerLayer(nn.Module):
    """One self-attention of each image, then one cross-attention."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, heads)
        self.cross_attn = CrossAttention(dim, heads)

    def forward(self, x0: Tensor, x1: Tensor, rotary0: Rotary, rotary1: Rotary) -> tuple[Tensor, Tensor]:
        """Update `x0` [B, m, d] and `x1` [B, n, d]."""
        pair: tuple[Tensor, Tensor] = self.cross_attn(self.self_attn(x0, rotary0), self.self_attn(x1, rotary1))
        return pair


class MatchAssignment(nn.Module):
    """Double softmax over similarities, weighed by each keypoint's matchability."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.matchability = nn.Linear(dim, 1)
        self.final_proj = nn.Linear(dim, dim)

    def forward(self, x0: Tensor, x1: Tensor) -> Assignment:
        """Assign `x0` [B, m, d] to `x1` [B, n, d]."""
        z0, z1 = self.matchability(x0).squeeze(-1), self.matchability(x1).squeeze(-1)
        similarity = self.final_proj(x0) @ self.final_proj(x1).mT / x0.shape[-1] ** 0.5
        rows = F.logsigmoid(z0) - similarity.logsumexp(2)
        columns = F.logsigmoid(z1) - similarity.logsumexp(1)
        return Assignment(2 * similarity + rows[:, :, None] + columns[:, None, :], z0, z1)


class TokenConfidence(nn.Module):
    """How sure the network is that a keypoint's assignment will not change any more."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.token = nn.Sequential(nn.Linear(dim, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Confidence in 0..1, [B, n], of `x` [B, n, d], which gets no gradient from here."""
        confidence: Tensor = self.token(x.detach()).squeeze(-1)
        return confidence


class LightGlue(nn.Module):
    """The whole network; `forward` runs every layer on pairs of equal shape.

    Source: Lindenberger, Sarlin, Pollefeys: LightGlue, Local Feature Matching at Light Speed, ICCV 2023.
    """

    def __init__(self, config: LightGlueConfig) -> None:
        super().__init__()
        if config.descriptor_dim % (2 * config.num_heads):
            raise ValueError("descriptor_dim must be an even multiple of num_heads")
        self.config = config
        d, layers = config.descriptor_dim, range(config.n_layers)
        self.input_proj = nn.Identity() if config.input_dim == d else nn.Linear(config.input_dim, d)
        self.posenc = PositionEncoding(4 if config.add_scale_ori else 2, config.head_dim)
        self.transformers = nn.ModuleList(TransformerLayer(d, config.num_heads) for _ in layers)
        self.log_assignment = nn.ModuleList(MatchAssignment(d) for _ in layers)
        self.token_confidence = nn.ModuleList(TokenConfidence(d) for _ in layers[:-1])

    def forward(self, descriptors0: Tensor, positions0: Tensor, descriptors1: Tensor, positions1: Tensor) -> Assignment:
        """Assign keypoints after the last layer, without early exit.

        Parameters
        ----------
        descriptors0, descriptors1 : [B, m, input_dim], [B, n, input_dim]
        positions0, positions1 : [B, m, 2 or 4], [B, n, 2 or 4]
            As `normalise` gives them.
        """
        x0, x1 = self.input_proj(descriptors0), self.input_proj(descriptors1)
        rotary0, rotary1 = self.posenc(positions0), self.posenc(positions1)
        for layer in self.transformers:
            x0, x1 = layer(x0, x1, rotary0, rotary1)
        assignment: Assignment = self.log_assignment[-1](x0, x1)
        return assignment

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], config: LightGlueConfig | None = None) -> LightGlue:
        """Network with the weights `state`, in evaluation mode; sizes come from the shapes, the rest from `config`.

        Files without confidence heads, or with the assignment of the last layer only, get no early exit.

        Raises
        ------
        WeightsCorrupt
            The tensors are not a LightGlue network.
        """
        tensors, found = recognised(state, config)
        network = cls(found)
        heads = {name: torch.zeros_like(value) for name, value in network.state_dict().items() if name not in tensors}
        network.load_state_dict(heads | tensors)
        return network.eval()
