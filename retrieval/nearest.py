"""The nearest-neighbour matcher with geometric verification: first stage of the cascade, and the baseline forever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from index.types import Float32, LocalFeatures, Matches
from retrieval.consensus import Ordered
from retrieval.keypoints import rootsift

Item = TypeVar("Item")
Result = TypeVar("Result")

_LIBRARIES = ThreadpoolController()


class NearestNeighbourMatcher:
    """Mutual nearest neighbours of descriptors; confidence is one minus the distance ratio (Lowe, IJCV 2004).

    A match whose second-best neighbour is as near as its best says nothing and has confidence 0; the larger of the
    ratios in both directions counts, so the confidence does not depend on which photo is the query.
    """

    id = "nearest-1"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], _looks: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; how photos lie does not matter."""
        own = comparable(query)
        return on_all_cores(lambda candidate: mutual_nearest(own, comparable(candidate)), candidates)


def on_all_cores(task: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The tasks' results in order, one task a core.

    A pair's matrix product is too small to be shared between cores: a linear algebra library that tries spends most of
    the time waiting for itself, so it gets one thread here.
    """
    with _LIBRARIES.limit(limits=1, user_api="blas"), ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(task, items))


def comparable(features: LocalFeatures) -> Float32:
    """Unit descriptors float32 [n, d]: RootSIFT for SIFT's bytes, normalised otherwise."""
    if features.descriptors.dtype == np.uint8:
        return rootsift(features.descriptors.astype(np.uint8, copy=False))
    values = features.descriptors.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9), np.float32)


def mutual_nearest(query: Float32, candidate: Float32) -> Matches:
    """Mutual nearest neighbours of unit descriptors float32 [n, d] and [m, d]."""
    if not len(query) or not len(candidate):
        return Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    similarity = query @ candidate.T
    forth, most = similarity.argmax(axis=1), similarity.max(axis=0)  # argmax down the columns is many times slower
    rows = np.flatnonzero(similarity[np.arange(len(query)), forth] == most[forth])
    _, first = np.unique(forth[rows], return_index=True)  # of equals, argmax would have taken the first
    rows = rows[np.sort(first)]
    columns = forth[rows]
    best = similarity[rows, columns]
    # both second-best are asked for mutual neighbours only, whose best then stands in neither's way
    similarity[rows, columns] = -1.0
    second = np.maximum(similarity[rows].max(axis=1), similarity.max(axis=0)[columns])
    ratio = _distance(best) / np.maximum(_distance(second), 1e-6)
    confidence = np.clip(1.0 - ratio, 0.0, 1.0).astype(np.float32)
    return Matches(np.stack([rows, columns], axis=1).astype(np.int32), confidence)


def _distance(similarity: Float32) -> Float32:
    return np.asarray(np.sqrt(np.maximum(2.0 - 2.0 * similarity, 0.0)))


@dataclass(frozen=True, slots=True)
class Verification:
    """Tolerances of geometric verification; lengths as shares of the second photo's longer side, see `Ordered`.

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
    pair = Ordered.of(query, candidate, matches)
    inliers = np.zeros(len(matches), dtype=bool)
    if len(pair.rows) >= tolerances.fewest:
        inliers[pair.rows] = _consistent(pair, matches.confidence[pair.rows], tolerances)
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0.0)))


def _consistent(pair: Ordered, weight: Float32, tolerances: Verification) -> npt.NDArray[np.bool_]:
    first, second, (own, other) = pair.first, pair.second, pair.pairs.T
    source, target = first.xy[own], second.xy[other]
    zoom = np.log(second.scale[other] / first.scale[own])
    turn = second.orientation[other] - first.orientation[own]
    side = max(second.size)
    agree = _similarity_votes(source, target, zoom, turn, tolerances, side)
    best = int(np.argmax(agree @ weight))
    inliers: npt.NDArray[np.bool_] = agree[best]
    plausible = inliers | _alike(zoom, turn, zoom[best], turn[best], tolerances)
    for _ in range(3):
        if inliers.sum() < tolerances.fewest:
            return np.zeros_like(inliers)
        affine = _fit_affine(source[inliers], target[inliers], weight[inliers])
        error = np.linalg.norm(_homogeneous(source) @ affine - target, axis=1)
        inliers = np.asarray(plausible & (error < tolerances.fine * side))
    return inliers if inliers.sum() >= tolerances.fewest else np.zeros_like(inliers)


def _similarity_votes(
    source: Float32, target: Float32, zoom: Float32, turn: Float32, tolerances: Verification, side: int
) -> npt.NDArray[np.bool_]:
    """Row i: which matches agree with match i's own similarity; bool [m, m]."""
    factor = np.exp(zoom) * np.exp(1j * turn)
    points, images = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    error = (images - factor * points)[:, None] + factor[:, None] * points[None, :] - images[None, :]
    near = error.real**2 + error.imag**2 < (tolerances.coarse * side) ** 2
    return np.asarray(near & _alike(zoom[None, :], turn[None, :], zoom[:, None], turn[:, None], tolerances))


def _alike(
    zoom: Float32, turn: Float32, other_zoom: Float32, other_turn: Float32, tolerances: Verification
) -> npt.NDArray[np.bool_]:
    # the cosine of a difference, from the cosines and sines of both: neither a modulo nor a cosine for every pair
    cosine = np.cos(turn) * np.cos(other_turn) + np.sin(turn) * np.sin(other_turn)
    return np.asarray((np.abs(zoom - other_zoom) < np.log(tolerances.zoom)) & (cosine > np.cos(tolerances.turn)))


def _homogeneous(points: Float32) -> Float32:
    return np.concatenate([points, np.ones((len(points), 1), dtype=points.dtype)], axis=1)


def _fit_affine(source: Float32, target: Float32, weight: Float32) -> npt.NDArray[np.float64]:
    """Weighted least squares: float64 [3, 2] that maps homogeneous source points to target points."""
    root = np.sqrt(weight.astype(np.float64))[:, None]
    solution, *_ = np.linalg.lstsq(_homogeneous(source) * root, target * root, rcond=None)
    return np.asarray(solution, np.float64)
