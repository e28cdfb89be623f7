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

CROWDED = 0.12
"""Share of the pixels' largest differences from which the contrast of the weakest keypoint is not to be guessed."""

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
    """SIFT (Lowe, IJCV 2004) with OpenCV, the strongest `keypoints` kept.

    The contrast threshold is an eighth of Lowe's, because hazy water flattens the whole image and the strongest are
    chosen afterwards anyway. Descriptors are SIFT's own bytes; `rootsift` makes of them what matchers compare.
    """

    CONTRAST = 0.005
    batch = 1

    def __init__(self, keypoints: int = 512, long_side: int = 320) -> None:
        self.keypoints = checked_count(keypoints)
        self.long_side = long_side

    @property
    def id(self) -> str:
        return f"sift-{self.keypoints}-{self.long_side}"

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
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        guess = max(self.CONTRAST, expected_contrast(grey, self.keypoints))
        found, described = self._detect(grey, guess)
        if len(found) < self.keypoints and guess > self.CONTRAST:
            found, described = self._detect(grey, self.CONTRAST)
        order = np.argsort([-point.response for point in found], kind="stable")[: self.keypoints]
        points = [found[i] for i in order]
        descriptors = np.empty((0, 128), np.uint8) if described is None else described[order].astype(np.uint8)
        return LocalFeatures(
            xy=np.array([point.pt for point in points], dtype=np.float32).reshape(-1, 2),
            scale=np.array([point.size for point in points], dtype=np.float32),
            orientation=np.deg2rad(np.array([point.angle for point in points], dtype=np.float32)),
            descriptors=descriptors,
            size=(grey.shape[1], grey.shape[0]),
        )

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        return each_alone(self, photos)

    def _detect(self, grey: Pixels, contrast: float) -> tuple[Sequence[cv2.KeyPoint], npt.NDArray[np.float32] | None]:
        # one detector a call, because detectors are not thread-safe; it keeps the strongest before it describes them
        return cv2.SIFT.create(nfeatures=self.keypoints, contrastThreshold=contrast).detectAndCompute(grey, None)


def expected_contrast(grey: Pixels, keypoints: int) -> float:
    """A contrast threshold that more than `keypoints` keypoints of a grey image uint8 [h, w] will most likely pass.

    SIFT refines and turns every keypoint that passes before it keeps the strongest, so a threshold just below the
    weakest one kept saves a fifth of the time and changes nothing. One difference of Gaussians tells where that is:
    its largest values are as rare as keypoints are. 0 where so many keypoints are wanted that the weakest are noise.
    """
    share = 15 * keypoints / grey.size
    if share > CROWDED:
        return 0.0
    fine = grey.astype(np.float32)
    difference = cv2.GaussianBlur(fine, (0, 0), 1.26) - cv2.GaussianBlur(fine, (0, 0), 1.0)
    sample = np.abs(difference[::2, ::2]).ravel()
    rank = int(len(sample) * (1 - share))
    return 3 / 255 * float(np.partition(sample, rank)[rank])


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
    """A number of keypoints to keep; ValueError unless it is a multiple of 64."""
    if keypoints < MIN_KEYPOINTS or keypoints % BLOCK:
        raise ValueError(f"keypoints must be a multiple of {BLOCK}, not {keypoints}")
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
