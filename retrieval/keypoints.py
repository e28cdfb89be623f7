"""Local feature extractors: from a working image to keypoints and descriptors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from index.errors import TooFewKeypoints
from index.types import MIN_KEYPOINTS, Float32, LocalFeatures

Pixels = npt.NDArray[np.uint8]

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


class SiftExtractor:
    """SIFT (Lowe, IJCV 2004) with OpenCV on the evenly lit image, the strongest `keypoints` kept.

    Every scale boundary gets a like contrast first, whatever water, shade and glare left of it. Keypoints smaller than
    `FINEST` pixels are dropped: they are scratches, algae and noise, which change from one season to the next.
    Descriptors are SIFT's own bytes; `rootsift` makes of them what matchers compare.
    """

    VERSION = 2  # goes up whenever the same photo gets other keypoints, because catalogues must not mix them
    CONTRAST = 0.005
    FINEST = 3.0
    batch = 1

    def __init__(self, keypoints: int = 512, long_side: int = 320) -> None:
        self.keypoints = checked_count(keypoints)
        self.long_side = long_side

    @property
    def id(self) -> str:
        return f"sift-{self.keypoints}-{self.long_side}-v{self.VERSION}"

    def extract(self, pixels: Pixels) -> LocalFeatures:
        found = self.find(pixels)
        kept = keep_strongest(np.arange(len(found), 0, -1, dtype=np.float32), self.keypoints)
        return replace(
            found,
            xy=found.xy[kept],
            scale=found.scale[kept],
            orientation=found.orientation[kept],
            descriptors=found.descriptors[kept],
        )

    def find(self, pixels: Pixels) -> LocalFeatures:
        """The strongest keypoints, however few, strongest first."""
        even = evenly_lit(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
        # one detector a call, because detectors are not thread-safe
        sift = cv2.SIFT.create(contrastThreshold=self.CONTRAST)
        coarse = [point for point in sift.detect(even, None) if point.size >= self.FINEST]
        coarse.sort(key=lambda point: -point.response)
        points, described = sift.compute(even, coarse[: self.keypoints])
        descriptors = np.empty((0, 128), np.uint8) if described is None else described.astype(np.uint8)
        return LocalFeatures(
            xy=np.array([point.pt for point in points], dtype=np.float32).reshape(-1, 2),
            scale=np.array([point.size for point in points], dtype=np.float32),
            orientation=np.deg2rad(np.array([point.angle for point in points], dtype=np.float32)),
            descriptors=descriptors,
            size=(even.shape[1], even.shape[0]),
        )

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        return each_alone(self, photos)


def evenly_lit(grey: Pixels) -> Pixels:
    """Local contrast normalisation (Jarrett et al., ICCV 2009) of a grey image uint8 [h, w].

    Every pixel's distance from the mean of its surroundings is divided by their spread; the surroundings are a
    Gaussian window about as wide as a scale of the head. Spreads of a few grey levels are noise and stay small.
    """
    sigma = 0.0375 * max(grey.shape)
    fine = grey.astype(np.float32)
    deviation = fine - cv2.GaussianBlur(fine, (0, 0), sigma)
    spread = np.sqrt(cv2.GaussianBlur(deviation**2, (0, 0), sigma))
    return np.asarray(np.clip(128 + 45 * deviation / (spread + 4), 0, 255), np.uint8)


@contextmanager
def one_core_a_photo() -> Iterator[None]:
    """While many photos are extracted at once, each on its own core, OpenCV does not share one between cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


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


def rootsift(descriptors: npt.NDArray[np.uint8]) -> Float32:
    """RootSIFT (Arandjelovic and Zisserman, CVPR 2012): uint8 [n, 128] to unit vectors float32 [n, 128]."""
    values = descriptors.astype(np.float32)
    sums = np.maximum(values.sum(axis=-1, keepdims=True), 1.0)
    root: Float32 = np.sqrt(values / sums)
    return root
