"""The footer of an index file: the state of the registry that it holds, and a checksum of all that is not mapped."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.errors import CatalogDamaged
from index.types import Checkpoint

_TAIL = struct.Struct("<I4s")  # length of the footer, mark
_MARK = b"TXVF"
_CHUNK = 1 << 22


def write_footer(path: Path, footer: Mapping[str, object], mapped: int) -> None:
    """Put a footer behind what the file holds, whose first `mapped` bytes are in no checksum."""
    footer = {**footer, "mapped": mapped, "crc32": checksum_of(path, mapped, path.stat().st_size)}
    content = json.dumps(footer).encode()
    with path.open("ab") as file:
        file.write(content + _TAIL.pack(len(content), _MARK))


def checksum_of(path: Path, begin: int, end: int) -> int:
    """CRC-32 of the bytes from `begin` to `end`."""
    checksum, left = 0, end - begin
    with path.open("rb") as file:
        file.seek(begin)
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    return checksum


def footer_of(path: Path) -> tuple[Mapping[str, Any], int]:
    """The footer, and how many bytes stand before it. Raises CatalogDamaged, FileNotFoundError."""
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
        if content < mapped or footer["crc32"] != checksum_of(path, mapped, content):
            raise ValueError("its checksum is wrong")
        Checkpoint(int(footer["event"]), str(footer["token"]))
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise damaged_file(path, error) from error
    return footer, content


def damaged_file(path: Path, error: Exception) -> CatalogDamaged:
    """What to raise about a file that cannot be read."""
    return CatalogDamaged(f"{path} cannot be read ({error}); `turtleidx check` rebuilds it.")
