"""What joins two photos on the screen: the matches that a person is shown, and the map between the photos.

Positions are pixels of the two working images, from the upper left corner of the upper left pixel; pages scale them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.types import MATCH_THRESHOLD, LocalFeatures, Matches
from retrieval.web.workbench import Workbench

if TYPE_CHECKING:
    from index.registry import PhotoRecord

Float64 = npt.NDArray[np.float64]

DOTS = 10
"""Matches that are numbered."""
APART = 0.07
"""Least distance of two numbered ones, as a share of the photo's diagonal."""
REMEMBERED = 200
FEWEST = 4
"""Matches from which on a map is fitted; with three, any three points agree."""
MOST_ZOOM, MOST_STRETCH = 4.0, 3.0
"""What the photos of two heads can differ by; a map beyond it explains nothing."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One match: where it lies in both photos, and how sure the matcher is (0..1)."""

    query: tuple[float, float]
    other: tuple[float, float]
    confidence: float


@dataclass(frozen=True, slots=True)
class PairView:
    """Everything that the screen needs of a pair.

    Attributes
    ----------
    sizes : ((width, height), (width, height))
        Of the working images.
    affine : six floats
        a, b, c, d, e, f: the query's (x, y) lies at (a x + c y + e, b x + d y + f) in the other photo.
    mapped : bool
        Whether matches speak for the map; else it only lays one photo over the other.
    numbered : tuple of int
        Rows of `dots` that get a number, strongest first.
    """

    query: int
    other: int
    sizes: tuple[tuple[int, int], tuple[int, int]]
    affine: tuple[float, float, float, float, float, float]
    mapped: bool
    dots: tuple[Dot, ...]
    numbered: tuple[int, ...]

    def record(self) -> dict[str, object]:
        """As the page's script reads it."""
        return {
            "query": self.query,
            "other": self.other,
            "sizes": self.sizes,
            "affine": [round(one, 5) for one in self.affine],
            "mapped": self.mapped,
            "dots": [
                [*(round(one, 1) for one in (*dot.query, *dot.other)), round(dot.confidence, 3)] for dot in self.dots
            ],
            "numbered": self.numbered,
        }


def pair_view(query: int, other: int, ours: LocalFeatures, theirs: LocalFeatures, matches: Matches) -> PairView:
    """A pair's matches of confidence 0.1 and more, strongest first, and the map that they speak for."""
    rows = np.flatnonzero(matches.confidence >= MATCH_THRESHOLD)
    rows = rows[np.argsort(-matches.confidence[rows], kind="stable")]
    source = ours.xy[matches.pairs[rows, 0]].astype(np.float64) + 0.5
    target = theirs.xy[matches.pairs[rows, 1]].astype(np.float64) + 0.5
    weight = matches.confidence[rows].astype(np.float64)
    affine = fitted_affine(source, target, weight)
    dots = tuple(
        Dot((float(a[0]), float(a[1])), (float(b[0]), float(b[1])), float(c))
        for a, b, c in zip(source, target, weight, strict=True)
    )
    plain = affine if affine is not None else laid_over(ours.size, theirs.size)
    (a, b), (c, d), (e, f) = plain.tolist()
    numbered = tuple(apart(source, ours.size))
    return PairView(query, other, (ours.size, theirs.size), (a, b, c, d, e, f), affine is not None, dots, numbered)


def fitted_affine(source: Float64, target: Float64, weight: Float64) -> Float64 | None:
    """Weighted least squares, float64 [3, 2], of homogeneous source points onto targets; None for no plausible map."""
    if len(source) < FEWEST:
        return None
    points = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    root = np.sqrt(weight)[:, None]
    solution, _, rank, _ = np.linalg.lstsq(points * root, target * root, rcond=None)
    if rank < 3:
        return None
    larger, smaller = np.linalg.svd(solution[:2], compute_uv=False)
    zoom = float(np.sqrt(larger * smaller))
    plausible = np.linalg.det(solution[:2]) > 0 and larger < MOST_STRETCH * smaller and 1 / MOST_ZOOM < zoom < MOST_ZOOM
    return np.asarray(solution, np.float64) if plausible else None


def laid_over(ours: tuple[int, int], theirs: tuple[int, int]) -> Float64:
    """The map that lays one photo's middle over the other's, without turning it; float64 [3, 2]."""
    zoom = max(theirs) / max(ours)
    shift = (np.array(theirs) - zoom * np.array(ours)) / 2
    return np.array([[zoom, 0.0], [0.0, zoom], shift])


def apart(points: Float64, size: tuple[int, int], most: int = DOTS) -> list[int]:
    """Rows of points, strongest first, none nearer to an earlier one than 7 % of the photo's diagonal."""
    least = APART * float(np.hypot(*size))
    kept: list[int] = []
    for row, point in enumerate(points):
        if all(float(np.hypot(*(point - points[other]))) >= least for other in kept):
            kept.append(row)
        if len(kept) == most:
            break
    return kept


class Pairs:
    """Pairs of the catalogue's photos as the matcher sees them, the last few hundred remembered."""

    def __init__(self, catalog: Catalog, bench: Workbench) -> None:
        self._catalog = catalog
        self._bench = bench
        self._remembered: OrderedDict[tuple[int, int], PairView] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, query: PhotoRecord, other: PhotoRecord) -> PairView | None:
        """The pair, compared now where it was not before; None without an engine or without features."""
        key = (query.id, other.id)
        with self._lock:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        ours, theirs = self._catalog.feature_store.features([query.key, other.key])
        if ours is None or theirs is None:
            return None
        with self._bench.at_once() as engine:
            if engine is None:
                return None
            [matches] = engine.compare(ours, [theirs])
        view = pair_view(query.id, other.id, ours, theirs, matches)
        with self._lock:
            self._remembered[key] = view
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return view

    def known(self, pairs: Sequence[tuple[int, int]]) -> int:
        """How many of these pairs need no comparing."""
        with self._lock:
            return sum(pair in self._remembered for pair in pairs)
