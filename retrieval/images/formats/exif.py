"""What a camera wrote beside the pixels: how it was held and when the picture was taken.

Read entry by entry, because whole directories are given up by libraries for one entry of the wrong type; whatever
cannot be read is left out, and nothing here ever raises.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ORIENTATION, CHANGED, PHOTOMETRIC, DNG_VERSION = 0x0112, 0x0132, 0x0106, 0xC612
ORIGINAL, DIGITIZED = 0x9003, 0x9004
_SUB_SECONDS = {ORIGINAL: 0x9291, DIGITIZED: 0x9292}
_OFFSETS = {ORIGINAL: 0x9011, DIGITIZED: 0x9012}
_EXIF = 0x8769
_OF_PIXELS = frozenset(
    {*range(254, 260), 262, 263, 266, 273, *range(277, 280), 284, 292, 293, 317, *range(320, 326), 330, 332, 334}
    | {*range(338, 348), *range(512, 522), *range(529, 533), 32997, 32998}
)
_BESIDE_PIXELS = frozenset({700, 34675})  # XMP and the colour profile
_PRIVATE = 65000
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4}
_LONGEST = 64
"""Bytes of the longest value that means anything here."""
_MOST_ENTRIES = 4096
_PREFIX = re.compile(rb"(?:Exif\0\0)*")
_XMP = re.compile(r"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])\b""")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment as a camera wrote it: the text itself, fractions of its second, and the offset from UTC, if any."""

    text: str
    fraction: str = ""
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Exif:
    """What was found.

    Attributes
    ----------
    orientation : int
        1 (upright) to 8.
    original, digitized, changed : Stamp or None
        When the picture was taken, when it became digital, and when its file was last changed.
    raw : bool
        The directory is that of a camera's raw file: its first picture is a preview, or no picture at all.
    """

    orientation: int | None = None
    original: Stamp | None = None
    digitized: Stamp | None = None
    changed: Stamp | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a directory: where it stands, its type, the first bytes of its value, and whether all are there."""

    at: int
    tag: int
    kind: int
    value: bytes
    whole: bool


def read_exif(block: bytes) -> Exif:
    """Read a block of EXIF, or a whole TIFF file."""
    match = _PREFIX.match(block)
    start = match.end() if match else 0
    order = _order(block, start)
    if order is None:
        return Exif()
    first = {entry.tag: entry for entry in _entries(block, start, _offset(block, start, order), order)}
    inner: dict[int, _Entry] = {}
    if _EXIF in first and (where := _number(first[_EXIF], order)) is not None:
        inner = {entry.tag: entry for entry in _entries(block, start, where, order)}
    both = first | inner
    orientation = _number(first[ORIENTATION], order) if ORIENTATION in first else None
    photometric = _number(first[PHOTOMETRIC], order) if PHOTOMETRIC in first else None
    return Exif(
        orientation=orientation if orientation in range(1, 9) else None,
        original=_stamp(both, ORIGINAL),
        digitized=_stamp(both, DIGITIZED),
        changed=_stamp(both, CHANGED),
        raw=DNG_VERSION in first or photometric in (32803, 34892),
    )


def upright_tiff(data: bytes) -> bytes:
    """A TIFF file with nothing in its first directory but what its pixels and colours need.

    Those who read TIFF files turn them by themselves, and stumble over directories and texts that are damaged.
    """
    order = _order(data, 0)
    if order is None:
        return data
    changed = bytearray(data)
    for entry in _entries(data, 0, _offset(data, 0, order), order):
        if entry.tag not in _OF_PIXELS and (entry.tag not in _BESIDE_PIXELS or not entry.whole):
            struct.pack_into(f"{order}HHII", changed, entry.at, _PRIVATE, 1, 1, 0)
    return bytes(changed)


def xmp_orientation(text: str | bytes) -> int | None:
    """How the camera was held, as XMP tells it; None where it does not."""
    match = _XMP.search(text if isinstance(text, str) else text.decode("utf-8", "replace"))
    return None if match is None else int(match[1])


def _order(block: bytes, start: int) -> str | None:
    """How numbers are written in a classic TIFF structure, or a camera maker's kind of it; None for others."""
    return {b"II": "<", b"MM": ">"}.get(block[start : start + 2]) if block[start + 2 : start + 4] != b"+\0" else None


def _offset(block: bytes, start: int, order: str) -> int:
    raw = block[start + 4 : start + 8]
    return int(struct.unpack(f"{order}I", raw)[0]) if len(raw) == 4 else 0


def _entries(block: bytes, start: int, offset: int, order: str) -> Iterator[_Entry]:
    at = start + offset
    if at < start or at + 2 > len(block):
        return
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for number in range(min(count, _MOST_ENTRIES)):
        place = at + 2 + 12 * number
        if place + 12 > len(block):
            return
        tag, kind, many = struct.unpack_from(f"{order}HHI", block, place)
        length = _SIZES.get(kind, 0) * many
        where = place + 8
        if length > 4:
            where = start + int(struct.unpack_from(f"{order}I", block, place + 8)[0])
        whole = 0 < length <= len(block) - where
        yield _Entry(place, tag, kind, block[where : where + min(length, _LONGEST)], whole)


def _number(entry: _Entry, order: str) -> int | None:
    """A whole number of any type, also one that was written as text."""
    size = _SIZES.get(entry.kind, 0)
    if entry.kind == 2:
        text = entry.value.split(b"\0")[0].strip()
        return int(text) if text.isdigit() and len(text) < 10 else None
    if not size or len(entry.value) < size:
        return None
    return int.from_bytes(entry.value[:size], "little" if order == "<" else "big")


def _stamp(entries: Mapping[int, _Entry], tag: int) -> Stamp | None:
    text = _text(entries, tag)
    if not text:
        return None
    return Stamp(text, _text(entries, _SUB_SECONDS.get(tag)), _text(entries, _OFFSETS.get(tag)))


def _text(entries: Mapping[int, _Entry], tag: int | None) -> str:
    entry = None if tag is None else entries.get(tag)
    return "" if entry is None else entry.value.split(b"\0")[0].decode("ascii", "replace").strip()
