"""Which keypoints of two drawn photographs show the same spot of the same skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from index.types import Float32, LocalFeatures

UNMATCHED, IGNORED = -1, -2
NEAR, CLEAR = 3.0, 6.0
"""Pixels: within NEAR a keypoint may be the counterpart, without a keypoint within CLEAR there is none."""
TURN, STRETCH = 0.6, 0.5
"""By how many radians and log-scales a counterpart may differ from what the geometry predicts."""
SEEN = 2.0
"""Texels: how exactly a spot must be found again to count as visible."""

Int16 = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """For each keypoint of either photo: the row of its counterpart, UNMATCHED or IGNORED; int16 [n] each."""

    first: Int16
    second: Int16


@dataclass(frozen=True, slots=True, eq=False)
class Landing:
    """Where keypoints of one photo fall in the other: position [n, 2] (NaN where hidden), turn and log-stretch [n]."""

    xy: Float32
    orientation: Float32
    log_scale: Float32


def true_matches(first: LocalFeatures, skin_first: Float32, second: LocalFeatures, skin_second: Float32) -> Truth:
    """Counterparts of two photographs' keypoints, given which texel each pixel shows (float32 [h, w, 2], NaN beside).

    A match must be the best both ways, close, and turned and scaled as the geometry says. Keypoints with a rival close
    by are ignored rather than called unmatched.
    """
    forth = _land(first, skin_first, skin_second)
    back = _land(second, skin_second, skin_first)
    cost_forth, gap_forth = _cost(forth, second)
    cost_back, gap_back = _cost(back, first)
    cost = np.maximum(cost_forth, cost_back.T)
    best_second, best_first = cost.argmin(1), cost.argmin(0)
    mutual = best_first[best_second] == np.arange(len(first))
    matched = mutual & (cost.min(1) < 1)
    truth = Truth(_blank(gap_forth), _blank(gap_back))
    rows = np.flatnonzero(matched)
    truth.first[rows] = best_second[rows]
    truth.second[best_second[rows]] = rows
    return truth


def places(features: LocalFeatures, skin_here: Float32, skin_there: Float32) -> Float32:
    """Where keypoints of one photograph lie in another, float32 [n, 2], NaN where hidden; any kind of keypoints."""
    return _land(features, skin_here, skin_there).xy


def _blank(gap: Float32) -> Int16:
    alone = ~(gap.min(1) < CLEAR)
    blank: Int16 = np.where(alone, UNMATCHED, IGNORED).astype(np.int16)
    return blank


def _cost(landing: Landing, there: LocalFeatures) -> tuple[Float32, Float32]:
    """Cost [n, m], below 1 where a match is allowed, and distance in pixels [n, m] (infinite where hidden)."""
    gap = np.linalg.norm(landing.xy[:, None] - there.xy[None], axis=-1)
    gap = np.where(np.isnan(gap), np.inf, gap)
    turn = np.abs(np.angle(np.exp(1j * (landing.orientation[:, None] - there.orientation[None]))))
    stretch = np.abs(landing.log_scale[:, None] - np.log(there.scale)[None])
    allowed = (gap < NEAR) & (turn < TURN) & (stretch < STRETCH)
    cost = np.where(allowed, (gap / NEAR) ** 2 / 3 + (turn / TURN) ** 2 / 3 + (stretch / STRETCH) ** 2 / 3, 9)
    return cost.astype(np.float32), gap.astype(np.float32)


def _land(features: LocalFeatures, skin_here: Float32, skin_there: Float32) -> Landing:
    """Looks the keypoints' texels up in the other photograph: nearest coarse pixel, then two Newton steps."""
    n = len(features)
    texel, slope_here = _lookup(skin_here, features.xy)
    grid = skin_there[2::4, 2::4]
    ys, xs = np.nonzero(~np.isnan(grid[..., 0]))
    landing = Landing(*(np.full(shape, np.nan, dtype=np.float32) for shape in ((n, 2), (n,), (n,))))
    rows = np.flatnonzero(~np.isnan(texel[:, 0]) & ~np.isnan(slope_here).any((1, 2)))
    if len(ys) < 16 or len(rows) == 0:
        return landing
    nearest = np.asarray(cKDTree(grid[ys, xs]).query(texel[rows])[1])
    xy = np.stack([xs[nearest], ys[nearest]], -1).astype(np.float32) * 4 + 2
    for _ in range(3):
        at, slope = _lookup(skin_there, xy)
        inverse = _inverse(slope)
        step = np.einsum("nij,nj->ni", inverse, texel[rows] - at)
        xy = xy + np.clip(step, -4, 4)
    at, slope = _lookup(skin_there, xy)
    seen = np.linalg.norm(at - texel[rows], axis=1) < SEEN
    rows, xy = rows[seen], xy[seen]
    warp = np.einsum("nij,njk->nik", _inverse(slope[seen]), slope_here[rows])
    angle = features.orientation[rows]
    ahead = np.einsum("nij,nj->ni", warp, np.stack([np.cos(angle), np.sin(angle)], -1))
    landing.xy[rows] = xy
    landing.orientation[rows] = np.arctan2(ahead[:, 1], ahead[:, 0])
    determinant = np.abs(warp[:, 0, 0] * warp[:, 1, 1] - warp[:, 0, 1] * warp[:, 1, 0])
    landing.log_scale[rows] = np.log(features.scale[rows]) + 0.5 * np.log(np.maximum(determinant, 1e-6))
    return landing


def _lookup(skin: Float32, xy: Float32) -> tuple[Float32, Float32]:
    """Texels [n, 2] at positions and their derivatives [n, 2, 2] along x and y."""
    offsets = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32)
    at = xy[:, None] + offsets
    found = cv2.remap(
        skin, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(np.nan, np.nan)
    )
    found = np.asarray(found, dtype=np.float32)
    slope: Float32 = (np.stack([found[:, 1] - found[:, 2], found[:, 3] - found[:, 4]], -1) / 2).astype(np.float32)
    return found[:, 0], slope


def _inverse(matrix: Float32) -> Float32:
    """Inverse of 2 x 2 matrices [n, 2, 2]; NaN where they are singular."""
    a, b, c, d = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1]
    determinant = a * d - b * c
    determinant = np.where(np.abs(determinant) < 1e-4, np.nan, determinant)
    inverse: Float32 = (np.stack([d, -b, -c, a], -1) / determinant[:, None]).reshape(-1, 2, 2).astype(np.float32)
    return inverse
