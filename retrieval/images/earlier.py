"""What earlier readers of files made of a photo, told from the file's header alone where that is enough."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from index.errors import PhotoRefused
from index.types import HeadBox
from retrieval.images.files import file_digests
from retrieval.images.formats import Exif, Taken, changed_on, read_exif, taken
from retrieval.images.photos import DECODED_WHOLE, load_photo

_PLAIN_MODES = frozenset({"L", "RGB", "1", "P", "CMYK", "YCbCr", "I", "I;16", "I;16B", "I;16L"})


@dataclass(frozen=True, slots=True)
class EarlierReading:
    """How a file is read now.

    Attributes
    ----------
    reading : int
        The first reader that gave the present pixels.
    taken : Taken
        When the photo was taken.
    changed_on : date or None
        The day of the file's last change, which reader 1 took for the date where it found no other.
    content : str or None
        Digest of the file without its metadata.
    """

    reading: int
    taken: Taken
    changed_on: dt.date | None
    content: str | None


def earlier_reading(path: Path, box: HeadBox | None, long_side: int) -> EarlierReading | None:
    """Look at a file again; None where it cannot be looked at. Pixels are decoded only where readers may differ.

    Parameters
    ----------
    long_side : int
        Of the catalogue's working images, in pixels.
    """
    try:
        with Image.open(path) as image:
            exif = _exif(image, path)
            differs = (
                image.mode not in _PLAIN_MODES
                or "transparency" in image.info
                or bool(image.info.get("icc_profile"))
                or image.format == "TIFF"
                or (image.format == "PNG" and image.mode == "RGB")
                or (image.format in ("JPEG", "MPO") and image.width * image.height <= DECODED_WHOLE)
            )
        content = file_digests(path).content
        reading = load_photo(path, long_side, box).reading if differs else 1
    except (OSError, ValueError, SyntaxError, RuntimeError, Warning, PhotoRefused, MemoryError):
        return None
    return EarlierReading(reading, taken(exif), changed_on(exif), content)


def _exif(image: Image.Image, path: Path) -> Exif:
    if image.format == "TIFF":
        return read_exif(path.read_bytes())
    block = image.info.get("exif")
    return read_exif(block) if isinstance(block, bytes) else Exif()
