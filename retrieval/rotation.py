"""How photos lie against each other: networks are trained on heads of about one orientation, photographers are not.

Raw nearest neighbours vote too faintly: where they are verified, those that one affine map explains agree on the
rotation of nearly every pair of one turtle, and of most pairs of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index.types import Int32, LocalFeatures, Matches

BINS = 8
"""Rotations are told apart in steps of an eighth of a circle."""


def rotations(query: LocalFeatures, candidates: Sequence[LocalFeatures], looks: Sequence[Matches]) -> Int32:
    """By how many eighths of a circle, clockwise, the query has to be turned to lie like each of C candidates.

    Parameters
    ----------
    looks : sequence of Matches
        Verified matches with each candidate; where none is left, nothing says that the photos are turned.

    Returns
    -------
    int32 [C]
        From 0 to 7: the mean of the matches' differences of orientation, by confidence.
    """
    mean = np.zeros(len(candidates), np.complex128)
    for row, (candidate, look) in enumerate(zip(candidates, looks, strict=True)):
        difference = candidate.orientation[look.pairs[:, 1]] - query.orientation[look.pairs[:, 0]]
        mean[row] = look.confidence @ np.exp(1j * difference)
    return np.mod(np.rint(np.angle(mean) * BINS / (2 * np.pi)), BINS).astype(np.int32)


def turned(features: LocalFeatures, eighths: int) -> LocalFeatures:
    """Keypoints as they would lie after turning the photo about its centre, clockwise; descriptors do not change."""
    if eighths == 0:
        return features
    angle = 2 * np.pi / BINS * eighths
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    centre = (np.array(features.size) - 1) / 2
    xy = ((features.xy - centre) @ rotation.T + centre).astype(np.float32)
    return replace(features, xy=xy, orientation=features.orientation + np.float32(angle))
