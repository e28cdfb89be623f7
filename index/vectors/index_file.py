"""The file of the vector index: what FAISS wrote, and a footer that names the state of the registry that it holds.

An exact file is one FAISS index. A coded file begins with the vectors at half precision, which are only mapped; the
codes, the photo ids and the footer follow. A file of votes begins with the inverted lists, only mapped where they are
large. Opening verifies all but what may be mapped, which `turtleidx check` compares with the registry. Shares the door
to FAISS with `index.vectors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.types import Checkpoint
from index.vectors.flat import ExactPart
from index.vectors.footer import damaged_file, footer_of, write_footer
from index.vectors.half_precision import HalfPrecisionVectors, header, row_bytes
from index.vectors.ivfpq import CodedPart
from index.vectors.search_params import Depth, SearchParams

_faiss: Any = faiss

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
        write_footer(path, asdict(checkpoint), 0)
        return
    coded = {
        "dimension": part.halves.dimension,
        "photos": len(part),
        "learnt_from": part.learnt_from,
        "depths": [asdict(depth) for depth in part.depths],
    }
    write_footer(path, {**asdict(checkpoint), "coded": coded}, _mapped(part.halves.dimension, len(part)))


def read_footer(path: Path) -> Checkpoint:
    """The state that a saved index holds. Raises CatalogDamaged when the file is not whole, FileNotFoundError."""
    footer, _ = footer_of(path)
    return Checkpoint(int(footer["event"]), str(footer["token"]))


def read_depths(path: Path) -> tuple[Depth, ...]:
    """What was measured when a coded file was made; nothing for an exact one. Raises as `read_footer` does."""
    footer, _ = footer_of(path)
    return _depths(footer["coded"]) if "coded" in footer else ()


def read_part(path: Path, ladder: SearchParams) -> tuple[ExactPart | CodedPart, int, Checkpoint]:
    """The index of a file, the length of its vectors, and its state. Raises as `read_footer` does."""
    footer, content = footer_of(path)
    checkpoint = Checkpoint(int(footer["event"]), str(footer["token"]))
    try:
        part = _read_coded(path, footer["coded"], content, ladder) if "coded" in footer else _read_exact(path)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise damaged_file(path, error) from error
    return part, part.halves.dimension if isinstance(part, CodedPart) else int(part.index.d), checkpoint


def _read_exact(path: Path) -> ExactPart:
    index = _faiss.read_index(str(path))
    if not isinstance(index, _faiss.IndexIDMap2):
        raise ValueError("another kind of index")
    return ExactPart(index.d, index)


def _read_coded(path: Path, footer: Mapping[str, Any], content: int, ladder: SearchParams) -> CodedPart:
    photos, dimension = int(footer["photos"]), int(footer["dimension"])
    with path.open("rb") as file:
        file.seek(_mapped(dimension, photos))
        reader = _faiss.PyCallbackIOReader(file.read, _CHUNK)
        lists = _faiss.read_index(reader)
        file.seek(content - 8 * photos)
        ids = np.frombuffer(file.read(8 * photos), "<i8").astype(np.int64)
    return CodedPart(ids, HalfPrecisionVectors(path), lists, _depths(footer), int(footer["learnt_from"]), ladder)


def _depths(footer: Mapping[str, Any]) -> tuple[Depth, ...]:
    return tuple(Depth(**depth) for depth in footer["depths"])


def _mapped(dimension: int, photos: int) -> int:
    """Bytes of the mapped vectors at the beginning of a coded file."""
    return len(header(dimension, photos)) + photos * row_bytes(dimension)


def _append(path: Path, index: Any) -> None:
    with path.open("ab") as file:
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(file.write, _CHUNK))
