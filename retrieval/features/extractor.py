"""Local feature extractors: from a working image to keypoints and descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.errors import TooFewKeypoints
from index.types import MIN_KEYPOINTS, Float32, LocalFeatures, Pixels

BLOCK = 64
"""Keypoints are kept in multiples of this many, so that batches of equal length need no mask."""

Found = LocalFeatures | TooFewKeypoints
"""What an extractor finds in one photo of many; the refusal of one does not stop the others."""


class Extractor(Protocol):
    """Finds and describes the keypoints of a working image."""

    @property
    def id(self) -> str:
        """Names the method, its parameters and its weights; catalogues are made with exactly one."""

    @property
    def long_side(self) -> int:
        """Longest side in pixels of the working image that this extractor was set up for."""

    @property
    def batch(self) -> int:
        """Photos that are best extracted in one go; 1: each alone, on as many cores as there are."""

    def extract(self, pixels: Pixels) -> LocalFeatures:
        """Keypoints of RGB `pixels` uint8 [h, w, 3], strongest first; `TooFewKeypoints` below 64."""

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        """Keypoints of many photos; each gets what it gets alone."""


def each_alone(extractor: Extractor, photos: Sequence[Pixels]) -> list[Found]:
    """Keypoints of photos, one after the other."""
    found: list[Found] = []
    for pixels in photos:
        try:
            found.append(extractor.extract(pixels))
        except TooFewKeypoints as error:
            found.append(error)
    return found


def checked_count(keypoints: int) -> int:
    """A number of keypoints to keep; ValueError with a sentence unless it is a multiple of 64."""
    if keypoints < MIN_KEYPOINTS or keypoints % BLOCK:
        raise ValueError(f"Keypoints are kept in multiples of {BLOCK}, and {keypoints} is none.")
    return keypoints


def keep_strongest(response: Float32, most: int) -> npt.NDArray[np.intp]:
    """Row numbers of the strongest keypoints, strongest first, in a multiple of 64.

    Raises
    ------
    TooFewKeypoints
    """
    kept = min(most, len(response)) // BLOCK * BLOCK
    if kept < MIN_KEYPOINTS:
        raise TooFewKeypoints(
            f"the photo has {len(response)} keypoints and {MIN_KEYPOINTS} are needed: "
            "it is too small, too blurred or too dark to be compared."
        )
    return np.argsort(-response, kind="stable")[:kept]
