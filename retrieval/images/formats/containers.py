"""What kind of file a photo's bytes are, whatever its name says, and the same file without its metadata."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

RAW_ENDINGS = frozenset(
    {".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".sr2", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"}
)
"""Names of cameras' raw files."""

_RAW_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"II\x1a\0\0\0HEAPCCDR")
_FILM_BRANDS = frozenset({b"qt  ", b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"M4V ", b"3gp4", b"3gp5", b"MSNV"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tIME"})
_PNG_MOST = 16 << 20


def is_film(data: bytes) -> bool:
    """Whether these are bytes of a film."""
    return (data[4:8] == b"ftyp" and data[8:12] in _FILM_BRANDS) or data[4:8] in (b"moov", b"mdat", b"wide")


def is_heif(data: bytes) -> bool:
    """Whether these are bytes of a HEIC or HEIF picture; AVIF is another kind."""
    if data[4:8] != b"ftyp" or data[8:12] == b"crx ":
        return False
    length = int.from_bytes(data[:4], "big")
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(length, 256), 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & {b"avif", b"avis"}


def is_tiff(data: bytes) -> bool:
    """Whether these are bytes of a TIFF file, or of a raw file that is built like one."""
    return data[:4] in (b"II*\0", b"MM\0*")


def is_raw(data: bytes, ending: str) -> bool:
    """Whether these are bytes of a camera's raw file, by its own marks; its ending tells for those built like TIFF."""
    if data.startswith(_RAW_STARTS) or data[4:12] == b"ftypcrx ":
        return True
    return is_tiff(data) and (data[8:10] == b"CR" or ending.lower() in RAW_ENDINGS)


def without_metadata(data: bytes) -> bytes:
    """The same picture without what was written beside it; other kinds of files as they are."""
    if data.startswith(b"\xff\xd8"):
        return b"".join(_jpeg_parts(data))
    if data.startswith(_PNG_SIGNATURE):
        return b"".join(_png_parts(data, _PNG_METADATA))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        body = b"".join(_webp_parts(data))
        return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body
    return data


def readable_png(data: bytes) -> bytes:
    """A PNG file without the texts and profiles that are too large or damaged; other files as they are."""
    if not data.startswith(_PNG_SIGNATURE):
        return data
    return b"".join(_png_parts(data, frozenset()))


def exif_block(data: bytes) -> bytes:
    """The block of EXIF in a JPEG, PNG or WebP file; empty where there is none."""
    if data.startswith(b"\xff\xd8"):
        found = (part[4:] for part in _jpeg_parts(data, keep=True) if part[1:2] == b"\xe1" and part[4:8] == b"Exif")
    elif data.startswith(_PNG_SIGNATURE):
        found = (part[8:-4] for part in _png_parts(data, frozenset()) if part[4:8] == b"eXIf")
    else:
        found = (part[8:] for part in _webp_parts(data, keep=True) if part[:4] == b"EXIF")
    return next(found, b"")


def _jpeg_parts(data: bytes, *, keep: bool = False) -> Iterator[bytes]:
    """The segments up to the first scan, and then the rest; without metadata unless they shall be kept."""
    yield data[:2]
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xDA or marker in range(0xD0, 0xDA):
            break
        following = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        beside = marker in range(0xE1, 0xEE) or marker in (0xEF, 0xFE)  # 0xEE says how colours are written
        if keep or not beside:
            yield data[at:following]
        at = following
    yield data[at:]


def _png_parts(data: bytes, unwanted: frozenset[bytes]) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        following = at + 12 + length
        part = data[at:following]
        at = following
        if kind not in unwanted and (kind not in _PNG_METADATA or _is_sound(part)):
            yield part


def _is_sound(part: bytes) -> bool:
    """Whether a PNG chunk is whole and its text or profile not too large to be read."""
    if len(part) < 12 or zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
        return False
    kind, body = part[4:8], part[8:-4]
    if kind in (b"tEXt", b"eXIf", b"tIME"):
        return len(body) <= _PNG_MOST
    _, _, rest = body.partition(b"\0")
    packed = rest[1:]
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return len(body) <= _PNG_MOST
        packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        return len(zlib.decompressobj().decompress(packed, _PNG_MOST + 1)) <= _PNG_MOST
    except zlib.error:
        return False


def _webp_parts(data: bytes, *, keep: bool = False) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        following = at + 8 + length + length % 2
        kind = data[at : at + 4]
        if keep or kind not in (b"EXIF", b"XMP ", b"ICCP"):
            yield data[at:following]
        at = following
