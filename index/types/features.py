"""What is computed from photos: keypoints, their matches, and the recipe that names the methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.types.arrays import Float32, Int32

MIN_KEYPOINTS = 64
"""A photo with fewer keypoints "cannot be compared", which is different from "new"."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """Keypoints of one photo, strongest first.

    Attributes
    ----------
    xy : float32 [n, 2]
        Position in pixels of the working image, pixel centres at whole numbers.
    scale : float32 [n]
        Diameter of the described neighbourhood in pixels (OpenCV's ``KeyPoint.size``).
    orientation : float32 [n]
        Radians, counted as OpenCV does (clockwise on screen, because y points down).
    descriptors : uint8 [n, 128] for SIFT, float16 [n, d] otherwise
        As the extractor gives them; RootSIFT is computed when they are used.
    size : (width, height)
        The working image in pixels.
    source : PhotoSource or None
        The photo that they were found in, where more can be learnt about it.
    """

    xy: Float32
    scale: Float32
    orientation: Float32
    descriptors: npt.NDArray[np.uint8] | npt.NDArray[np.float16]
    size: tuple[int, int]
    source: PhotoSource | None = None

    @classmethod
    def none(cls, size: tuple[int, int]) -> LocalFeatures:
        """Of a photo in which nobody looked for keypoints."""
        nowhere = np.zeros(0, np.float32)
        return cls(np.zeros((0, 2), np.float32), nowhere, nowhere, np.zeros((0, 1), np.uint8), size)

    def __len__(self) -> int:
        return len(self.xy)


class PhotoSource(Protocol):
    """A photo by its stored working image, and what further extractors found in it.

    Further features come from the stored image only, so that they are the same whenever and by whatever way they are
    computed: at enrolment, later, or for a query.
    """

    def image(self) -> bytes:
        """JPEG of the working image. Raises CatalogDamaged where it is missing."""

    def beside(self, extractor: str) -> LocalFeatures | None:
        """What this extractor found, if it is known."""

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """Remember what this extractor found."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Mutual matches of one photo pair, without a threshold.

    Attributes
    ----------
    pairs : int32 [m, 2]
        Row numbers of a query keypoint and of a candidate keypoint; each keypoint at most once.
    confidence : float32 [m]
        In 0..1; 0 where geometric verification rejected the match.
    points : tuple of float32 [m, 2] or None
        Where the matches lie in either photo, where that is not at the photos' keypoints; `pairs` then numbers points
        of the matcher's own. Of no rows where whole photos are alike.
    """

    pairs: Int32
    confidence: Float32
    points: tuple[Float32, Float32] | None = None

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What made a catalogue's features and vectors: ids name method, parameters and weights.

    Attributes
    ----------
    extractor, encoder : str
        Ids such as ``sift-512-320-v3`` and ``vlad-1``.
    dimension : int
        Length of the global descriptors.
    votes : bool
        Global descriptors are signatures of visual words (bytes, see `visual_words.signature`) instead of vectors.
    """

    extractor: str
    encoder: str
    dimension: int
    votes: bool = False


MATCH_THRESHOLD = 0.1
"""Confidence from which a match counts for `Score.MATCH_COUNT`, as in LightGlue's reference implementation."""
