"""Vectors at half precision in a file, mapped into memory: the best of a coded search are scored again with them.

Shares the door to FAISS with `index.vectors`. The rows are in FAISS's own format of a scalar-quantised index, but are
written block by block, because FAISS would need all of them in memory at once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np

from index.types import Float32, Int64

_faiss: Any = faiss  # its type stubs lack what its Python layer adds

BLOCK = 1 << 14
_COUNT = struct.Struct("<q")
_COUNT_AT = 8
"""Where FAISS's header of an index holds the number of vectors; the number of bytes of all rows ends the header."""


def header(dimension: int, rows: int) -> bytes:
    """What stands before the rows in a file."""
    empty = _faiss.IndexScalarQuantizer(dimension, _faiss.ScalarQuantizer.QT_fp16, _faiss.METRIC_INNER_PRODUCT)
    content = bytearray(_faiss.serialize_index(empty).tobytes())
    _COUNT.pack_into(content, _COUNT_AT, rows)
    _COUNT.pack_into(content, len(content) - _COUNT.size, rows * row_bytes(dimension))
    return bytes(content)


def row_bytes(dimension: int) -> int:
    """Bytes of one vector."""
    return 2 * dimension


def halved(vectors: Float32) -> bytes:
    """Vectors float32 [n, d] as they lie in the file."""
    return np.ascontiguousarray(vectors, "<f2").tobytes()


def write_halves(file: BinaryIO, dimension: int, rows: int, blocks: Iterable[Float32]) -> None:
    """Write vectors float32 [n, d], block by block, `rows` in all."""
    file.write(header(dimension, rows))
    file.writelines(halved(block) for block in blocks)


class HalfPrecisionVectors:
    """The vectors at the beginning of a file, mapped where a mapped file can be replaced (not on Windows)."""

    def __init__(self, path: Path) -> None:
        self.index = _faiss.read_index(str(path), 0 if os.name == "nt" else _faiss.IO_FLAG_MMAP_IFC)
        self.dimension = int(self.index.d)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def rows(self, positions: Int64) -> Float32:
        """Vectors float32 [n, d] at positions int64 [n]."""
        found: Float32 = self.index.reconstruct_batch(np.ascontiguousarray(positions, np.int64))
        return found

    def blocks(self, start: int = 0) -> Iterator[Float32]:
        """All vectors from `start` on, in order, float32 [up to BLOCK, d] at a time."""
        for first in range(start, len(self), BLOCK):
            yield self.index.reconstruct_n(first, min(BLOCK, len(self) - first))
