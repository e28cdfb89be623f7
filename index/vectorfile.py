"""The file of the vector index: what FAISS wrote, and a footer that names the state of the registry that it holds.

An exact file is one FAISS index. A coded file begins with the vectors at half precision, which are only mapped; the
codes, the photo ids and the footer follow. Opening verifies all but the mapped vectors, which `turtleidx check`
compares with the registry. Shares the door to FAISS with `index.vectors`.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.coded import CodedPart
from index.errors import CatalogDamaged
from index.exact import ExactPart
from index.halves import Halves, header, row_bytes
from index.ladder import Depth, Ladder
from index.records import Checkpoint as Checkpoint

_faiss: Any = faiss

_TAIL = struct.Struct("<I4s")  # length of the footer, mark
_MARK = b"TXVF"
_CHUNK = 1 << 22


def append_exact(path: Path, part: ExactPart) -> None:
    """Begin a file with an exact part."""
    _append(path, part.index)


def append_codes(path: Path, part: CodedPart) -> None:
    """Put the codes and ids of a part behind its vectors, which the file holds already."""
    _append(path, part.lists)
    with path.open("ab") as file:
        file.write(np.ascontiguousarray(part.ids, "<i8").tobytes())


def seal(path: Path, checkpoint: Checkpoint, part: ExactPart | CodedPart) -> None:
    """Write the footer."""
    size, unverified = path.stat().st_size, (0, 0)
    footer: dict[str, object] = asdict(checkpoint)
    if isinstance(part, CodedPart):
        unverified = _mapped(part.halves.dimension, len(part))
        depths = [asdict(depth) for depth in part.depths]
        footer["coded"] = {
            "dimension": part.halves.dimension,
            "photos": len(part),
            "learnt_from": part.learnt_from,
            "depths": depths,
        }
    footer["crc32"] = _checksum(path, size, unverified)
    content = json.dumps(footer).encode()
    with path.open("ab") as file:
        file.write(content + _TAIL.pack(len(content), _MARK))


def read_footer(path: Path) -> Checkpoint:
    """The state that a saved index holds. Raises CatalogDamaged when the file is not whole, FileNotFoundError."""
    footer, _ = _read_footer(path)
    return Checkpoint(int(footer["event"]), str(footer["token"]))


def read_depths(path: Path) -> tuple[Depth, ...]:
    """What was measured when a coded file was made; nothing for an exact one. Raises as `read_footer` does."""
    footer, _ = _read_footer(path)
    return _depths(footer["coded"]) if "coded" in footer else ()


def read_part(path: Path, ladder: Ladder) -> tuple[ExactPart | CodedPart, int, Checkpoint]:
    """The index of a file, the length of its vectors, and its state. Raises as `read_footer` does."""
    footer, content = _read_footer(path)
    checkpoint = Checkpoint(int(footer["event"]), str(footer["token"]))
    try:
        part = _read_coded(path, footer["coded"], content, ladder) if "coded" in footer else _read_exact(path)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return part, part.halves.dimension if isinstance(part, CodedPart) else int(part.index.d), checkpoint


def _read_exact(path: Path) -> ExactPart:
    index = _faiss.read_index(str(path))
    if not isinstance(index, _faiss.IndexIDMap2):
        raise ValueError("another kind of index")
    return ExactPart(index.d, index)


def _read_coded(path: Path, footer: Mapping[str, Any], content: int, ladder: Ladder) -> CodedPart:
    photos, dimension = int(footer["photos"]), int(footer["dimension"])
    with path.open("rb") as file:
        file.seek(sum(_mapped(dimension, photos)))
        reader = _faiss.PyCallbackIOReader(file.read, _CHUNK)
        lists = _faiss.read_index(reader)
        file.seek(content - 8 * photos)
        ids = np.frombuffer(file.read(8 * photos), "<i8").astype(np.int64)
    return CodedPart(ids, Halves(path), lists, _depths(footer), int(footer["learnt_from"]), ladder)


def _depths(footer: Mapping[str, Any]) -> tuple[Depth, ...]:
    return tuple(Depth(**depth) for depth in footer["depths"])


def _mapped(dimension: int, photos: int) -> tuple[int, int]:
    """Where the mapped vectors of a coded file begin, and their bytes."""
    return len(header(dimension, photos)), photos * row_bytes(dimension)


def _append(path: Path, index: Any) -> None:
    with path.open("ab") as file:
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(file.write, _CHUNK))


def _checksum(path: Path, end: int, unverified: tuple[int, int]) -> int:
    begin, length = unverified
    checksum = 0
    with path.open("rb") as file:
        for first, last in ((0, begin), (begin + length, end)):
            file.seek(first)
            left = last - first
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    return checksum


def _read_footer(path: Path) -> tuple[Mapping[str, Any], int]:
    """The footer, and how many bytes stand before it."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(size - _TAIL.size, 0))
            length, mark = _TAIL.unpack(file.read())
            if mark != _MARK or length > size - _TAIL.size:
                raise ValueError("its end is missing")
            content = size - _TAIL.size - length
            file.seek(content)
            footer: Mapping[str, Any] = json.loads(file.read(length))
        unverified = (0, 0)
        if "coded" in footer:
            unverified = _mapped(int(footer["coded"]["dimension"]), int(footer["coded"]["photos"]))
        if content < sum(unverified) or footer["crc32"] != _checksum(path, content, unverified):
            raise ValueError("its checksum is wrong")
        Checkpoint(int(footer["event"]), str(footer["token"]))
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise _damaged(path, error) from error
    return footer, content


def _damaged(path: Path, error: Exception) -> CatalogDamaged:
    return CatalogDamaged(f"{path} cannot be read ({error}); `turtleidx check` rebuilds it.")
