"""Global encoders: one unit vector a photo, whose inner products decide who is shortlisted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from index.errors import WeightsCorrupt
from index.types import Float32, LocalFeatures, Pixels
from retrieval.encoders.encoder import VectorEncoder
from retrieval.features import rootsift

BUNDLED = "vlad-1"


class VladEncoder(VectorEncoder):
    """Vector of locally aggregated descriptors (Jegou et al., CVPR 2010) of the photo's own SIFT features.

    Residuals to the nearest visual word are summed, each word's sum is brought to unit length (Arandjelovic and
    Zisserman, CVPR 2013), then everything is projected on the whitened principal components of a training set.

    Parameters
    ----------
    words : float32 [k, 128]
        Visual words in RootSIFT space.
    mean : float32 [k * 128]
    projection : float32 [k * 128, d]
        Whitened principal components.
    """

    def __init__(self, words: Float32, mean: Float32, projection: Float32, name: str) -> None:
        self.words = words
        self.mean = mean
        self.projection = projection
        self.id = name

    @classmethod
    def bundled(cls) -> VladEncoder:
        """The codebook that comes with turtleidx, trained on drawn heads."""
        with resources.as_file(resources.files("retrieval") / "data" / f"{BUNDLED}.npz") as path:
            return cls.load(path, BUNDLED)

    @classmethod
    def load(cls, path: Path, name: str) -> VladEncoder:
        """Read what `save` wrote; WeightsCorrupt when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                words, mean, projection = (stored[key].astype(np.float32) for key in ("words", "mean", "projection"))
        except (OSError, ValueError, KeyError) as error:
            raise WeightsCorrupt(f"{path} is not a VLAD codebook; install turtleidx again.") from error
        return cls(words, mean, projection, name)

    def save(self, path: Path) -> None:
        """Store in half precision, without pickle."""
        half = np.float16
        np.savez(
            path, words=self.words.astype(half), mean=self.mean.astype(half), projection=self.projection.astype(half)
        )

    @property
    def dimension(self) -> int:
        return int(self.projection.shape[1])

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Float32:
        del pixels
        raw = np.stack(
            [aggregate(rootsift(one.descriptors.astype(np.uint8, copy=False)), self.words) for one in features]
        )
        return unit(np.asarray((raw - self.mean) @ self.projection, np.float32))


def aggregate(descriptors: Float32, words: Float32) -> Float32:
    """VLAD with intra-normalisation: RootSIFT float32 [n, 128] and words [k, 128] to unit float32 [k * 128]."""
    nearest = (descriptors @ words.T - 0.5 * (words**2).sum(axis=1)).argmax(axis=1)
    sums = np.zeros_like(words)
    np.add.at(sums, nearest, descriptors - words[nearest])
    return np.asarray(unit(unit(sums).reshape(1, -1))[0])


def unit(vectors: Float32) -> Float32:
    """Rows at unit length; rows of zeros stay zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)
