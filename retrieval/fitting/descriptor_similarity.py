"""How alike the global descriptors of a few photos are, as a search over them would find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.catalog import Catalog
from index.types import Descriptor, Float32, Kept, Photo
from index.visual_words import VotePart
from retrieval.engine import Engine


class DescriptorSimilarity:
    """Similarities among photos whose descriptors [n, d] are in memory."""

    def __init__(self, catalog: Catalog, engine: Engine, photos: Sequence[Kept], descriptors: Descriptor) -> None:
        self._catalog, self._encoder = catalog, engine.encoder
        self._photos, self._descriptors = photos, descriptors
        self._part: VotePart | None = None
        if self._encoder.votes:
            self._part = VotePart.of(np.arange(len(photos)), descriptors)
        self._last: tuple[int, Float32] | None = None

    @classmethod
    def of_stored(cls, catalog: Catalog, engine: Engine, photos: Sequence[Photo]) -> DescriptorSimilarity:
        """Of photos of the catalogue."""
        return cls(catalog, engine, photos, catalog.vectors(photos))

    def probe(self, row: int) -> Descriptor:
        """What a search with this photo asks the index with."""
        own: Descriptor = self._descriptors[row]
        if not self._encoder.votes:
            return own
        [features] = self._catalog.features([self._photos[row]])
        return self._encoder.probe(features, own)

    def to(self, row: int) -> Float32:
        """The similarity of every photo to this one, float32 [n]."""
        if self._last is None or self._last[0] != row:
            asked = self.probe(row)
            similarity = self._descriptors @ asked if self._part is None else self._part.similarity(asked)
            self._last = row, np.asarray(similarity, np.float32)
        return self._last[1]


def no_descriptors(engine: Engine) -> Descriptor:
    """Of no photos."""
    recipe = engine.recipe
    return np.zeros((0, recipe.dimension), np.uint8 if recipe.votes else np.float32)
