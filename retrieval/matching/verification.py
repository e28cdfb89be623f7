"""Geometric verification by positions alone, for keypoints that have neither scale nor orientation.

And what all verification begins with: the matches of a pair in an order that does not depend on who asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dgelss
from scipy.special import bdtrc

from index.types import Float32, Int32, Int64, LocalFeatures, Matches

SHARE = 0.03
"""How far a match may lie from where the affine map puts it, as a share of the second photo's longer side."""
TRIALS = 2000
ZOOM, SQUASH = 4.0, 3.0
"""Most that a map between photos of two heads may enlarge or shrink, and stretch one direction against another."""
PRECISION = float(np.finfo(np.float64).eps)
POSITIONS = f"positions-{SHARE:g}-{TRIALS}-{ZOOM:g}-{SQUASH:g}"
"""Names what `verify_positions` does, for caches."""


def has_frames(features: LocalFeatures) -> bool:
    """Whether keypoints have scale and orientation: SIFT's always, others unless all orientations are zero."""
    return features.descriptors.dtype == np.uint8 or bool(features.orientation.any())


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


def in_order(query: LocalFeatures, candidate: LocalFeatures) -> bool:
    """Whether the query counts as the first photo of the pair; only of equal photos both do."""
    for one, other in ((query.xy, candidate.xy), (query.orientation, candidate.orientation)):
        if (mine := one.tobytes()) != (theirs := other.tobytes()):
            return mine < theirs
    return True


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


@dataclass(frozen=True, slots=True)
class Verification:
    """Tolerances of geometric verification; lengths as shares of the second photo's longer side, see `CanonicalPair`.

    Attributes
    ----------
    coarse, fine : float
        How far a match may lie from where one match's similarity, and then the fitted affine map, puts it.
    zoom : float
        Largest ratio between two matches' scale changes.
    turn : float
        Largest difference between two matches' rotations, radians.
    fewest : int
        Matches that have to agree, else none counts.
    """

    coarse: float = 0.10
    fine: float = 0.05
    zoom: float = 2.0
    turn: float = np.pi / 6
    fewest: int = 3

    @property
    def id(self) -> str:
        return f"affine-{self.coarse:g}-{self.fine:g}-{self.zoom:g}-{self.turn:.2f}-{self.fewest}"


def verify(
    query: LocalFeatures, candidate: LocalFeatures, matches: Matches, tolerances: Verification | None = None
) -> Matches:
    """Set the confidence of geometrically inconsistent matches to zero.

    Every match's own position, scale and orientation give a similarity between the photos; the one that most of the
    other matches' confidence agrees with is refined to an affine map by least squares (Lowe, IJCV 2004, section 7;
    Philbin et al., CVPR 2007). No random sampling: the same pair always gets the same answer, whichever photo asks.
    """
    tolerances = tolerances or Verification()
    pair = CanonicalPair.of(query, candidate, matches)
    inliers = np.zeros(len(matches), dtype=bool)
    if len(pair.rows) >= tolerances.fewest:
        inliers[pair.rows] = _consistent(pair, matches.confidence[pair.rows], tolerances)
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0.0)))


def _consistent(pair: CanonicalPair, weight: Float32, tolerances: Verification) -> npt.NDArray[np.bool_]:
    first, second, (own, other) = pair.first, pair.second, pair.pairs.T
    source, target = first.xy[own], second.xy[other]
    zoom = np.log(second.scale[other] / first.scale[own])
    turn = second.orientation[other] - first.orientation[own]
    side = max(second.size)
    agree = _similarity_votes(source, target, zoom, turn, tolerances, side)
    best = int(np.argmax(agree @ weight))
    inliers: npt.NDArray[np.bool_] = agree[best]
    plausible = inliers | _alike(zoom, turn, zoom[best], turn[best], tolerances)
    places, reach = _homogeneous(source), (tolerances.fine * side) ** 2
    for _ in range(3):
        if inliers.sum() < tolerances.fewest:
            return np.zeros_like(inliers)
        affine = _fit_affine(places[inliers], target[inliers], weight[inliers])
        error = np.square(places @ affine - target).sum(axis=1)
        before, inliers = inliers, np.asarray(plausible & (error < reach))
        if np.array_equal(before, inliers):  # and would stay as they are
            break
    return inliers if inliers.sum() >= tolerances.fewest else np.zeros_like(inliers)


def _similarity_votes(
    source: Float32, target: Float32, zoom: Float32, turn: Float32, tolerances: Verification, side: int
) -> npt.NDArray[np.bool_]:
    """Row i: which matches agree with match i's own similarity; bool [m, m].

    Written as products of matrices of two to four columns, which takes half the time of sums of [m, m] arrays.
    """
    factor = np.exp(zoom) * np.exp(1j * turn)
    points, images = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    shift, one = images - factor * points, np.ones_like(zoom)
    across = np.stack([shift.real, factor.real, -factor.imag, one], axis=1)
    down = np.stack([shift.imag, factor.imag, factor.real, one], axis=1)
    error = np.square(across @ np.stack([one, points.real, points.imag, -images.real]))
    error += np.square(down @ np.stack([one, points.real, points.imag, -images.imag]))
    agree = np.asarray(error < (tolerances.coarse * side) ** 2)
    agree &= np.abs(np.subtract.outer(zoom, zoom, out=error), out=error) < np.log(tolerances.zoom)
    directions = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    agree &= directions @ directions.T > np.cos(tolerances.turn)
    return agree


def _alike(
    zoom: Float32, turn: Float32, other_zoom: np.float32, other_turn: np.float32, tolerances: Verification
) -> npt.NDArray[np.bool_]:
    cosine = np.cos(turn - other_turn)
    return np.asarray((np.abs(zoom - other_zoom) < np.log(tolerances.zoom)) & (cosine > np.cos(tolerances.turn)))


def _homogeneous(points: Float32) -> Float32:
    return np.concatenate([points, np.ones((len(points), 1), dtype=points.dtype)], axis=1)


def _fit_affine(places: Float32, target: Float32, weight: Float32) -> npt.NDArray[np.float64]:
    """Weighted least squares: float64 [3, 2] that maps homogeneous source points [k, 3] to target points [k, 2]."""
    root = np.sqrt(weight.astype(np.float64))[:, None]
    equations = max(len(places), 3)  # the routine that numpy's lstsq calls, too, in twice the time, wants as many
    left, right = np.zeros((equations, 3)), np.zeros((equations, 2))
    left[: len(places)], right[: len(places)] = places * root, target * root
    _, solution, _, _, _, failed = dgelss(left, right, cond=PRECISION * equations, overwrite_a=1, overwrite_b=1)
    if failed:
        raise np.linalg.LinAlgError("Singular values of an affine fit did not converge.")
    return np.asarray(solution[:3], np.float64)
