"""Where two photos correspond: places of matches, the map that they speak for, and which of them get a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import MATCH_THRESHOLD, Float64

NUMBERED = 10
"""Matches that are numbered."""
APART = 0.07
"""Least distance of two numbered ones, as a share of the photo's diagonal."""
FEWEST = 4
"""Matches from which on a map is fitted; with three, any three points agree."""
SURE = 0.5
"""Weight in the map of what the second expert found, of which only the sure matches are kept."""
REFITS = 5
"""Fits of the map, in each of which what lay far off in the one before counts less."""
MOST_ZOOM, MOST_STRETCH = 4.0, 3.0
"""What the photos of two heads can differ by; a map beyond it explains nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkedPoints:
    """The matches of one pair that count, strongest first, as positions.

    Attributes
    ----------
    sizes : ((width, height), (width, height))
        Of the query's and the candidate's working image.
    query, candidate : float64 [m, 2]
        In pixels of the working images, from the upper left corner of the upper left pixel.
    confidence : float64 [m]
    second : bool [m]
        Found by the second expert.
    """

    sizes: tuple[tuple[int, int], tuple[int, int]]
    query: Float64
    candidate: Float64
    confidence: Float64
    second: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.query)

    @property
    def numbered(self) -> list[int]:
        """Rows that get a number, strongest first, none near an earlier one in the query."""
        return apart(self.query, self.sizes[0])

    @property
    def affine(self) -> Float64 | None:
        """`fitted_affine` of all of them; those of the second expert are sure."""
        return fitted_affine(self.query, self.candidate, np.where(self.second, SURE, self.confidence))

    @property
    def told(self) -> str:
        """How many matches there are, and who found them, in words."""
        second = int(self.second.sum())
        beside = f" and {second} of the second expert" if second else ""
        return f"{len(self) - second} matches{beside}"


def linked_points(
    sizes: tuple[tuple[int, int], tuple[int, int]],
    query: Float64,
    candidate: Float64,
    confidence: Float64,
    second: npt.NDArray[np.bool_],
) -> LinkedPoints:
    """Those that count of matches with these places (pixel centres at whole numbers): confidence 0.1, or second."""
    rows = np.flatnonzero((confidence >= MATCH_THRESHOLD) | second)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    return LinkedPoints(sizes, query[rows] + 0.5, candidate[rows] + 0.5, confidence[rows], second[rows])


def fitted_affine(source: Float64, target: Float64, weight: Float64) -> Float64 | None:
    """The map, float64 [3, 2], of homogeneous source points onto targets; None for no plausible one.

    Least squares, refitted with Cauchy's weights, so that a few wrong matches do not bend it.
    """
    if len(source) < FEWEST:
        return None
    points = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    counts = weight
    for _ in range(REFITS):
        root = np.sqrt(counts)[:, None]
        solution, _, rank, _ = np.linalg.lstsq(points * root, target * root, rcond=None)
        if rank < 3:
            return None
        off = np.hypot(*(points @ solution - target).T)
        counts = weight / (1 + (off / max(float(np.median(off)), 1e-9)) ** 2)
    larger, smaller = np.linalg.svd(solution[:2], compute_uv=False)
    zoom = float(np.sqrt(larger * smaller))
    plausible = np.linalg.det(solution[:2]) > 0 and larger < MOST_STRETCH * smaller and 1 / MOST_ZOOM < zoom < MOST_ZOOM
    return np.asarray(solution, np.float64) if plausible else None


def laid_over(ours: tuple[int, int], theirs: tuple[int, int]) -> Float64:
    """The map that lays one photo's middle over the other's, without turning it; float64 [3, 2]."""
    zoom = max(theirs) / max(ours)
    shift = (np.array(theirs) - zoom * np.array(ours)) / 2
    return np.array([[zoom, 0.0], [0.0, zoom], shift])


def apart(points: Float64, size: tuple[int, int], most: int = NUMBERED) -> list[int]:
    """Rows of points, strongest first, none nearer to an earlier one than 7 % of the photo's diagonal."""
    least = APART * float(np.hypot(*size))
    kept: list[int] = []
    for row, point in enumerate(points):
        if all(float(np.hypot(*(point - points[other]))) >= least for other in kept):
            kept.append(row)
        if len(kept) == most:
            break
    return kept
