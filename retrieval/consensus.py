"""Geometric verification by positions alone, for keypoints that have neither scale nor orientation."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from index.types import LocalFeatures, Matches

SHARE = 0.03
"""How far a match may lie from where the affine map puts it, as a share of the second photo's longer side."""
TRIALS = 2000
FEWEST = 4
"""Matches that have to agree, else none counts: there is an affine map for any three."""
ZOOM, SQUASH = 4.0, 3.0
"""Most that a map between photos of two heads may enlarge or shrink, and stretch one direction against another."""
POSITIONS = f"positions-{SHARE:g}-{TRIALS}-{FEWEST}-{ZOOM:g}-{SQUASH:g}"
"""Names what `verify_positions` does, for caches."""


def has_frames(features: LocalFeatures) -> bool:
    """Whether keypoints have scale and orientation: SIFT's always, others unless all orientations are zero."""
    return features.descriptors.dtype == np.uint8 or bool(features.orientation.any())


def in_order(first: LocalFeatures, second: LocalFeatures) -> bool:
    """Whether a pair is looked at in this order; what is the same for both photos is not asked of the other order."""
    return first.xy.tobytes() <= second.xy.tobytes()


def verify_positions(query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> Matches:
    """Set the confidence of matches to zero that the affine map with the most inliers does not explain.

    Random samples of three matches (RANSAC; Fischler and Bolles, CACM 1981), always the same ones for the same pair,
    whichever photo asks. A map that no two photos of a head can have explains nothing.
    """
    first, second, ends = query, candidate, matches.pairs
    if not in_order(query, candidate):
        first, second, ends = candidate, query, matches.pairs[:, ::-1]
    used = np.flatnonzero(matches.confidence > 0)
    used = used[np.argsort(ends[used, 0])]
    inliers = np.zeros(len(matches), dtype=bool)
    if len(used) >= FEWEST:
        source, target = first.xy[ends[used, 0]], second.xy[ends[used, 1]]
        reach = SHARE * max(second.size)
        affine, found = cv2.estimateAffine2D(source, target, ransacReprojThreshold=reach, maxIters=TRIALS)
        if affine is not None and found.sum() >= FEWEST and _plausible(affine[:, :2]):
            inliers[used] = found[:, 0] > 0
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0.0)))


def _plausible(linear: npt.NDArray[np.float64]) -> bool:
    """Whether a map [2, 2] neither mirrors nor zooms or squashes beyond what photos of heads do."""
    larger, smaller = np.linalg.svd(linear, compute_uv=False)
    zoom = np.sqrt(larger * smaller)
    return bool(np.linalg.det(linear) > 0 and larger < SQUASH * smaller and 1 / ZOOM < zoom < ZOOM)
