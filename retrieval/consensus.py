"""Geometric verification by positions alone, for keypoints that have neither scale nor orientation."""

from __future__ import annotations

import cv2
import numpy as np

from index.types import LocalFeatures, Matches

SHARE = 0.03
"""How far a match may lie from where the affine map puts it, as a share of the candidate's longer side."""
TRIALS = 2000


def has_frames(features: LocalFeatures) -> bool:
    """Whether keypoints have scale and orientation: SIFT's always, others unless all orientations are zero."""
    return features.descriptors.dtype == np.uint8 or bool(features.orientation.any())


def verify_positions(query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> Matches:
    """Set the confidence of matches to zero that the affine map with the most inliers does not explain.

    Random samples of three matches (RANSAC; Fischler and Bolles, CACM 1981), always the same ones for the same pair.
    """
    used = np.flatnonzero(matches.confidence > 0)
    inliers = np.zeros(len(matches), dtype=bool)
    if len(used) >= 3:
        source, target = query.xy[matches.pairs[used, 0]], candidate.xy[matches.pairs[used, 1]]
        reach = SHARE * max(candidate.size)
        _, found = cv2.estimateAffine2D(source, target, ransacReprojThreshold=reach, maxIters=TRIALS)
        if found is not None:
            inliers[used] = found[:, 0] > 0
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0.0)))
