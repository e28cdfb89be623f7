"""Smooth random fields and the randomness that every drawing starts from."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from index.types import Float32


def seeded(*words: int) -> np.random.Generator:
    """A generator of its own for every combination of `words` (non-negative)."""
    return np.random.default_rng(np.random.SeedSequence(words))


def fractal_noise(
    rng: np.random.Generator, size: tuple[int, int], cells: float, octaves: int = 4, persistence: float = 0.55
) -> Float32:
    """Sum of ever finer random fields, float32 [h, w] for `size` (h, w), mean about 0 and deviation about 0.5.

    `cells` is the number of bumps of the coarsest field along the longer side; every octave doubles it.
    """
    h, w = size
    total: Float32 = np.zeros(size, dtype=np.float32)
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        rows, columns = max(2, round(cells * h / max(h, w))) + 1, max(2, round(cells * w / max(h, w))) + 1
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        total += weight * cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC)
        weights += weight**2
        weight *= persistence
        cells *= 2
    return total * np.float32(0.7 / np.sqrt(weights))


def smoothstep(values: Float32, low: float, high: float) -> Float32:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    result: Float32 = t * t * (3 - 2 * t)
    return result


def single(values: npt.ArrayLike) -> Float32:
    """The values at single precision."""
    return np.asarray(values, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """For every place: distance to the nearest point and to the next, float32 [h, w], and which one is nearest."""

    nearest: Float32
    second: Float32
    owner: npt.NDArray[np.int64]

    @property
    def border(self) -> Float32:
        """0 on the border of two cells, growing inwards."""
        return self.second - self.nearest


def cells(points: npt.NDArray[np.float64], x: Float32, y: Float32) -> Cells:
    """Voronoi cells of points [n, 2] at the places x, y [h, w]."""
    distance, owner = cKDTree(points).query(np.stack([x, y], -1), k=2)
    distance, owner = np.asarray(distance), np.asarray(owner)
    return Cells(single(distance[..., 0]), single(distance[..., 1]), owner[..., 0].astype(np.int64))
