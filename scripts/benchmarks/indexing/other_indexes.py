"""Other ways to find the nearest descriptors: FAISS's exact search, usearch's HNSW, LanceDB's IVF_PQ."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("LANCE_LOG", "error")  # it reads this when it is imported

import faiss
import lancedb
import numpy as np
import pyarrow as pa
from usearch.index import Index

from benchmarks.indexing.synthetic_gallery import BLOCK
from index.types import Float32, Int64

EXPANSION = 1024
"""HNSW looks at so many photos: less finds too few in descriptors of so many dimensions."""


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """A built index: bytes on disk or in memory, and rows of the k nearest to a vector."""

    name: str
    bytes: int
    search: Callable[[Float32, int], Int64]


def flat(gallery: Float32, folder: Path) -> Rival:
    """Exact search over float32."""
    del folder
    index = faiss.IndexFlatIP(gallery.shape[1])
    for first in range(0, len(gallery), BLOCK):
        index.add(np.ascontiguousarray(gallery[first : first + BLOCK]))

    def search(vector: Float32, k: int) -> Int64:
        found: Int64 = index.search(vector[None], k)[1][0]
        return found

    return Rival("FAISS, exact", gallery.nbytes, search)


def usearch(gallery: Float32, folder: Path) -> Rival:
    """HNSW over half precision."""
    index = Index(ndim=gallery.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_search=EXPANSION)
    for first in range(0, len(gallery), BLOCK):
        block = np.ascontiguousarray(gallery[first : first + BLOCK])
        index.add(np.arange(first, first + len(block)), block)
    index.save(str(folder / "usearch"))

    def search(vector: Float32, k: int) -> Int64:
        return np.asarray(index.search(vector, k, threads=1).keys, np.int64)

    return Rival("usearch, HNSW", (folder / "usearch").stat().st_size, search)


def lance(gallery: Float32, folder: Path) -> Rival:
    """LanceDB's product codes in cells, the best compared again with the stored vectors."""
    width = gallery.shape[1]
    schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), width))])

    def batch(first: int) -> pa.RecordBatch:
        block = np.ascontiguousarray(gallery[first : first + BLOCK])
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), width)
        return pa.record_batch([pa.array(np.arange(first, first + len(block))), vectors], schema=schema)

    table = lancedb.connect(folder / "lance").create_table("photos", schema=schema)
    for first in range(0, len(gallery), BLOCK):
        table.add(pa.Table.from_batches([batch(first)]))
    cells = 1 << round(np.log2(len(gallery)) / 2)
    table.create_index(metric="dot", num_partitions=cells, num_sub_vectors=width // 8, vector_column_name="vector")

    def search(vector: Float32, k: int) -> Int64:
        query: Any = table.search(vector)  # declared as the base of several kinds of query
        query = query.distance_type("dot").nprobes(cells // 2).refine_factor(10).limit(k)
        return np.asarray(query.select(["id", "_distance"]).to_arrow()["id"].to_numpy(), np.int64)

    size = sum(path.stat().st_size for path in (folder / "lance").rglob("*") if path.is_file())
    return Rival("LanceDB, IVF_PQ", size, search)
