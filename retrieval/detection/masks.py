"""Masks of heads: what a downloaded segmenter says is not the animal becomes one flat colour, which has no keypoints.

All that looks at the working image, the second expert and simulated views too, then sees the animal alone.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from index.types import BoxOrigin, HeadBox, Pixels, Sighting
from retrieval.detection.locating import MARGIN

Mask = npt.NDArray[np.bool_]

LEAST = 0.2
"""A mask that holds less of its box has missed the head, and is not believed."""
SOFT = 0.01
"""Blur of a mask's edge, as part of the photo's longest side."""


class Segmenter(Protocol):
    """Says which pixels are the animal in a box."""

    @property
    def id(self) -> str:
        """Names the method and its weights."""

    def segment(self, photo: Pixels, box: HeadBox) -> Mask:
        """Bool [h, w] of an RGB photo uint8 [h, w, 3] and a box in its pixels."""


def masked(photo: Pixels, sighting: Sighting, segmenter: Segmenter) -> Pixels:
    """The working image of a sighting without what is not the animal; as it was where the mask is not believed."""
    box = prompt_of(photo, sighting)
    mask = segmenter.segment(photo, box)
    top, left = int(box.y), int(box.x)
    within = mask[top : top + max(1, round(box.h)), left : left + max(1, round(box.w))]
    return photo if within.mean() < LEAST else without_surroundings(photo, mask)


def prompt_of(photo: Pixels, sighting: Sighting) -> HeadBox:
    """Where the head lies in a working image: found boxes were enlarged, others are the head's own."""
    height, width = photo.shape[:2]
    share = 1 / MARGIN if sighting.box_origin is BoxOrigin.FOUND else 1.0
    wide, high = width * share, height * share
    return HeadBox((width - wide) / 2, (height - high) / 2, wide, high)


def without_surroundings(photo: Pixels, mask: Mask) -> Pixels:
    """The photo uint8 [h, w, 3] with the mean colour of the animal where the mask is False, and a soft edge between.

    Only what is quite flat has no keypoints: extractors raise the contrast of what is nearly so.
    """
    if mask.all():
        return photo
    colour = photo[mask].mean(axis=0, dtype=np.float32)
    sigma = max(1.0, SOFT * max(mask.shape))
    within = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    share = np.clip(2 * within - 1, 0, 1)[..., None]  # soft on the animal's side, so that nothing else shines through
    share[cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=round(3 * sigma)) > 0] = 1
    return np.asarray(np.round(share * photo + (1 - share) * colour), np.uint8)
