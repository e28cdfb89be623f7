"""A large part of the vector index: product codes in cells, scanned fast, and the best scored again at half precision.

Codes of 4 bits are compared in registers (Andre et al., "Cache locality is not enough", VLDB 2015). Shares the door to
FAISS with `index.vectors`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.types import Float32, Int64
from index.vectors.half_precision import HalfPrecisionVectors
from index.vectors.search_params import HEADROOM, SAMPLE_PER_CELL, SHARES, Codes, Depth, SearchParams, depth_for

_faiss: Any = faiss

_ROUNDS = 10
_QUERIES, _QUERIES_AT_ONCE = 64, 16
_MANY = 1 / 512
"""Beyond this share of the photos a few queries give enough answers to count."""
_LONGEST = 32
"""So many times the wanted photos are scored again at most."""
_ONE_QUERY = 11
"""FAISS's way to scan for one query at a time, with a reservoir of results; its own choice takes a seventh longer."""


@dataclass(frozen=True, eq=False)
class CodedPart:
    """Photos whose order is that of `halves`.

    Attributes
    ----------
    ids : int64 [n]
        Photo ids by position.
    lists : faiss.IndexIVFPQFastScan
        The codes, under their positions.
    depths : tuple of Depth
        What was measured when the codes were learnt, by growing share.
    learnt_from : int
        How many photos there were then.
    ladder : SearchParams
        Says which searches are exact.
    """

    ids: Int64
    halves: HalfPrecisionVectors
    lists: Any
    depths: tuple[Depth, ...]
    learnt_from: int
    ladder: SearchParams

    def __post_init__(self) -> None:
        self.lists.implem = _ONE_QUERY

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, vector: Float32, k: int, selector: Any, admitted: int) -> tuple[Int64, Float32]:
        """Positions int64 and cosines of the k nearest of the `admitted` photos that the FAISS selector lets through.

        None as the selector lets all through.
        """
        k = min(k, admitted)
        depth = depth_for(self.depths, k, admitted)
        if depth is None or admitted <= self.ladder.exact_photos(self.halves.dimension):
            exact = None if selector is None else _faiss.SearchParameters(sel=selector)
            similarity, found = self.halves.index.search(vector[None], k, params=exact)
        else:
            look = {"nprobe": depth.cells} if selector is None else {"nprobe": depth.cells, "sel": selector}
            parameters = _faiss.IndexRefineSearchParameters(
                k_factor=max(1.0, math.ceil(depth.rescored * admitted) / k),
                base_index_params=_faiss.SearchParametersIVF(**look),
            )
            similarity, found = self._refined.search(vector[None], k, params=parameters)
        there = found[0] >= 0
        return found[0][there], similarity[0][there]

    def vectors(self, ids: Int64) -> Float32:
        """Vectors float32 [n, d], rounded to half precision, of photos int64 [n], all of which are here."""
        return self.halves.rows(self._order[np.searchsorted(self.ids, ids, sorter=self._order)])

    def blocks(self) -> Iterator[Float32]:
        """All vectors in the order of `ids`, as `HalfPrecisionVectors.blocks` gives them."""
        return self.halves.blocks()

    @cached_property
    def _order(self) -> Int64:
        return np.argsort(self.ids, kind="stable")

    @cached_property
    def _refined(self) -> Any:
        return _faiss.IndexRefine(self.lists, self.halves.index)


def learn(halves: HalfPrecisionVectors, codes: Codes, target: float) -> tuple[Any, tuple[Depth, ...]]:
    """Learn cells and codes from a sample, code everything, and measure how deep searches must go."""
    dimension, photos = halves.dimension, len(halves)
    quantizer = _faiss.IndexFlatIP(dimension)
    lists = _faiss.IndexIVFPQFastScan(
        quantizer, dimension, codes.cells, codes.subvectors, 4, _faiss.METRIC_INNER_PRODUCT
    )
    lists.cp.niter = lists.pq.cp.niter = _ROUNDS
    lists.cp.min_points_per_centroid = lists.pq.cp.min_points_per_centroid = 1  # FAISS prints a warning otherwise
    lists.train(halves.rows(_sample(photos, SAMPLE_PER_CELL * codes.cells)))
    for block in halves.blocks():
        lists.add(block)
    return lists, _measured(lists, halves, target)


