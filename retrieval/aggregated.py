"""The bundled encoder: visual words of a photo's own SIFT features, each with a binary code, that vote in a search."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.errors import WeightsCorrupt
from index.signature import SLOT_BYTES, UInt8, packed
from index.types import Descriptor, Float32, Int64, LocalFeatures
from retrieval.keypoints import rootsift

BUNDLED_WORDS = "asmk-1"

SLOTS = 256
"""Keypoints of a photo, the strongest, that have words; twice as many find no more."""

ASKED = 5
"""Nearest words of a query's keypoint that are asked about, since a keypoint seen again may fall to a neighbour."""


class AsmkEncoder:
    """Aggregated selective match kernel with binary codes (Tolias, Avrithis and Jegou, ICCV 2013).

    The residuals of a photo's keypoints to their visual word are summed, word by word, turned, and reduced to their
    signs. `index.votes` compares them.

    Parameters
    ----------
    words : float32 [k, 128]
        Visual words in RootSIFT space, at most 8192.
    rotation : float32 [128, 128]
        Spreads what differs over all bits.
    """

    votes = True

    def __init__(self, words: Float32, rotation: Float32, name: str) -> None:
        self.words = words
        self.rotation = rotation
        self.id = name
        self._half_norms = 0.5 * (words**2).sum(axis=1)

    @classmethod
    def bundled(cls) -> AsmkEncoder:
        """The visual words that come with turtleidx, trained on drawn heads."""
        with resources.as_file(resources.files("retrieval") / "data" / f"{BUNDLED_WORDS}.npz") as path:
            return cls.load(path, BUNDLED_WORDS)

    @classmethod
    def load(cls, path: Path, name: str) -> AsmkEncoder:
        """Read what `save` wrote; WeightsCorrupt when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                words, rotation = (stored[key].astype(np.float32) for key in ("words", "rotation"))
        except (OSError, ValueError, KeyError) as error:
            raise WeightsCorrupt(f"{path} does not hold visual words; install turtleidx again.") from error
        return cls(words, rotation, name)

    def save(self, path: Path) -> None:
        """Store in half precision, without pickle."""
        np.savez(path, words=self.words.astype(np.float16), rotation=self.rotation.astype(np.float16))

    @property
    def dimension(self) -> int:
        return SLOTS * SLOT_BYTES

    def encode(self, pixels: Sequence[npt.NDArray[np.uint8]], features: Sequence[LocalFeatures]) -> UInt8:
        """Signatures uint8 [n, 4608] of n photos' SIFT features."""
        del pixels
        return np.stack([packed(*self._aggregated(one, SLOTS, 1), SLOTS) for one in features])

    def probe(self, features: LocalFeatures, descriptor: Descriptor) -> UInt8:
        """A query's signature, several words for each keypoint."""
        del descriptor
        words, codes = self._aggregated(features, SLOTS, ASKED)
        return packed(words, codes, len(words))

    def _aggregated(self, features: LocalFeatures, strongest: int, nearest: int) -> tuple[Int64, UInt8]:
        """Words int64 [m] and codes uint8 [m, 16]."""
        described = rootsift(features.descriptors[:strongest].astype(np.uint8, copy=False))
        closeness = described @ self.words.T - self._half_norms
        assigned = []
        for _ in range(nearest):
            assigned.append(closeness.argmax(axis=1))
            closeness[np.arange(len(closeness)), assigned[-1]] = -np.inf
        every = np.concatenate(assigned)
        order = np.argsort(every, kind="stable")
        words, first = np.unique(every[order], return_index=True)
        residuals = described[order % len(described)] - self.words[every[order]]
        sums = np.add.reduceat(residuals, first, axis=0)
        return words.astype(np.int64), np.packbits(sums @ self.rotation > 0, axis=1)
