"""Photos as other water, light and angles would show them. Never mirrored: left and right are different patterns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms import v2


class Water(torch.nn.Module):
    """The colour cast of water: each channel loses some light, red the most (Beer and Lambert), and haze is added."""

    def forward(self, image: Tensor) -> Tensor:
        """Float32 [3, h, w] in 0..1."""
        depth = torch.rand(1)
        kept = torch.exp(-depth * torch.tensor([0.9, 0.25, 0.2]))[:, None, None]
        haze = 0.25 * torch.rand(1) * torch.tensor([0.2, 0.6, 0.7])[:, None, None]
        return (image * kept + haze).clamp(0, 1)


def augmentation(size: int, mean: Sequence[float], std: Sequence[float]) -> v2.Compose:
    """From uint8 [3, h, w] to a network's input float32 [3, size, size]."""
    return v2.Compose(
        [
            v2.RandomPerspective(0.25, p=0.5),
            v2.RandomRotation(15),
            v2.RandomResizedCrop(size, scale=(0.55, 1), ratio=(0.7, 1.4), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.ColorJitter(0.35, 0.35, 0.35, 0.04),
            v2.RandomApply([Water()], 0.5),
            v2.RandomGrayscale(0.1),
            v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], 0.3),
            v2.RandomErasing(0.25, scale=(0.02, 0.15)),
            v2.Normalize(list(mean), list(std)),
        ]
    )