def extended(part: CodedPart, halves: HalfPrecisionVectors) -> Any:
    """A part's codes and those of the photos that `halves` holds beyond it."""
    lists = _faiss.clone_index(part.lists)
    first = len(part)
    for block in halves.blocks(first):
        lists.add(block)
    return lists


def _sample(photos: int, most: int) -> Int64:
    rows = np.random.default_rng(0).choice(photos, min(photos, most), replace=False)
    return np.sort(rows).astype(np.int64)


def _measured(lists: Any, halves: HalfPrecisionVectors, target: float) -> tuple[Depth, ...]:
    """The least depth of every share at which enough of the exact answers to a sample of the gallery is found."""
    chosen = _sample(len(halves), _QUERIES)
    queries = halves.rows(chosen)
    nearest = [
        row
        for first in range(0, len(queries), _QUERIES_AT_ONCE)
        for row in _exactly(halves, chosen[first : first + _QUERIES_AT_ONCE])
    ]
    rank = _cell_ranks(lists, queries)
    aim = target + (1 - target) * HEADROOM
    depths = []
    for share in SHARES:
        k = max(1, round(share * len(halves)))
        enough = _QUERIES if share <= _MANY else _QUERIES_AT_ONCE
        expected = [row[:k] for row in nearest[:enough]]
        depth = _depth(lists, queries[:enough], expected, rank[:enough], share, aim)
        if depth is not None:
            depths.append(depth)
    return tuple(depths)


def _exactly(halves: HalfPrecisionVectors, chosen: Int64) -> list[Int64]:
    """Positions of the most photos that any share asks for, nearest first, for each chosen photo but itself."""
    queries = halves.rows(chosen)
    cosines = np.concatenate([queries @ block.T for block in halves.blocks()], axis=1)
    cosines[np.arange(len(chosen)), chosen] = -np.inf  # finding oneself is too easy
    most = max(1, round(max(SHARES) * cosines.shape[1]))
    best = []
    for row in cosines:
        kept = np.argpartition(-row, most - 1)[:most]
        best.append(kept[np.argsort(-row[kept], kind="stable")])
    return best


def _cell_ranks(lists: Any, queries: Float32) -> Int64:
    """int64 [queries, photos]: as how many-th a photo's cell is looked at."""
    cell = np.empty(lists.ntotal, np.int64)
    inverted = lists.invlists
    for number in range(lists.nlist):
        size = inverted.list_size(number)
        if size:
            cell[_faiss.rev_swig_ptr(inverted.get_ids(number), size)] = number
    _, order = lists.quantizer.search(queries, lists.nlist)
    place = np.empty((len(queries), lists.nlist), np.int64)
    np.put_along_axis(place, order, np.arange(lists.nlist)[None], axis=1)
    return place[:, cell]


def _depth(lists: Any, queries: Float32, expected: list[Int64], rank: Int64, share: float, aim: float) -> Depth | None:
    """None when even scanning everything finds too little."""
    k, photos = len(expected[0]), lists.ntotal
    places = np.concatenate([own[rows] for own, rows in zip(rank, expected, strict=True)])
    cells = int(np.quantile(places, aim + (1 - aim) / 4, method="higher")) + 1
    for looked_at in (cells, lists.nlist):
        longest = min(_LONGEST * k, photos // 2)
        _, found = lists.search(queries, longest, params=_faiss.SearchParametersIVF(nprobe=looked_at))
        rows = np.concatenate([_ranks(one, rows, photos) for one, rows in zip(found, expected, strict=True)])
        needed = int(np.quantile(rows, aim, method="higher")) + 1
        if needed <= longest:
            return Depth(share, looked_at, needed / photos, float(np.mean(rows < needed)))
    return None


def _ranks(found: Int64, rows: Int64, photos: int) -> npt.NDArray[np.int64]:
    """As how many-th rows were found; `photos` where they were not."""
    rank = np.full(photos, photos, np.int64)
    there = found[found >= 0]
    rank[there] = np.arange(len(there))
    return rank[rows]
