"""What global encoders have in common, whatever they compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from index.types import Descriptor, LocalFeatures, Pixels
from retrieval.features import SiftExtractor


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
        """Whether descriptors are signatures (`index.visual_words.signature`) instead of vectors of unit length."""

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


class SiftBeside:
    """An encoder of SIFT features beside an extractor of something else: it finds SIFT keypoints itself."""

    SUFFIX = "+sift"

    def __init__(self, encoder: Encoder, keypoints: int = 512) -> None:
        self._encoder = encoder
        self._sift = SiftExtractor(keypoints)
        self.id = f"{encoder.id}{self.SUFFIX}-v{self._sift.VERSION}"
        self.dimension = encoder.dimension
        self.votes = encoder.votes

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Descriptor:
        del features
        return self._encoder.encode(pixels, [self._sift.find(one) for one in pixels])

    def probe(self, features: LocalFeatures, descriptor: Descriptor) -> Descriptor:
        """The descriptor itself, because the SIFT features are not kept."""
        del features
        return descriptor
