"""What the individuals of one drawn "species" share: eye, beak, mouth, the scute layout in the large, colours, shape.

The head's side is drawn on a plane: Lambert's equal-area map of the directions from the head's centre, with the side
that faces the viewer in the middle, the snout at u = -1.4, the neck at u = 1.4 and v pointing down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from index.types import Float32
from synthetic.noise import seeded

EXTENT = 1.72
"""The drawn plane reaches from -EXTENT to EXTENT; the edge of the visible half is at √2."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """One species.

    Attributes
    ----------
    eye : float32 [2], eye_radius : float
        Centre (u, v) and radius of the eye.
    beak, neck : float
        Where along u the smooth beak ends and the wrinkled neck begins.
    mouth : float32 [3]
        Height at the snout, slope and bend of the mouth line.
    mouth_corner : float
    scutes : float32 [n, 2], spacing : float32 [n]
        Centres (u, v) of the scutes as the species has them, and the distance to their neighbours.
    individuality : float
        How far individuals move their scutes, in parts of the spacing.
    pale, warm, dark, horn : float32 [3]
        RGB 0..1 of seams, scutes, blotches and beak.
    crown, seam, blotches, grain : float
        Darkness of the crown, width of the seams, share of a scute that is dark, roughness of the skin.
    axes : float32 [3]
        Half axes of the head: along the snout, upwards, towards the viewer.
    bumps : float32 [m, 3], heights, sharpness : float32 [m]
        Directions in which the head bulges, by how much and how narrowly.
    """

    eye: Float32
    eye_radius: float
    beak: float
    neck: float
    mouth: Float32
    mouth_corner: float
    scutes: Float32
    spacing: Float32
    individuality: float
    pale: Float32
    warm: Float32
    dark: Float32
    horn: Float32
    crown: float
    seam: float
    blotches: float
    grain: float
    axes: Float32
    bumps: Float32
    heights: Float32
    sharpness: Float32


@lru_cache(maxsize=64)
def anatomy(species: int) -> Anatomy:
    """The species of this number; the same number always gives the same one."""
    rng, finish = seeded(1, species), seeded(8, species)
    neck = rng.uniform(0.75, 1.0)
    size = rng.uniform(0.24, 0.33)
    scutes, spacing = _scute_layout(rng, neck, size)
    warm = np.array([rng.uniform(0.42, 0.70), rng.uniform(0.25, 0.38), rng.uniform(0.08, 0.20)])
    bumps = np.array([[-0.98, 0.1, 0.1], [-0.45, -0.6, 0.65], [0.95, 0.2, 0.1], [-0.5, 0.75, 0.4], [0.2, -0.9, 0.4]])
    return Anatomy(
        eye=_array(rng.uniform(-0.52, -0.38), rng.uniform(-0.42, -0.25)),
        eye_radius=rng.uniform(0.20, 0.30),
        beak=rng.uniform(-0.85, -0.68),
        neck=neck,
        mouth=_array(rng.uniform(0.30, 0.45), rng.uniform(0.0, 0.18), rng.uniform(-0.2, 0.15)),
        mouth_corner=rng.uniform(-0.3, 0.05),
        scutes=scutes,
        spacing=spacing,
        individuality=rng.uniform(0.22, 0.42),
        pale=_array(*(np.array([0.80, 0.68, 0.46]) * rng.uniform(0.8, 1.1) * rng.uniform(0.93, 1.07, 3))),
        warm=warm.astype(np.float32),
        dark=_array(*(warm * rng.uniform(0.22, 0.45))),
        horn=_array(*(np.array([0.72, 0.60, 0.46]) * rng.uniform(0.8, 1.1, 3))),
        crown=rng.uniform(0.1, 0.65),
        seam=rng.uniform(0.7, 1.5) * finish.uniform(0.2, 1.0),
        blotches=rng.uniform(0.25, 0.75),
        grain=finish.uniform(0.15, 1.0),
        axes=_array(rng.uniform(1.15, 1.4), rng.uniform(0.85, 1.0), rng.uniform(0.55, 0.8)),
        bumps=(bumps / np.linalg.norm(bumps, axis=1, keepdims=True)).astype(np.float32),
        heights=(_array(0.10, 0.05, 0.65, 0.0, -0.03) + rng.normal(0, 0.03, 5)).astype(np.float32),
        sharpness=(_array(8, 8, 2.5, 6, 5) * rng.uniform(0.8, 1.3, 5)).astype(np.float32),
    )


def spacing_at(points: Float32, neck: float, size: float) -> Float32:
    """Distance between scutes around `points` [n, 2]: large on cheek and crown, smaller below, tiny on the neck."""
    u, v = points[:, 0], points[:, 1]
    low = 1 / (1 + np.exp(-(v - 0.30 + 0.1 * u) / 0.08))
    behind = 1 / (1 + np.exp(-(u - neck) / 0.06))
    on_side = size * (1 - 0.45 * low)
    result: Float32 = (on_side * (1 - behind) + 0.085 * behind).astype(np.float32)
    return result


def _scute_layout(rng: np.random.Generator, neck: float, size: float) -> tuple[Float32, Float32]:
    """Dart throwing with a distance that varies over the head."""
    darts = rng.uniform(-EXTENT, EXTENT, (4500, 2)).astype(np.float32)
    reach = 0.92 * spacing_at(darts, neck, size)
    kept = np.zeros(len(darts), dtype=bool)
    landed: Float32 = np.full((len(darts), 2), 99, dtype=np.float32)
    n = 0
    for i, dart in enumerate(darts):
        gap = landed[:n] - dart
        if n == 0 or np.einsum("ij,ij->i", gap, gap).min() > reach[i] ** 2:
            landed[n] = dart
            kept[i] = True
            n += 1
    return darts[kept], spacing_at(darts[kept], neck, size)


def _array(*values: float) -> Float32:
    return np.array(values, dtype=np.float32)
