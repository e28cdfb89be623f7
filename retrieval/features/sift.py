"""SIFT keypoints of the evenly lit photo, compared as RootSIFT (Lowe 2004; Arandjelović and Zisserman 2012)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from index.types import Float32, LocalFeatures, Pixels
from retrieval.features.extractor import Found, checked_count, each_alone, keep_strongest


class SiftExtractor:
    """SIFT (Lowe, IJCV 2004) with OpenCV on the evenly lit image, the strongest `keypoints` kept.

    Every scale boundary gets a like contrast first, whatever water, shade and glare left of it. Keypoints smaller than
    about three pixels are scratches, algae and noise, which change from one season to the next. So SIFT sees the image
    `REDUCTION` times smaller, where its finest scale is the finest that is wanted, and one pass finds and describes.
    Descriptors are SIFT's own bytes; `rootsift` makes of them what matchers compare.
    """

    VERSION = 3  # goes up whenever the same photo gets other keypoints, because catalogues must not mix them
    CONTRAST = 0.005
    REDUCTION = 2 ** (2 / 3)  # two of the three scales of an octave
    FINEST = 1.6 * 2 ** (5 / 6)  # pixels of the working image: the least that then is found
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
        height, width = even.shape
        reduced = _resized(even, self.REDUCTION)
        # one detector a call, because detectors are not thread-safe
        sift = cv2.SIFT.create(self.keypoints, contrastThreshold=self.CONTRAST, enable_precise_upscale=True)
        points, described = sift.detectAndCompute(reduced, None)
        rows = np.array([(*p.pt, p.size, p.angle, p.response) for p in points], np.float32).reshape(-1, 5)
        # the detector cuts at a strength, so it gives all that are equally strong, in no order
        order = np.lexsort((*rows[:, :4].T, -rows[:, 4]))[: self.keypoints]
        xy, size, angle = rows[order, :2], rows[order, 2], rows[order, 3]
        factor = np.array([width / reduced.shape[1], height / reduced.shape[0]], np.float32)
        descriptors = np.empty((0, 128), np.uint8) if described is None else described[order].astype(np.uint8)
        return LocalFeatures(
            xy=(xy + np.float32(0.5)) * factor - np.float32(0.5),
            scale=size * np.float32(self.REDUCTION),
            orientation=np.deg2rad(angle),
            descriptors=descriptors,
            size=(width, height),
        )

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        return each_alone(self, photos)


def evenly_lit(grey: Pixels) -> Pixels:
    """Local contrast normalisation (Jarrett et al., ICCV 2009) of a grey image uint8 [h, w].

    Every pixel's distance from the mean of its surroundings is divided by their spread; the surroundings are a
    Gaussian window about as wide as a scale of the head. Spreads of a few grey levels are noise and stay small.
    """
    fine = grey.astype(np.float32)
    deviation = fine - _surroundings(fine)
    spread = np.sqrt(_surroundings(deviation**2))
    return np.asarray(np.clip(128 + 45 * deviation / (spread + 4), 0, 255), np.uint8)


def _surroundings(values: Float32) -> Float32:
    """Gaussian mean around every pixel of float32 [h, w].

    It is so smooth that an image on which the window is three pixels wide tells it, for a tenth of the work.
    """
    height, width = values.shape
    sigma = 0.0375 * max(values.shape)
    reduced = _resized(values, max(1.0, sigma / 3))
    across, down = sigma * reduced.shape[1] / width, sigma * reduced.shape[0] / height
    return np.asarray(cv2.resize(cv2.GaussianBlur(reduced, (0, 0), across, sigmaY=down), (width, height)), np.float32)


def _resized(image: npt.NDArray[Any], factor: float) -> npt.NDArray[Any]:
    """An image [h, w] so many times smaller, every pixel the mean of those that it covers."""
    height, width = image.shape
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def stretched_across(pixels: Pixels, factor: float) -> Pixels:
    """An image [h, w, 3] so many times as wide."""
    height, width = pixels.shape[:2]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (max(1, round(width * factor)), height), interpolation=how), np.uint8)


@contextmanager
def one_core_a_photo() -> Iterator[None]:
    """While many photos are extracted at once, each on its own core, OpenCV does not share one between cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def rootsift(descriptors: npt.NDArray[np.uint8]) -> Float32:
    """RootSIFT (Arandjelovic and Zisserman, CVPR 2012): uint8 [n, 128] to unit vectors float32 [n, 128]."""
    values = descriptors.astype(np.float32)
    sums = np.maximum(values.sum(axis=-1, keepdims=True), 1.0)
    root: Float32 = np.sqrt(values / sums)
    return root
