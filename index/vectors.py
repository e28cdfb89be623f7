"""The nearest-neighbour index over global descriptors; the only door to FAISS.

`vectors.faiss` is derived from the registry. It is a plain FAISS file with a footer that names the last
registry event it holds, so that an older, newer or damaged file is noticed and never trusted.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.durable import OnStep, no_steps, replacing
from index.errors import CatalogDamaged
from index.types import Float32, Int64

_faiss: Any = faiss  # its type stubs lack what its Python layer adds

_TAIL = struct.Struct("<I4s")  # length of the footer, mark
_MARK = b"TXVF"
_CHUNK = 1 << 22
FEWEST_UNSAVED = 4096


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the registry that a saved index holds.

    Attributes
    ----------
    event : int
        Every photo enrolled up to this event is in the file.
    token : str
        The event's own random mark, so that an event number that was used twice (a registry rolled back by a
        power loss) is not taken for the same state.
    """

    event: int
    token: str


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Photo ids (int64 [k]) and cosines (float32 [k]), nearest first."""

    ids: Int64
    similarity: Float32


class VectorIndex:
    """Exact inner-product search over unit vectors with photo ids.

    What was read from the file and what came since lie apart, so that catching up copies nothing.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._saved = _empty(dimension)
        self._newer = _empty(dimension)

    def __len__(self) -> int:
        return int(self._saved.ntotal + self._newer.ntotal)

    @property
    def unsaved(self) -> int:
        """How many vectors no file holds yet."""
        return int(self._newer.ntotal)

    @property
    def due(self) -> bool:
        """Whether enough has come in that the file is worth rewriting in the middle of a command."""
        return self.unsaved > max(FEWEST_UNSAVED, int(self._saved.ntotal) // 20)

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Add unit vectors float32 [n, d] under their photo ids int64 [n]."""
        self._newer.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64))

    def search(self, vector: Float32, k: int, allowed: Int64) -> Neighbours:
        """The k nearest of the `allowed` photos to a vector float32 [d], fewer when there are fewer."""
        selector = _selector(allowed, len(self))
        parts = [_search(part, vector, min(k, len(allowed)), selector) for part in (self._saved, self._newer)]
        ids = np.concatenate([part.ids for part in parts])
        similarity = np.concatenate([part.similarity for part in parts])
        best = np.argsort(-similarity, kind="stable")[:k]
        return Neighbours(ids[best], similarity[best])

    def vectors(self, ids: Int64) -> Float32:
        """The vectors float32 [n, d] of photos int64 [n]; every id must be in the index."""
        found = np.empty((len(ids), self.dimension), np.float32)
        in_saved = np.isin(ids, _ids(self._saved))
        for part, rows in ((self._saved, in_saved), (self._newer, ~in_saved)):
            if rows.any():
                found[rows] = part.reconstruct_batch(np.ascontiguousarray(ids[rows]))
        return found

    def ids(self) -> Int64:
        """Every photo id in the index, int64 [n], in no particular order."""
        return np.concatenate([_ids(self._saved), _ids(self._newer)])

    def save(self, path: Path, checkpoint: Checkpoint, on_step: OnStep = no_steps) -> None:
        """Write the whole index as one file, replacing the old one at once. Raises StorageFull."""
        if self.unsaved:
            self._saved.add_with_ids(_matrix(self._newer), _ids(self._newer))
            self._newer = _empty(self.dimension)
        with replacing(path) as temporary:
            _write(self._saved, temporary)
            footer = json.dumps(
                {**asdict(checkpoint), "crc32": _checksum(temporary, temporary.stat().st_size)}
            ).encode()
            with temporary.open("ab") as file:
                file.write(footer + _TAIL.pack(len(footer), _MARK))
            on_step("vectors written")
        on_step("vectors replaced")

    @classmethod
    def load(cls, path: Path, dimension: int) -> tuple[VectorIndex, Checkpoint]:
        """Read a saved index and the state it holds. Raises CatalogDamaged, FileNotFoundError."""
        checkpoint = read_footer(path)
        try:
            saved = _faiss.read_index(str(path))
        except RuntimeError as error:
            raise _damaged(path, error) from error
        if not isinstance(saved, _faiss.IndexIDMap2) or saved.d != dimension:
            raise CatalogDamaged(f"{path} holds another kind of index; `turtleidx check` rebuilds it.")
        index = cls(dimension)
        index._saved = saved
        return index, checkpoint


def _empty(dimension: int) -> Any:
    return _faiss.IndexIDMap2(_faiss.IndexFlatIP(dimension))


def _ids(part: Any) -> Int64:
    ids: Int64 = _faiss.vector_to_array(part.id_map)
    return ids


def _matrix(part: Any) -> Float32:
    vectors: Float32 = _faiss.downcast_index(part.index).reconstruct_n(0, part.ntotal)
    return vectors


def _selector(allowed: Int64, held: int) -> Any:
    """None when everything is allowed: FAISS is faster without a selector."""
    if len(allowed) == held:
        return None
    bits = np.zeros((int(allowed.max(initial=0)) // 8 + 1) * 8, np.uint8)
    bits[allowed] = 1
    return _faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))


def _search(part: Any, vector: Float32, k: int, selector: Any) -> Neighbours:
    if k == 0 or part.ntotal == 0:
        return Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))
    params = None if selector is None else _faiss.SearchParameters(sel=selector)
    similarity, ids = part.search(np.ascontiguousarray(vector, np.float32)[None], k, params=params)
    found = ids[0] >= 0
    return Neighbours(ids[0][found], similarity[0][found])


def _write(index: Any, path: Path) -> None:
    with path.open("wb") as file:
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(file.write, _CHUNK))


def _checksum(path: Path, length: int) -> int:
    checksum, left = 0, length
    with path.open("rb") as file:
        while left and (chunk := file.read(min(left, _CHUNK))):
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    return checksum


def read_footer(path: Path) -> Checkpoint:
    """The state that a saved index holds. Raises CatalogDamaged when the file is not whole, FileNotFoundError."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(size - _TAIL.size, 0))
            length, mark = _TAIL.unpack(file.read())
            if mark != _MARK or length > size - _TAIL.size:
                raise ValueError("its end is missing")
            file.seek(size - _TAIL.size - length)
            footer = json.loads(file.read(length))
        if footer["crc32"] != _checksum(path, size - _TAIL.size - length):
            raise ValueError("its checksum is wrong")
        return Checkpoint(int(footer["event"]), str(footer["token"]))
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CatalogDamaged:
    return CatalogDamaged(f"{path} cannot be read ({error}); `turtleidx check` rebuilds it.")
