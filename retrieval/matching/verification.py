"""Geometric verification of the matches of keypoints that have scale and orientation.

And what all verification begins with: an order of two photos that does not depend on who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.types import Float32, Float64, Int64, LocalFeatures, Matches


def has_frames(features: LocalFeatures) -> bool:
    """Whether keypoints have scale and orientation: SIFT's always, others unless all orientations are zero."""
    return features.descriptors.dtype == np.uint8 or bool(features.orientation.any())


def in_order(query: LocalFeatures, candidate: LocalFeatures) -> bool:
    """Whether the query counts as the first photo of the pair; only of equal photos both do."""
    for one, other in ((query.xy, candidate.xy), (query.orientation, candidate.orientation)):
        if (mine := one.tobytes()) != (theirs := other.tobytes()):
            return mine < theirs
    return True


@dataclass(frozen=True, slots=True)
class Verification:
    """Tolerances of geometric verification; lengths as shares of the second photo's longer side, see `in_order`.

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
    [verified] = verify_each(query, [candidate], [matches], tolerances)
    return verified


def verify_each(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    found: Sequence[Matches],
    tolerances: Verification | None = None,
) -> list[Matches]:
    """As `verify`, of several pairs, in order: the same answers at less expense."""
    tolerances = tolerances or Verification()
    starts = np.cumsum([0, *map(len, found)])
    confidence = np.concatenate([np.zeros(0, np.float32), *(one.confidence for one in found)])
    lined = _LinedMatches.of(query, candidates, found, confidence)
    kept = np.zeros(len(confidence), dtype=bool)
    kept[lined.rows] = _consistent(lined, tolerances)
    verified = np.where(kept, confidence, np.float32(0.0))
    return [
        Matches(one.pairs, verified[first:last]) for one, (first, last) in zip(found, pairwise(starts), strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _LinedMatches:
    """Matches with confidence of several pairs, one pair after the other, each as if always the same photo asked.

    Attributes
    ----------
    rows : int64 [m]
        Where the matches were; of each pair the most confident first.
    ends : int64 [pairs + 1]
        Where those of each pair begin, and end.
    frames : float32 [6, m]
        Keypoints of the first photo of their pair, x and y in pixels, and of the second, logarithm of the scale's ratio
        and difference of orientations in radians.
    weight : float32 [m]
        Confidences.
    side : float64 [pairs]
        Each second photo's longer side, pixels.
    """

    rows: Int64
    ends: Int64
    frames: Float32
    weight: Float32
    side: Float64

    @classmethod
    def of(
        cls,
        query: LocalFeatures,
        candidates: Sequence[LocalFeatures],
        found: Sequence[Matches],
        confidence: Float32,
    ) -> _LinedMatches:
        own = np.concatenate([np.zeros((0, 2), np.int32), *(one.pairs for one in found)])
        pair = np.repeat(np.arange(len(found)), [len(one) for one in found])
        asks = np.array([in_order(query, one) for one in candidates], dtype=bool)
        rows = np.flatnonzero(confidence > 0)
        first_row = np.where(asks[pair[rows]], own[rows, 0], own[rows, 1])
        rows = rows[np.lexsort((first_row, -confidence[rows], pair[rows]))]
        pair = pair[rows]
        starts = np.cumsum([0, *map(len, candidates)])
        mine = _keypoints([query])[:, own[rows, 0]]
        theirs = _keypoints(candidates)[:, starts[pair] + own[rows, 1]]
        forth = asks[pair]
        first, second = np.where(forth, mine, theirs), np.where(forth, theirs, mine)
        return cls(
            rows=rows,
            ends=np.searchsorted(pair, np.arange(len(found) + 1)),
            frames=np.stack([*first[:2], *second[:2], np.log(second[2] / first[2]), second[3] - first[3]]),
            weight=confidence[rows],
            side=np.where(asks, [max(one.size) for one in candidates], float(max(query.size))),
        )


def _keypoints(photos: Sequence[LocalFeatures]) -> Float32:
    """x, y, scale and orientation of all keypoints, float32 [4, n]."""
    parts = [np.stack((*one.xy.T, one.scale, one.orientation)) for one in photos]
    return np.concatenate([np.zeros((4, 0), np.float32), *parts], axis=1)


def _consistent(lined: _LinedMatches, tolerances: Verification) -> npt.NDArray[np.bool_]:
    from retrieval.matching.kernels import on_one_map

    kept = np.zeros(len(lined.rows), dtype=bool)
    coarse, fine = (np.square(share * lined.side, dtype=np.float32) for share in (tolerances.coarse, tolerances.fine))
    zoom, turn = np.float32(np.log(tolerances.zoom)), np.float32(np.cos(tolerances.turn))
    on_one_map(lined.frames, lined.weight, lined.ends, coarse, fine, zoom, turn, tolerances.fewest, kept)
    return kept
