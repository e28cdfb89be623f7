"""What a LightGlue network is, without the network: its sizes, and the id of the matcher that it makes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from index.errors import InputError
from index.types import LocalFeatures

BINS = 8
"""Rotations are told apart in steps of an eighth of a circle."""
AGREED = 4
"""Matches from which on photos are turned: an affine map explains any three."""


@dataclass(frozen=True, slots=True)
class LightGlueConfig:
    """Sizes of a LightGlue network and what it expects of its input.

    Attributes
    ----------
    input_dim, descriptor_dim, n_layers, num_heads : int
    add_scale_ori : bool
        Whether scale and orientation go into the position encoding beside x and y.
    depth_confidence : float or None
        Share of confident keypoints above which a pair stops before the last layer; None: never.
    frames : str
        In which terms the network was shown scale and orientation: ``colmap`` (sigma in pixels, clockwise in (-pi, pi])
        or ``kornia`` (diameter in pixels, counter-clockwise in [0, 2 pi)).
    """

    input_dim: int = 128
    descriptor_dim: int = 256
    n_layers: int = 9
    num_heads: int = 4
    add_scale_ori: bool = False
    depth_confidence: float | None = 0.95
    frames: str = "colmap"

    @property
    def head_dim(self) -> int:
        return self.descriptor_dim // self.num_heads

    def confidence_threshold(self, layer: int) -> float:
        """Confidence from which a keypoint counts as settled after `layer` (equation 10 of the paper)."""
        return 0.8 + 0.1 * math.exp(-4.0 * layer / self.n_layers)


def matcher_id(weights: str, config: LightGlueConfig) -> str:
    """Names a network's matcher by what decides its matches; `weights` are those of `network_id`."""
    exit_rule = "" if config.depth_confidence is None else f"-exit{config.depth_confidence:g}"
    return f"lightglue-{weights}-clockwise{BINS}-{AGREED}{exit_rule}"


def network_id(name: str, sha256: str) -> str:
    """Names weights by their name and the beginning of their file's SHA-256."""
    return f"{name}-{sha256[:12]}"


def require_descriptors(photo: LocalFeatures, matcher: str, config: LightGlueConfig) -> None:
    """Raises InputError where a matcher's network was trained for other descriptors than a photo's."""
    values = photo.descriptors.shape[1]
    if values != config.input_dim:
        raise InputError(
            f"{matcher} compares descriptors of {config.input_dim} values, these photos have {values}: choose a "
            "matcher for the extractor that the catalogue was made with."
        )
