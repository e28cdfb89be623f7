"""The file of the vector index: what FAISS wrote, and a footer that names the state of the registry that it holds.

An exact file is one FAISS index. A coded file begins with the vectors at half precision, which are only mapped; the
codes, the photo ids and the footer follow. A file of votes begins with the inverted lists, only mapped where they are
large. Opening verifies all but what may be mapped, which `turtleidx check` compares with the registry. Shares the door
to FAISS with `index.vectors`.
"""

from __future__ import annotations

import json
import os
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
from index.votes import VotePart, read_lists

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
    if isinstance(part, ExactPart):
        _seal(path, asdict(checkpoint), 0)
        return
    coded = {
        "dimension": part.halves.dimension,
        "photos": len(part),
        "learnt_from": part.learnt_from,
        "depths": [asdict(depth) for depth in part.depths],
    }
    _seal(path, {**asdict(checkpoint), "coded": coded}, _mapped(part.halves.dimension, len(part)))


def write_votes(path: Path, checkpoint: Checkpoint, part: VotePart, dimension: int) -> None:
    """Put ids, checksums and weights of a part behind its lists, which the file holds already, and the footer."""
    lists = path.stat().st_size
    described = {"photos": len(part), "dimension": dimension, "lists": lists, "crc32": _checksum(path, 0, lists)}
    with path.open("ab") as file:
        file.write(part.ids.astype("<i8").tobytes() + part.checks.astype("<u4").tobytes())
        file.write(part.weight.astype("<f4").tobytes())
    _seal(path, {**asdict(checkpoint), "votes": described}, lists)


def read_votes(path: Path, dimension: int, map_from: int) -> tuple[VotePart, Checkpoint]:
    """The votes of a file, its lists mapped from so many bytes on, and its state. Raises as `read_footer` does."""
    footer, content = _read_footer(path)
    try:
        described = footer["votes"]
        if described["dimension"] != dimension:
            raise ValueError("it holds signatures of another length")
        n, lists = int(described["photos"]), int(described["lists"])
        with path.open("rb") as file:
            file.seek(lists)
            tail = file.read(content - lists)
        part = VotePart(
            ids=np.frombuffer(tail, "<i8", n).astype(np.int64),
            checks=np.frombuffer(tail, "<u4", n, 8 * n).astype(np.uint32),
            weight=np.frombuffer(tail, "<f4", n, 12 * n).astype(np.float32),
            lists=read_lists(path, mapped=lists >= map_from and os.name != "nt"),  # Windows replaces no mapped file
        )
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    return part, Checkpoint(int(footer["event"]), str(footer["token"]))


def lists_are_whole(path: Path) -> bool:
    """Whether the lists of a file of votes are as they were written. Raises as `read_footer` does."""
    described = _read_footer(path)[0]["votes"]
    return int(described["crc32"]) == _checksum(path, 0, int(described["lists"]))


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
        file.seek(_mapped(dimension, photos))
        reader = _faiss.PyCallbackIOReader(file.read, _CHUNK)
        lists = _faiss.read_index(reader)
        file.seek(content - 8 * photos)
        ids = np.frombuffer(file.read(8 * photos), "<i8").astype(np.int64)
    return CodedPart(ids, Halves(path), lists, _depths(footer), int(footer["learnt_from"]), ladder)


def _depths(footer: Mapping[str, Any]) -> tuple[Depth, ...]:
    return tuple(Depth(**depth) for depth in footer["depths"])


def _mapped(dimension: int, photos: int) -> int:
    """Bytes of the mapped vectors at the beginning of a coded file."""
    return len(header(dimension, photos)) + photos * row_bytes(dimension)


def _append(path: Path, index: Any) -> None:
    with path.open("ab") as file:
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(file.write, _CHUNK))


def _seal(path: Path, footer: Mapping[str, object], mapped: int) -> None:
    footer = {**footer, "mapped": mapped, "crc32": _checksum(path, mapped, path.stat().st_size)}
    content = json.dumps(footer).encode()
    with path.open("ab") as file:
        file.write(content + _TAIL.pack(len(content), _MARK))


def _checksum(path: Path, begin: int, end: int) -> int:
    checksum, left = 0, end - begin
    with path.open("rb") as file:
        file.seek(begin)
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
        mapped = int(footer["mapped"])
        if content < mapped or footer["crc32"] != _checksum(path, mapped, content):
            raise ValueError("its checksum is wrong")
        Checkpoint(int(footer["event"]), str(footer["token"]))
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise _damaged(path, error) from error
    return footer, content


def _damaged(path: Path, error: Exception) -> CatalogDamaged:
    return CatalogDamaged(f"{path} cannot be read ({error}); `turtleidx check` rebuilds it.")
