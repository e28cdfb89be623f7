"""Opening a photo of any format, by its bytes and not its name; metadata never stands in the way of sound pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from index.errors import PhotoUnreadable
from retrieval.images.formats.containers import (
    exif_block,
    is_film,
    is_heif,
    is_raw,
    is_tiff,
    readable_png,
    without_metadata,
)
from retrieval.images.formats.dates import Taken, taken
from retrieval.images.formats.exif import Exif, Stamp, read_exif, upright_tiff, xmp_orientation
from retrieval.images.formats.raw import develop

MAX_PIXELS = 250_000_000
"""More than any camera makes; a file that claims more is a decompression bomb or a stitched map."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A picture as it is stored, and what its file says about it.

    Attributes
    ----------
    orientation : int
        How it has still to be turned: 1 (not at all) to 8, as EXIF counts.
    """

    image: Image.Image
    orientation: int
    taken: Taken


def open_photo(data: bytes, path: Path) -> Opened:
    """Open a file's bytes; pixels are decoded later.

    Raises
    ------
    PhotoUnreadable
        A film, or a raw file that cannot be developed.
    UnidentifiedImageError, OSError, ValueError
        What is damaged, or no picture.
    """
    if is_film(data):
        raise PhotoUnreadable(f"{path} is a film: save the best moment of it as a photo.")
    if is_tiff(data):
        found = read_exif(data)
        if found.raw or is_raw(data, path.suffix):
            return _developed(data, path, found)
        image = Image.open(io.BytesIO(upright_tiff(data)))
        orientation = found.orientation or _by_xmp(image) or 1
        image.info.pop("xmp", None)  # by which the library would turn it as well
        return Opened(image, orientation, taken(found))
    if is_raw(data, path.suffix):
        return _developed(data, path, Exif())
    if is_heif(data):
        _learn_heif()
    try:
        picture, block = _image(readable_png(data))
    except UnidentifiedImageError as error:
        if is_heif(data):
            raise ValueError("its parts do not fit together") from error
        raise
    found = read_exif(block)
    if picture.format in ("HEIF", "TIFF"):  # turned by the library
        return Opened(picture, 1, taken(found))
    return Opened(picture, found.orientation or _by_xmp(picture) or 1, taken(found))


def _developed(data: bytes, path: Path, found: Exif) -> Opened:
    image, moment = develop(data, path)
    if found.original is None and moment is not None:
        found = Exif(original=Stamp(f"{moment:%Y:%m:%d %H:%M:%S}"))
    return Opened(image, 1, taken(found))


def _image(data: bytes) -> tuple[Image.Image, bytes]:
    """The picture and its block of EXIF; where metadata keeps a file from being opened, it is opened without."""
    try:
        image = Image.open(io.BytesIO(data))
    except Exception as error:  # libraries raise of all kinds about metadata
        bare = without_metadata(data)
        if bare == data:
            if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning | OSError | ValueError):
                raise
            raise UnidentifiedImageError(str(error)) from error
        return Image.open(io.BytesIO(bare)), exif_block(data)
    block = image.info.get("exif")
    return image, block if isinstance(block, bytes) else _hex_block(image)


def _hex_block(image: Image.Image) -> bytes:
    """EXIF that older programs wrote into a PNG as text."""
    text = image.info.get("Raw profile type exif")
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _by_xmp(image: Image.Image) -> int | None:
    text = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp")
    return xmp_orientation(text) if isinstance(text, str | bytes) else None


@cache
def _learn_heif() -> None:
    from pillow_heif import register_heif_opener  # loads a library of its own

    register_heif_opener()
