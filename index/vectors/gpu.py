"""A copy of the index on a GPU, where FAISS sees one that can hold it. Shares the door to FAISS.

It is exact, because a GPU compares a million vectors in a millisecond. FAISS's GPU indexes take no selectors in
general, so filtered searches stay on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import faiss
import numpy as np

from index.types import Float32, Int64

_faiss: Any = faiss

MOST_WANTED = 2048
"""FAISS finds no more neighbours than this on a GPU."""


class Held(Protocol):
    """Vectors that lie on a GPU."""

    def search(self, vector: Float32, k: int) -> tuple[Int64, Float32]:
        """Positions int64 [k] and cosines float32 [k] of the nearest to a vector float32 [d], nearest first."""


class Accelerator(Protocol):
    """Something that may hold vectors."""

    def hold(self, blocks: Iterable[Float32], dimension: int, *, half: bool) -> Held | None:
        """Take vectors float32 [n, d], block by block, kept at half precision or as they are; None without room."""


class FaissGpu:
    """The first GPU that FAISS sees, if any."""

    def hold(self, blocks: Iterable[Float32], dimension: int, *, half: bool) -> Held | None:
        if not _faiss.get_num_gpus():
            return None
        config = _faiss.GpuIndexFlatConfig()
        config.device, config.useFloat16 = 0, half
        try:
            resources = _faiss.StandardGpuResources()
            index = _faiss.GpuIndexFlatIP(resources, dimension, config)
            for block in blocks:
                index.add(np.ascontiguousarray(block, np.float32))
        except RuntimeError:  # FAISS has no question for free memory: it is full when it is full
            return None
        return _OnGpu(resources, index)


class _OnGpu:
    def __init__(self, resources: Any, index: Any) -> None:
        self._resources = resources  # must outlive the index
        self._index = index

    def search(self, vector: Float32, k: int) -> tuple[Int64, Float32]:
        similarity, positions = self._index.search(np.ascontiguousarray(vector, np.float32)[None], k)
        return positions[0], similarity[0]
