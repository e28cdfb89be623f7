"""What global encoders have in common, whatever they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.types import Descriptor, LocalFeatures

Pixels = npt.NDArray[np.uint8]


class Encoder(Protocol):
    """Turns photos into global descriptors."""

    @property
    def id(self) -> str:
        """Names the method and its weights; catalogues are made with exactly one."""

    @property
    def dimension(self) -> int:
        """Length of a descriptor."""

    @property
    def votes(self) -> bool:
        """Whether descriptors are signatures (`index.signature`) instead of vectors of unit length."""

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Descriptor:
        """Descriptors [n, dimension] of n photos: RGB uint8 [h, w, 3] each, and their local features."""

    def probe(self, features: LocalFeatures, descriptor: Descriptor) -> Descriptor:
        """What a search asks the index with, from a photo's local features and its descriptor."""


class VectorEncoder:
    """What encoders have in common whose descriptors are vectors of unit length: they ask with the vector itself."""

    votes = False

    def probe(self, features: LocalFeatures, descriptor: Descriptor) -> Descriptor:
        del features
        return descriptor
