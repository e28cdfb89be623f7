"""Where LightGlue's keypoints lie: coordinates as the network wants them, and their rotary encoding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from retrieval.matching.lightglue.config import BINS


@dataclass(frozen=True, slots=True)
class Rotary:
    """Rotary position encoding of keypoints: cosine and sine float32 [B, 1, n, d / h / 2]."""

    cos: Tensor
    sin: Tensor

    def turn(self, x: Tensor) -> Tensor:
        """Turn the channel pairs of queries or keys [B, h, n, d / h] by each keypoint's angles."""
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = torch.stack((even * self.cos - odd * self.sin, even * self.sin + odd * self.cos), -1)
        return turned.flatten(-2).to(x.dtype)


class PositionEncoding(nn.Module):
    """Learned Fourier features of keypoint positions (section 3.2 of the paper)."""

    def __init__(self, inputs: int, head_dim: int) -> None:
        super().__init__()
        self.Wr = nn.Linear(inputs, head_dim // 2, bias=False)
        nn.init.normal_(self.Wr.weight)

    def forward(self, positions: Tensor) -> Rotary:
        """Encode `positions` [B, n, 2 or 4], see `normalise`."""
        angles = self.Wr(positions).unsqueeze(-3)
        return Rotary(torch.cos(angles), torch.sin(angles))


def normalise(
    xy: Tensor, scale: Tensor, orientation: Tensor, size: Tensor, with_scale_ori: bool, frames: str = "colmap"
) -> Tensor:
    """Positions as the network wants them: centred, the longer image side from -1 to 1.

    Scale becomes SIFT's sigma and orientation goes into (-pi, pi], as in COLMAP, whose keypoints the published SIFT
    network was trained on; `frames` names the other way, see `LightGlueConfig`. Attention sees differences of positions
    only, so where the centre is does not matter.

    Parameters
    ----------
    xy, scale, orientation : [..., n, 2], [..., n], [..., n]
        As in `index.types.LocalFeatures`: pixels, diameters in pixels, radians clockwise.
    size : [..., 2]
        Image width and height in pixels.

    Returns
    -------
    [..., n, 4] with scale and orientation, or [..., n, 2] without
    """
    longer = size.amax(-1)[..., None, None]
    centred = (xy - size[..., None, :] / 2) / (longer / 2)
    if not with_scale_ori:
        return centred
    if frames == "kornia":
        sigma, angle = scale, torch.remainder(-orientation, 2 * math.pi)
    else:
        sigma, angle = scale / 2, math.pi - torch.remainder(math.pi - orientation, 2 * math.pi)
    return torch.cat((centred, sigma.unsqueeze(-1), angle.unsqueeze(-1)), -1)


def turned(keypoints: Tensor, size: Tensor, eighths: Tensor) -> Tensor:
    """Keypoints [B, n, 4] (see `FeatureBatch`) as they would lie after turning the photos about their centres.

    Parameters
    ----------
    size : [B, 2]
        Width and height of the photos.
    eighths : [B]
        Eighths of a circle, clockwise.
    """
    angle = (2 * math.pi / BINS * eighths)[:, None]
    cos, sin = angle.cos(), angle.sin()
    (x, y), (middle_x, middle_y) = (one.unbind(-1) for one in (keypoints[..., :2], (size[:, None] - 1) / 2))
    right, down = x - middle_x, y - middle_y
    across, along = cos * right - sin * down + middle_x, sin * right + cos * down + middle_y
    return torch.stack((across, along, keypoints[..., 2], keypoints[..., 3] + angle), -1)
