"""Geometric verification by positions alone, for keypoints that have neither scale nor orientation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from index.types import Int32, Int64, LocalFeatures, Matches
from retrieval.matching.verification import in_order

SHARE = 0.03
"""How far a match may lie from where the affine map puts it, as a share of the second photo's longer side."""
TRIALS = 2000
ZOOM, SQUASH = 4.0, 3.0
"""Most that a map between photos of two heads may enlarge or shrink, and stretch one direction against another."""
POSITIONS = f"positions-{SHARE:g}-{TRIALS}-{ZOOM:g}-{SQUASH:g}"
"""Names what `verify_positions` does, for caches."""


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalPair:
    """A pair and those of its matches that have confidence, from the same end and in the same order whoever asks.

    Attributes
    ----------
    rows : int64 [k]
        Where the matches were, the most confident first.
    pairs : int32 [k, 2]
        Keypoints of the first and of the second photo.
    """

    first: LocalFeatures
    second: LocalFeatures
    rows: Int64
    pairs: Int32

    @classmethod
    def of(cls, query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> CanonicalPair:
        """The matches of a query with a candidate."""
        first, second, pairs = query, candidate, matches.pairs
        if not in_order(query, candidate):
            first, second, pairs = candidate, query, pairs[:, ::-1]
        rows = np.flatnonzero(matches.confidence > 0)
        rows = rows[np.lexsort((pairs[rows, 0], -matches.confidence[rows]))]
        return cls(first, second, rows, pairs[rows])


def verify_positions(query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> Matches:
    """Set the confidence of matches to zero that the affine map with the most inliers does not explain.

    Random samples of three matches (RANSAC; Fischler and Bolles, CACM 1981), always the same ones for the same pair. A
    map that no two photos of a head can have explains nothing, nor does one with as few inliers as chance gives.
    """
    pair = CanonicalPair.of(query, candidate, matches)
    inliers = np.zeros(len(matches), dtype=bool)
    width, height = pair.second.size
    reach = SHARE * max(width, height)
    if len(pair.rows) >= (fewest := more_than_chance(len(pair.rows), np.pi * reach**2 / (width * height))):
        source, target = pair.first.xy[pair.pairs[:, 0]], pair.second.xy[pair.pairs[:, 1]]
        affine, found = cv2.estimateAffine2D(source, target, ransacReprojThreshold=reach, maxIters=TRIALS)
        if affine is not None and found.sum() >= fewest and _plausible(affine[:, :2]):
            inliers[pair.rows] = found[:, 0] > 0
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0.0)))


def more_than_chance(matches: int, share: float) -> int:
    """How many of so many matches have to agree with a map through three of them.

    As many as less than one in all `TRIALS` maps through three random matches would find, if the others ended anywhere
    and a `share` of all places were near enough (a contrario; Moisan and Stival, IJCV 2004).
    """
    others = max(matches - 3, 0)
    by_chance = TRIALS * bdtrc(np.arange(-1, others), others, share)
    return 3 + int(np.argmax(np.append(by_chance, 0.0) < 1.0))


def _plausible(linear: npt.NDArray[np.float64]) -> bool:
    """Whether a map [2, 2] neither mirrors nor zooms or squashes beyond what photos of heads do."""
    larger, smaller = np.linalg.svd(linear, compute_uv=False)
    zoom = np.sqrt(larger * smaller)
    return bool(np.linalg.det(linear) > 0 and larger < SQUASH * smaller and 1 / ZOOM < zoom < ZOOM)
