"""Heads that lie on their side or on their back, as the head finder saw them: extractors see them turned upright.

SIFT finds the same keypoints however a photo lies; learned extractors do not. By how many quarters of a circle a photo
is to be turned clockwise is written into its stored working image, which itself stays as the photo is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from index.types import Float32, LocalFeatures, Pixels
from retrieval.images import turn_of


def turned(pixels: Pixels, turn: int) -> Pixels:
    """RGB uint8 [h, w, 3] turned clockwise by so many quarters."""
    return np.ascontiguousarray(np.rot90(pixels, -turn)) if turn % 4 else pixels


def turned_back(features: LocalFeatures, turn: int) -> LocalFeatures:
    """What was found in a photo that was turned clockwise by so many quarters, in the photo as it is."""
    return _quarters(features, -turn)


def upright(found: LocalFeatures | None, photo: LocalFeatures) -> LocalFeatures | None:
    """Further keypoints of a photo as a network is to see them; the photo's source says how it is to be turned."""
    if found is None or photo.source is None:
        return found
    return _quarters(found, turn_of(photo.source.image()))


def _quarters(features: LocalFeatures, turn: int) -> LocalFeatures:
    for _ in range(turn % 4):
        width, height = features.size
        xy: Float32 = np.stack([height - 1 - features.xy[:, 1], features.xy[:, 0]], -1).astype(np.float32)
        features = replace(features, xy=xy, size=(height, width))
    if turn % 4 and features.orientation.any():  # extractors that tell none say zero
        around = np.exp(1j * (features.orientation + turn * np.pi / 2))
        features = replace(features, orientation=np.angle(around).astype(np.float32))
    return features
