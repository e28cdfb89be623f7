"""The start of training: a network that already ranks by descriptor similarity."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from retrieval.features import rootsift
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.network import (
    CrossAttention,
    LightGlue,
    MatchAssignment,
    SelfAttention,
    TransformerLayer,
)
from training.lightglue.synthetic_pairs import Flock

SHARPNESS = 16.0
"""Similarity of a descriptor with itself, in logits, before anything is learned."""
ATTENTION = 1.2
"""Factor on descriptors before cross-attention compares them."""
LOCALITY = 0.75
"""How strongly self-attention starts out looking at a keypoint's surroundings."""


def new_network(config: LightGlueConfig, flocks: Sequence[Flock], seed: int) -> LightGlue:
    """A network that starts from what is known about matching instead of from noise.

    The input projection goes onto RootSIFT's principal axes, the assignment is a scaled identity, residual branches are
    faint. Self-attention looks at the surroundings, each head and layer with an offset of its own, and cross-attention
    at the descriptors' likeness; both hand the descriptors on as they are.
    """
    torch.manual_seed(seed)
    network = LightGlue(config)
    with torch.no_grad():
        if isinstance(network.input_proj, nn.Linear):
            _project_onto_axes(network.input_proj, flocks)
        _set_frequencies(network.posenc.Wr.weight)
        for layer in network.transformers.children():
            if isinstance(layer, TransformerLayer):
                _look_around(layer.self_attn, network.posenc.Wr.weight)
                _look_across(layer.cross_attn)
        for head in network.log_assignment.children():
            if isinstance(head, MatchAssignment):
                _assign_by_likeness(head)
    return network


def with_layers(network: LightGlue, layers: int) -> LightGlue:
    """A network of so many layers that starts where a trained one stands.

    A shallower one is its first layers, whose own assignment heads were taught too. A deeper one gets copies of the
    last layer that change nothing yet, so that it matches as before until it learns.
    """
    had = network.config.n_layers
    resized = LightGlue(replace(network.config, n_layers=layers))
    expected = resized.state_dict()
    state = {name: tensor for name, tensor in network.state_dict().items() if name in expected}
    for name in expected.keys() - state.keys():
        kind, _, rest = name.split(".", 2)
        last = network.state_dict().get(f"{kind}.{had - 1 - (kind == 'token_confidence')}.{rest}")
        state[name] = expected[name] if last is None else copy.deepcopy(last)
        if ".ffn.3." in name:  # what the layer would add
            state[name] = torch.zeros_like(expected[name])
    resized.load_state_dict(state)
    return resized.train(network.training)


def _project_onto_axes(projection: nn.Linear, flocks: Sequence[Flock]) -> None:
    """Mean-free, onto the principal axes of RootSIFT, channels of about unit variance."""
    sample = np.concatenate([rootsift(flock.descriptors[::4, ::8].reshape(-1, 128)) for flock in flocks[:60]])
    mean = sample.mean(0)
    _, _, axes = np.linalg.svd(np.cov((sample - mean).T))
    d = projection.out_features
    weight = torch.from_numpy(axes[:d].astype(np.float32)) * d**0.5 / 0.75
    projection.weight.copy_(weight)
    projection.bias.copy_(-weight @ torch.from_numpy(mean))


def _look_around(block: SelfAttention, frequencies: Tensor) -> None:
    """Constant queries and keys: with rotary encoding that is attention to places, nearest first."""
    heads, half = block.heads, frequencies.shape[0]
    weight = block.Wqkv.weight.view(heads, 2 * half, 3, -1)
    bias = block.Wqkv.bias.view(heads, 2 * half, 3)
    weight[:, :, :2].mul_(0.5)
    weight[:, :, 2].copy_(torch.eye(heads * 2 * half).view(heads, 2 * half, -1))
    phase = (torch.randn(heads, 2) * 0.15) @ frequencies[:, :2].T
    bias[:, 0::2, 0], bias[:, 1::2, 0] = LOCALITY, 0.0
    bias[:, 0::2, 1], bias[:, 1::2, 1] = LOCALITY * torch.cos(phase), LOCALITY * torch.sin(phase)
    bias[:, :, 2] = 0
    _hand_on(block.out_proj)
    _faint(block.ffn)


def _look_across(block: CrossAttention) -> None:
    """Queries and keys are the descriptors, turned so that every head sees something of all axes."""
    d = block.to_qk.in_features
    turned, _ = torch.linalg.qr(torch.randn(d, d))
    block.to_qk.weight.copy_(turned * ATTENTION)
    block.to_qk.bias.zero_()
    _hand_on(block.to_v)
    _hand_on(block.to_out)
    _faint(block.ffn)


def _assign_by_likeness(head: MatchAssignment) -> None:
    d = head.final_proj.in_features
    head.final_proj.weight.copy_(torch.eye(d) * (SHARPNESS / d**0.5) ** 0.5)
    head.final_proj.bias.zero_()
    head.matchability.weight.mul_(0.1)
    head.matchability.bias.fill_(-0.5)


def _hand_on(linear: nn.Linear) -> None:
    linear.weight.copy_(torch.eye(linear.in_features))
    linear.bias.zero_()


def _faint(ffn: nn.Sequential) -> None:
    last = ffn[-1]
    if isinstance(last, nn.Linear):
        last.weight.mul_(0.1)
        last.bias.zero_()


def _set_frequencies(weight: Tensor) -> None:
    """Positions from coarse to fine, scale gently, orientation with whole numbers, so that a full turn is no turn."""
    frequencies = weight.shape[0]
    reach = torch.logspace(0, 1.3, frequencies)
    angle = torch.rand(frequencies) * 2 * torch.pi
    weight[:, 0], weight[:, 1] = reach * torch.cos(angle), reach * torch.sin(angle)
    weight[:, 2] = torch.randn(frequencies) * 0.08
    weight[:, 3] = torch.randint(-1, 2, (frequencies,)).float()
