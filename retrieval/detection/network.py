"""The small network that says where heads are, which side they show and how they are turned; it reads `Levels`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.detection.backbone import CHANNELS, Levels

CELL = 16
"""Pixels between two predictions."""
WIDTH = 64
_REDUCED = (24, 40, 64)


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """For every cell of a batch of photos.

    Attributes
    ----------
    heat : float [b, h, w]
        Logit of "here is the middle of a head".
    reach : float [b, 4, h, w]
        Logarithms of how far its box reaches left, up, right and down of the cell's middle, in cells.
    right : float [b, h, w]
        Logit of "its right side is seen".
    snout : float [b, 2, h, w]
        Cosine and sine of the direction of the snout in the picture, not of unit length.
    cut_out : float [b]
        Logit of "the photo is a head that was cut out already".
    """

    heat: Tensor
    reach: Tensor
    right: Tensor
    snout: Tensor
    cut_out: Tensor


class _Block(nn.Module):
    """What lies around, then what it means together; added to what was there."""

    def __init__(self) -> None:
        super().__init__()
        self.around = nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        self.norm = nn.GroupNorm(8, WIDTH)
        self.mix = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Float [b, WIDTH, h, w] to the same."""
        changed: Tensor = self.mix(F.relu(self.norm(self.around(x))))
        return x + changed


class HeadNetwork(nn.Module):
    """A centre heat map (Zhou et al., 2019) and distances to the box's edges (Tian et al., 2019); 64,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(nn.Conv2d(n, m, 1) for n, m in zip(CHANNELS, _REDUCED, strict=True))
        self.join = nn.Conv2d(sum(_REDUCED), WIDTH, 1)
        self.norm = nn.GroupNorm(8, WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(4))
        self.whole = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Conv2d(WIDTH, 8, 1)
        self.cut_out = nn.Linear(2 * WIDTH, 1)
        for number, channels in enumerate(CHANNELS):
            self.register_buffer(f"mean_{number}", torch.zeros(channels))
            self.register_buffer(f"spread_{number}", torch.ones(channels))
        # at first there is no head anywhere, and boxes are a few cells wide
        self.out.bias = nn.Parameter(torch.tensor([-3.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]))

    def standardise(self, means: list[Tensor], spreads: list[Tensor]) -> None:
        """Take over the mean and the spread of every channel of the three levels."""
        for number, (mean, spread) in enumerate(zip(means, spreads, strict=True)):
            getattr(self, f"mean_{number}").copy_(mean)
            getattr(self, f"spread_{number}").copy_(spread)

    def forward(self, levels: Levels) -> Predictions:
        """Predictions for a batch."""
        return self.predict(self.joined(levels))

    def joined(self, levels: Levels) -> Tensor:
        """What the network makes of each cell by itself, float [b, WIDTH, h, w]: mirrored, it is that of the mirror."""
        parts = []
        size = levels.middle.shape[-2:]
        for number, level in enumerate((levels.fine, levels.middle, levels.coarse)):
            mean, spread = getattr(self, f"mean_{number}"), getattr(self, f"spread_{number}")
            reduced = self.reduce[number](((level - mean[:, None, None]) / spread[:, None, None]).clamp(-6, 6))
            if reduced.shape[-2:] != size:
                reduced = F.interpolate(reduced, size=size, mode="bilinear")
            parts.append(reduced)
        return F.relu(self.norm(self.join(torch.cat(parts, 1))))

    def predict(self, x: Tensor) -> Predictions:
        """From what `joined` gave."""
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == 1:
                x = x + self.whole(x.mean((-2, -1)))[..., None, None]
        x = F.relu(x)
        out = self.out(x)
        cut_out = self.cut_out(torch.cat([x.mean((-2, -1)), x.amax((-2, -1))], 1))[:, 0]
        return Predictions(out[:, 0], out[:, 1:5].clamp(-3, 5), out[:, 5], out[:, 6:8], cut_out)


def mirrored(levels: Levels) -> Levels:
    """The features of the mirrored photo, as nearly as a network that is not quite symmetric gives them."""
    return Levels(levels.fine.flip(-1), levels.middle.flip(-1), levels.coarse.flip(-1))


def mirrored_back(seen: Predictions) -> Predictions:
    """What was predicted on mirrored features, for the photo as it is."""
    return Predictions(
        seen.heat.flip(-1),
        seen.reach.flip(-1)[:, [2, 1, 0, 3]],
        -seen.right.flip(-1),
        seen.snout.flip(-1) * torch.tensor([-1.0, 1.0], device=seen.snout.device)[:, None, None],
        seen.cut_out,
    )
