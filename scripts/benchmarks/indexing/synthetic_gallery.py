"""Descriptors of galleries that nobody has photographed yet, drawn to resemble those of a few photos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from index.types import Float32, Int64

PHOTOS_OF_A_TURTLE = 10
BLOCK = 20_000


@dataclass(frozen=True, slots=True)
class Population:
    """Unit vectors about a common mean, with turtles that resemble themselves.

    Attributes
    ----------
    dimension : int
    mean : float
        Length of the mean vector.
    effective : float
        Participation ratio of the variances: in how many equally varying dimensions the photos would be as far apart.
    alike : float
        Share of the variance that photos of one turtle have in common.
    seed : int
    """

    dimension: int
    mean: float
    effective: float
    alike: float
    seed: int = 1

    @classmethod
    def resembling(cls, vectors: Float32, turtles: list[str]) -> Population:
        """From descriptors float32 [n, d]; the cosines of photo pairs tell all, whatever the number of photos."""
        cosine = vectors @ vectors.T
        name = np.array(turtles)
        same, pair = name[:, None] == name[None], ~np.eye(len(name), dtype=bool)
        others = cosine[~same]
        mean, spread = float(others.mean()), float(others.var())
        variance = 1 - mean
        alike = (float(cosine[same & pair].mean()) - mean) / variance if (same & pair).any() else 0.0
        return cls(vectors.shape[1], mean**0.5, variance**2 / spread, float(np.clip(alike, 0, 0.95)))

    def gallery(self, photos: int) -> Iterator[Float32]:
        """Descriptors float32 [up to BLOCK, d] of so many photos; a larger gallery begins with a smaller one."""
        for block in range(-(-photos // BLOCK)):
            rows = np.arange(min(BLOCK, photos - block * BLOCK))
            centres = self._centres(block)[rows // PHOTOS_OF_A_TURTLE]
            yield self._photos(centres, self._noise([self.seed, 1, block], len(rows)))

    def queries(self, count: int, photos: int) -> Float32:
        """Another photo float32 [count, d] each of turtles in a gallery of so many photos."""
        random = np.random.default_rng([self.seed, 2])
        turtles = random.integers(max(1, photos // PHOTOS_OF_A_TURTLE), size=count)
        blocks, places = np.divmod(turtles, BLOCK // PHOTOS_OF_A_TURTLE)
        centres = np.stack([self._centres(block)[place] for block, place in zip(blocks, places, strict=True)])
        return self._photos(centres, self._noise([self.seed, 3], count))

    def _photos(self, centres: Float32, own: Float32) -> Float32:
        # a falling spectrum exp(-2i/r) has the participation ratio r
        scale = np.exp(-np.arange(self.dimension) / self.effective).astype(np.float32)
        scale *= np.float32(((1 - self.mean**2) / (scale**2).sum()) ** 0.5)
        vectors = (np.float32(self.alike**0.5) * centres + np.float32((1 - self.alike) ** 0.5) * own) * scale
        vectors += np.float32(self.mean / self.dimension**0.5)
        unit: Float32 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def _centres(self, block: int) -> Float32:
        return self._noise([self.seed, 0, int(block)], BLOCK // PHOTOS_OF_A_TURTLE)

    def _noise(self, seed: list[int], count: int) -> Float32:
        return np.random.default_rng(seed).standard_normal((count, self.dimension), dtype=np.float32)


def nearest(gallery: Float32, queries: Float32, k: int) -> Int64:
    """The rows int64 [queries, k] of the exact answers, nearest first; the gallery may be mapped from a file."""
    ids = np.empty((len(queries), 0), np.int64)
    best = np.empty((len(queries), 0), np.float32)
    for first in range(0, len(gallery), BLOCK):
        cosine = queries @ np.asarray(gallery[first : first + BLOCK]).T
        ids = np.concatenate([ids, np.broadcast_to(np.arange(first, first + cosine.shape[1]), cosine.shape)], axis=1)
        best = np.concatenate([best, cosine], axis=1)
        kept = np.argsort(-best, axis=1, kind="stable")[:, :k]
        ids, best = np.take_along_axis(ids, kept, axis=1), np.take_along_axis(best, kept, axis=1)
    return ids


def recall(found: list[Int64], expected: Int64, k: int) -> float:
    """Share of the k nearest that was found among the first k."""
    return float(
        np.mean(
            [
                len(np.intersect1d(one[:k], right[:k])) / min(k, len(right))
                for one, right in zip(found, expected, strict=True)
            ]
        )
    )
