"""How a gallery is searched as it grows: every threshold of the vector index, in one place.

A small gallery is searched exactly. A large one lies in cells (k-means) as 4-bit product codes, which are scanned
fast, and the best of them are scored again at half precision. How many cells are looked at and how many photos are
scored again is measured when the codes are learnt, so that the promised share of the exact answer is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HEADROOM = 0.1
"""Depths are measured on a sample, so they aim this part of the missing share above the target."""

SHARES = tuple(2.0**-power for power in range(14, 4, -1))
"""Depths are measured for the best 1/16384 to 1/32 of the admitted photos; beyond that, a search is exact."""

SAMPLE_PER_CELL = 64
UNSAVED_FEWEST, UNSAVED_SHARE_EXACT, UNSAVED_SHARE_CODED = 4096, 20, 100
"""The file is rewritten when more vectors than this are missing from it: at least the first, else one in so many."""

GPU_FROM = 32
"""Unfiltered searches of one process after which copying the vectors to a GPU pays."""

PROBES_FEWEST, PROBES_MOST = 4, 64
PROBED_WIDELY = 2_560_000
"""Keypoints up to which a search by votes looks at the most words near each of its own: 10,000 photos."""


@dataclass(frozen=True, slots=True)
class Codes:
    """How a large gallery is coded: into `cells`, with one 4-bit code for each `subvectors`-th of a vector."""

    cells: int
    subvectors: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep to search for the best `share` of the admitted photos.

    Attributes
    ----------
    share : float
        Wanted photos divided by admitted photos.
    cells : int
        Cells whose codes are scanned.
    rescored : float
        Share of the admitted photos that is scored again at half precision.
    recall : float
        Share of the exact answer that was found, measured on a sample of the gallery.
    """

    share: float
    cells: int
    rescored: float
    recall: float


@dataclass(frozen=True, slots=True)
class SearchParams:
    """When a gallery is searched how.

    Attributes
    ----------
    exact_bytes : int
        Vectors (float32) that one query can be compared with in some milliseconds: 32,768 photos of 512 dimensions.
    code_bytes : int
        Codes that may stay in memory: 16 million photos of 512 dimensions with fine codes, twice that with coarse ones.
    target : float
        Share of the exact answer that a search must find.
    outgrown : float
        Cells and codes are learnt anew when the gallery is this many times the one that they were learnt from.
    """

    exact_bytes: int = 64 << 20
    code_bytes: int = 2 << 30
    target: float = 0.99
    outgrown: float = 2.0

    def exact_photos(self, dimension: int) -> int:
        """Up to how many photos, or admitted photos, a search is exact."""
        return self.exact_bytes // (4 * dimension)

    def codes(self, photos: int, dimension: int) -> Codes | None:
        """The codes of a gallery of that size, None where it is searched exactly."""
        if photos <= self.exact_photos(dimension):
            return None
        subvectors = dimension // 2 if dimension % 2 == 0 else dimension
        if photos * subvectors / 2 > self.code_bytes and subvectors % 2 == 0:
            subvectors //= 2
        return Codes(1 << round(np.log2(photos) / 2), subvectors)


LADDER = SearchParams()


def depth_for(depths: tuple[Depth, ...], wanted: int, admitted: int) -> Depth | None:
    """The measured depth that suffices for `wanted` of `admitted` photos, None where only an exact search does."""
    return next((depth for depth in depths if wanted <= depth.share * admitted), None)


def probes(keypoints: int) -> int:
    """Words that a query's keypoint is compared in, in a gallery of so many keypoints.

    Fewer as the lists grow: 64 up to 10,000 photos of 256 keypoints, 16 of 100,000 and 4 of a million.
    """
    share = min(PROBED_WIDELY / max(keypoints, 1), 1.0)
    return max(round(PROBES_MOST * float(share**0.6)), PROBES_FEWEST)
