"""What joins two photos on the screen: the matches that a person is shown, and the map between the photos.

Positions are pixels of the two working images, from the upper left corner of the upper left pixel; pages scale them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.catalog import Catalog
from retrieval.images import LinkedPoints, laid_over
from retrieval.web.workbench import Workbench

if TYPE_CHECKING:
    from index.registry import PhotoRecord

REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Dot:
    """One match: where it lies in both photos, how sure the matcher is (0..1), whether the second expert found it."""

    query: tuple[float, float]
    other: tuple[float, float]
    confidence: float
    second: bool = False


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
                [*(round(one, 1) for one in (*dot.query, *dot.other)), round(dot.confidence, 3), int(dot.second)]
                for dot in self.dots
            ],
            "numbered": self.numbered,
        }


def pair_view(query: int, other: int, points: LinkedPoints) -> PairView:
    """A pair's matches and the map that they speak for."""
    dots = tuple(
        Dot((float(a[0]), float(a[1])), (float(b[0]), float(b[1])), float(c), bool(second))
        for a, b, c, second in zip(points.query, points.candidate, points.confidence, points.second, strict=True)
    )
    affine = points.affine
    (a, b), (c, d), (e, f) = (laid_over(*points.sizes) if affine is None else affine).tolist()
    return PairView(query, other, points.sizes, (a, b, c, d, e, f), affine is not None, dots, tuple(points.numbered))


class Pairs:
    """Pairs of the catalogue's photos as the matcher sees them, the last few hundred remembered."""

    def __init__(self, catalog: Catalog, bench: Workbench) -> None:
        self._catalog = catalog
        self._bench = bench
        self._remembered: OrderedDict[tuple[int, str, int, str], PairView] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, query: PhotoRecord, other: PhotoRecord) -> PairView | None:
        """The pair, compared now where it was not before; None without an engine or without features."""
        key = (query.id, query.key, other.id, other.key)  # a head box that is drawn anew changes what is compared
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
            view = pair_view(query.id, other.id, engine.places(ours, theirs, matches))
        with self._lock:
            self._remembered[key] = view
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return view
