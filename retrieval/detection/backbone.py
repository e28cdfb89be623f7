"""What a frozen EfficientNet-Lite0 sees in a photograph: its features at three strides, and where it sees turtles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

from index.types import Pixels
from retrieval.encoders import load_lite0

STRIDE = 32
"""Photos are brought to multiples of it, so that no cell reaches over an edge."""

TURTLES = (33, 34)
"""ImageNet's classes loggerhead and leatherback."""
TURTLE_LIKE = (33, 34, 35, 36, 37)
"""With mud turtle, terrapin and box turtle."""

CHANNELS = (80, 112, 322)


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Features of a batch of photos of one size.

    Attributes
    ----------
    fine : float [b, 80, h / 16, w / 16]
        Mean and maximum of stride 8 over two by two cells.
    middle : float [b, 112, h / 16, w / 16]
    coarse : float [b, 322, h / 32, w / 32]
        Stride 32, and behind it the logarithm of the probability of a sea turtle, and of any turtle, divided by 10.
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class Backbone:
    """The network up to where its own head begins; it never learns.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt
    """

    def __init__(self, device: torch.device) -> None:
        network = _fused(load_lite0())
        self.device = device
        # channels last is what both oneDNN and cuDNN compute fastest
        self._network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def levels(self, photos: Sequence[Pixels]) -> Levels:
        """Of RGB uint8 [h, w, 3] photos of one size, both sides multiples of `STRIDE`."""
        batch = torch.from_numpy(np.stack(photos)).to(self.device)
        x = batch.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        net = self._network
        x = net.bn1(net.conv_stem(x))
        at = []
        for stage in net.blocks:
            x = stage(x)
            at.append(x)
        eighth = at[2]
        fine = torch.cat([F.avg_pool2d(eighth, 2), F.max_pool2d(eighth, 2)], 1)
        return Levels(fine, at[4], torch.cat([at[6], self._evidence(at[6])], 1))

    def _evidence(self, last: Tensor) -> Tensor:
        """What the published classifier says of every cell by itself, float [b, 2, h, w]."""
        net = self._network
        seen = net.bn2(net.conv_head(last)).permute(0, 2, 3, 1)
        probabilities = F.linear(seen, net.classifier.weight, net.classifier.bias).log_softmax(-1)
        kinds = [probabilities[..., list(classes)].logsumexp(-1) for classes in (TURTLES, TURTLE_LIKE)]
        return torch.stack(kinds, 1) / 10


def _fused(network: nn.Module) -> nn.Module:
    """The network with each normalisation multiplied into the convolution before it, which computes the same faster."""
    for parent in list(network.modules()):
        names = [name for name, _ in parent.named_children()]
        for first, second in itertools.pairwise(names):
            conv, norm = getattr(parent, first), getattr(parent, second)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, first, fuse_conv_bn_eval(conv, norm))
                setattr(parent, second, norm.act)
    return network
