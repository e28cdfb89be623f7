"""An exact part of the vector index: vectors as they are, under their photo ids. Shares the door to FAISS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np

from index.types import Float32, Int64
from index.vectors.half_precision import BLOCK

_faiss: Any = faiss


class ExactPart:
    """Vectors float32 [n, d] and their photo ids; `index` is FAISS's own, as it lies in a file."""

    def __init__(self, dimension: int, index: Any = None) -> None:
        self.index = _faiss.IndexIDMap2(_faiss.IndexFlatIP(dimension)) if index is None else index

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @property
    def ids(self) -> Int64:
        """Photo ids int64 [n]."""
        ids: Int64 = _faiss.vector_to_array(self.index.id_map)
        return ids

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Add vectors float32 [n, d] under ids int64 [n]."""
        self.index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))

    def blocks(self) -> Iterator[Float32]:
        """All vectors in the order of `ids`, float32 [up to BLOCK, d] at a time."""
        flat = _faiss.downcast_index(self.index.index)
        for first in range(0, len(self), BLOCK):
            yield flat.reconstruct_n(first, min(BLOCK, len(self) - first))

    def vectors(self, ids: Int64) -> Float32:
        """The vectors of ids, all of which are here."""
        found: Float32 = self.index.reconstruct_batch(np.ascontiguousarray(ids))
        return found

    def search(self, vector: Float32, k: int, selector: Any) -> tuple[Int64, Float32]:
        """Ids and cosines of the k nearest that the FAISS selector of ids lets through; None lets all through."""
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        parameters = None if selector is None else _faiss.SearchParameters(sel=selector)
        similarity, ids = self.index.search(vector[None], k, params=parameters)
        there = ids[0] >= 0
        return ids[0][there], similarity[0][there]
