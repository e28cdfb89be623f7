"""How photos lie against each other: networks are trained on heads of about one orientation, photographers are not.

Raw nearest neighbours vote too faintly: where they are verified, those that one affine map explains agree on the
rotation of nearly every pair of one turtle, and of most pairs of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import fsum

import numpy as np

from index.types import Int32, LocalFeatures, Matches

BINS = 8
"""Rotations are told apart in steps of an eighth of a circle."""
AGREED = 4
"""Matches from which on photos are turned: an affine map explains any three."""


def rotations(query: LocalFeatures, candidates: Sequence[LocalFeatures], looks: Sequence[Matches]) -> Int32:
    """By how many eighths of a circle, clockwise, one photo of each pair has to be turned to lie like the other.

    Of two photos always the same one is turned, so that it does not matter which of them is the query.

    Parameters
    ----------
    looks : sequence of Matches
        Verified matches with each of the C candidates; where few are left, nothing says that the photos are turned.

    Returns
    -------
    int32 [C]
        From -4 to 4, the mean of the matches' differences of orientation, by confidence: above zero the query is
        turned, below zero the candidate.
    """
    eighths = np.zeros(len(candidates), np.int32)
    for row, (candidate, look) in enumerate(zip(candidates, looks, strict=True)):
        if np.count_nonzero(look.confidence) >= AGREED:
            difference = candidate.orientation[look.pairs[:, 1]] - query.orientation[look.pairs[:, 0]]
            # exact sums: what is left of half a circle's sine must not depend on the order of the matches
            east, north = (fsum(look.confidence * part(difference)) for part in (np.cos, np.sin))
            eighths[row] = np.rint(np.arctan2(north, east) * BINS / (2 * np.pi))
    return eighths


def turned(features: LocalFeatures, eighths: int) -> LocalFeatures:
    """Keypoints as they would lie after turning the photo about its centre, clockwise; descriptors do not change."""
    if eighths == 0:
        return features
    angle = 2 * np.pi / BINS * eighths
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    centre = (np.array(features.size) - 1) / 2
    xy = ((features.xy - centre) @ rotation.T + centre).astype(np.float32)
    return replace(features, xy=xy, orientation=features.orientation + np.float32(angle))
