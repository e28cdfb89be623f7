"""Pixels in and out: thumbnails, match pictures, and how good a photo is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from index.errors import InputError
from index.types import Pixels

COMMENTED = 1024
"""Comments stand in the first bytes of a file."""


TURN = b"head lies turned, quarters clockwise: "
"""Begins the comment of a JPEG file that says how its picture is to be turned so that the head lies upright."""

MATCH_PICTURE = "turtleidx match picture"
"""What match pictures say that they were made by, uncompressed in all formats that have room for it."""


def jpeg(pixels: Pixels, quality: int = 80, turn: int = 0) -> bytes:
    """RGB pixels uint8 [h, w, 3] as JPEG bytes, which say that `turn` quarters clockwise bring the head upright."""
    buffer = io.BytesIO()
    comment = {"comment": TURN + b"%d" % (turn % 4)} if turn % 4 else {}
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, **comment)
    return buffer.getvalue()


def turn_of(data: bytes) -> int:
    """By how many quarters a JPEG that `jpeg` wrote is to be turned clockwise, 0 to 3; 0 for every other file."""
    begin = data.find(TURN, 0, COMMENTED)
    told = data[begin + len(TURN) : begin + len(TURN) + 1] if begin >= 0 else b""
    return int(told) if told in (b"1", b"2", b"3") else 0


def decode(data: bytes) -> Pixels:
    """Bytes of a thumbnail as RGB pixels uint8 [h, w, 3]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def save(pixels: Pixels, path: Path) -> None:
    """Write RGB pixels uint8 [h, w, 3]; the format follows from the name's ending.

    Raises
    ------
    InputError
        The ending names no picture format.
    """
    check_ending(path)
    Image.fromarray(pixels).save(path)


def save_match_picture(pixels: Pixels, path: Path) -> None:
    """As `save`, and the file says that it is a match picture, in formats that can (JPEG, PNG, TIFF, WebP)."""
    check_ending(path)
    told = Image.Exif()
    told[ExifTags.Base.Software] = MATCH_PICTURE
    Image.fromarray(pixels).save(path, exif=told)


def is_match_picture(path: Path) -> bool:
    """Whether a file says that `save_match_picture` wrote it."""
    return MATCH_PICTURE.encode() in path.read_bytes()


def check_ending(path: Path) -> None:
    """Raises InputError where a name's ending names no picture format that can be written."""
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise InputError(f"{path} has no ending of a picture format; use .png or .jpg.")


def quality(pixels: Pixels, keypoints: int) -> float:
    """How good a photo is for matching, 0 (useless) to 1: mean of contrast, exposure, sharpness and keypoints.

    Parameters
    ----------
    pixels : uint8 [h, w, 3]
    keypoints : int
        Keypoints kept; 256 and more count as plenty.
    """
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    count = np.bincount(grey.ravel(), minlength=256) / grey.size
    level = np.arange(256)
    spread = float(np.sqrt(count @ (level - count @ level) ** 2))
    contrast = min(1.0, spread / 50.0)
    exposure = 1.0 - float(count[:5].sum() + count[251:].sum())
    signed = grey.astype(np.int16)
    steps = float(np.abs(np.diff(signed, axis=0)).mean() + np.abs(np.diff(signed, axis=1)).mean())
    sharpness = min(1.0, steps / (0.25 * spread + 1e-6))
    return float((contrast * exposure * sharpness * min(1.0, keypoints / 256)) ** 0.25)
