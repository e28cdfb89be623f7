"""Networks that take two images and say which points of them are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.types import LocalFeatures, Matches, Pixels
from retrieval.features import pixels_of

Points = npt.NDArray[np.float32]


class PairNetwork(Protocol):
    """What such a network does."""

    @property
    def id(self) -> str:
        """Names the network and its weights."""

    def prepare(self, pixels: Pixels) -> Any:
        """What can be computed of one photo alone, RGB uint8 [h, w, 3]."""

    def match(self, one: Any, other: Any) -> tuple[Points, Points, Points]:
        """Points xy float32 [m, 2] in either image, centres of pixels at whole numbers, and confidences [m] in 0..1."""


class DetectorFreeMatcher:
    """Such a network as a matcher, pair by pair: slow, and so only for the few that a cascade lets through."""

    def __init__(self, network: PairNetwork) -> None:
        self.id = network.id
        self._network = network

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; photos whose working image cannot be read match nobody. Raises as the network."""
        del first_matches
        own = self._prepared(query)
        return [self._pair(own, one) for one in candidates]

    def _prepared(self, photo: LocalFeatures) -> Any:
        pixels = None if photo.source is None else pixels_of(photo.source.image())
        return None if pixels is None else self._network.prepare(pixels)

    def _pair(self, own: Any, candidate: LocalFeatures) -> Matches:
        other = None if own is None else self._prepared(candidate)
        if other is None:
            nowhere = np.zeros((0, 2), np.float32)
            return Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32), (nowhere, nowhere))
        first, second, confidence = self._network.match(own, other)
        numbers = np.arange(len(first), dtype=np.int32)
        return Matches(np.stack([numbers, numbers], axis=1), confidence, (first, second))
