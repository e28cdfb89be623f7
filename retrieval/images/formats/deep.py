"""Colours of more than eight bits, of which a camera used fewer than the file has room for.

Pillow keeps the upper eight of sixteen bits, so that a picture of 10, 12 or 14 bits would be nearly black.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

DEPTHS = (8, 10, 12, 14)
"""Bits of colour that cameras and scanners give, when they do not give sixteen."""

_BITS, _BRIGHTEST = 258, 281
"""Numbers of the TIFF fields BitsPerSample and MaxSampleValue."""


def stretched(data: bytes, image: Image.Image) -> Image.Image | None:
    """A picture of sixteen bits a colour with the brightest colour that it can hold as white, RGB of eight bits.

    None where the sixteen bits are used, or there are not so many.

    Parameters
    ----------
    data : bytes
        The file that `image` was opened from.
    """
    if not _has_room(data, image):
        return None
    numbers = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if numbers is None or numbers.dtype != np.uint16 or numbers.ndim != 3 or numbers.shape[2] != 3:
        return None
    white = _white(int(numbers.max()), _declared(data, image))
    return None if white is None else _eight_bits(numbers, white)


def _has_room(data: bytes, image: Image.Image) -> bool:
    if image.format == "TIFF":
        return tuple(getattr(image, "tag_v2", {}).get(_BITS, ())) == (16, 16, 16)
    return image.format == "PNG" and data[24:26] == b"\x10\x02"  # depth and kind of colour, in the first chunk


def _declared(data: bytes, image: Image.Image) -> int | None:
    """The brightest value that the file says it can hold."""
    if image.format == "TIFF":
        said = getattr(image, "tag_v2", {}).get(_BRIGHTEST)
        return max(said) if isinstance(said, tuple) else said
    at = data.find(b"sBIT", 0, data.find(b"IDAT"))
    return None if at < 0 else 2 ** max(data[at + 4 : at + 7]) - 1


def _white(brightest: int, declared: int | None) -> int | None:
    if not brightest:
        return None
    if declared is not None and brightest <= declared:
        return declared if declared < 2 ** max(DEPTHS) else None
    return next((2**bits - 1 for bits in DEPTHS if brightest < 2**bits), None)


def _eight_bits(numbers: npt.NDArray[np.uint16], white: int) -> Image.Image:
    """From BGR."""
    return Image.fromarray(np.round(numbers[..., ::-1] * (255.0 / white)).astype(np.uint8))
