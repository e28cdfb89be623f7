"""Photographs from disk: open, orient by EXIF, cut to the head box, resize, judge.

The working image is what everything downstream sees: RGB, at most `long_side` pixels on its longer side, never
enlarged. Whatever changes its pixels changes the ids of all extractors.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from index.errors import InputError, NoPhotos, PhotoTooLarge, PhotoUnreadable
from index.naming import checked_path
from index.types import HeadBox, Pixels

MAX_PIXELS = 250_000_000
"""More than any camera makes; a file that claims more is a decompression bomb or a stitched map."""

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".jp2", ".heic", ".heif", ".avif"}
)
"""What counts as a photo in a folder. Formats that this Pillow cannot read are refused by name, not passed over."""

MOVING = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose further pictures are a film; those of others are pages, or previews that cameras add."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPhoto:
    """A photograph as its file holds it.

    Attributes
    ----------
    pixels : uint8 [h, w, 3]
        The working image, RGB.
    sha256 : str
        Hex digest of the file's bytes.
    original_size : (width, height)
        Pixels after EXIF orientation, before the head box was cut.
    taken_on : date or None
        From EXIF.
    """

    pixels: Pixels
    sha256: str
    original_size: tuple[int, int]
    taken_on: dt.date | None


def load_photo(path: Path, long_side: int, box: HeadBox | None = None) -> LoadedPhoto:
    """Read one photograph.

    Parameters
    ----------
    long_side : int
        Longest side of the working image in pixels.
    box : HeadBox or None
        Cut to this part of the EXIF-oriented original first, so that the head has the full working resolution.

    Raises
    ------
    PhotoUnreadable, PhotoTooLarge
    """
    data = read_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoTooLarge(f"{path} claims {image.width} x {image.height} pixels, more than any camera makes.")
            if image.format in MOVING and getattr(image, "is_animated", False):
                raise PhotoUnreadable(f"{path} is a moving picture: save the best moment of it as a photo.")
            taken_on = _exif_date(image)
            full = image.size[::-1] if _is_turned(image) else image.size
            shown = max(full) if box is None else min(max(full), max(box.w, box.h))
            enough = 2 * long_side / max(1.0, shown)  # a JPEG is decoded at an eighth of its size as readily as whole
            image.draft("RGB", (math.ceil(enough * image.width), math.ceil(enough * image.height)))
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _working_pixels(image, long_side, None if box is None else _clip(box, full, path), full)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoTooLarge(f"{path} claims more pixels than any camera makes.") from error
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(f"{path} is not an image in a format that can be read.") from error
    except (OSError, ValueError, SyntaxError, EOFError, Warning) as error:
        raise PhotoUnreadable(f"{path} is damaged or truncated ({error}).") from error
    return LoadedPhoto(pixels, hashlib.sha256(data).hexdigest(), full, taken_on)


def read_bytes(path: Path) -> bytes:
    """The file's bytes; PhotoUnreadable says what is wrong with a file that has none, or whose name is no text."""
    try:
        checked_path(path)
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):  # reading these may never end
            raise PhotoUnreadable(f"{path} is a pipe or a device: save the photo as a file first.")
        data = path.read_bytes()
    except InputError as error:
        raise PhotoUnreadable(str(error)) from error
    except FileNotFoundError as error:
        raise PhotoUnreadable(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise PhotoUnreadable(f"{path} is a folder, not a photo.") from error
    except OSError as error:
        raise PhotoUnreadable(f"{path} cannot be read ({error.strerror}).") from error
    if not data:
        raise PhotoUnreadable(f"{path} is empty.")
    return data


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, as `load_photo` gives it. Raises PhotoUnreadable."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def find_photos(folder: Path) -> Iterator[Path]:
    """Every photo below `folder`, in a stable order, hidden files left out.

    Folders behind links come last, each once, and not again where the walk has been already. A folder that may not be
    looked into stands for its photos, so that whoever reads it is told.

    Raises
    ------
    NoPhotos
    """
    found = False
    for path in _files(folder):
        if path.suffix.lower() in EXTENSIONS or path.is_dir():
            found = True
            yield path
    if not found:
        raise NoPhotos(f"{folder} holds no photo ({', '.join(sorted(EXTENSIONS))}).")


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder, first those that lie there, then those behind links to folders."""
    seen: set[Path] = set()
    linked = deque([folder])
    while linked:
        yield from _lying_in(linked.popleft(), seen, linked)


def _lying_in(folder: Path, seen: set[Path], linked: deque[Path]) -> Iterator[Path]:
    """Files below a folder, one folder's names at a time, so that millions of photos need no memory."""
    if (real := folder.resolve()) in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                (entry.name, entry.is_dir(), entry.is_symlink()) for entry in entries if not entry.name.startswith(".")
            )
    except PermissionError:
        yield folder
        return
    for name, is_folder, is_link in names:
        if is_folder and is_link:
            linked.append(folder / name)
        elif is_folder:
            yield from _lying_in(folder / name, seen, linked)
        elif (folder / name).is_file():
            yield folder / name


def jpeg(pixels: Pixels, quality: int = 80) -> bytes:
    """RGB pixels uint8 [h, w, 3] as JPEG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


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


def check_ending(path: Path) -> None:
    """Raises InputError where a name's ending names no picture format that can be written."""
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise InputError(f"{path} has no ending of a picture format; use .png or .jpg.")


def _working_pixels(
    image: Image.Image, long_side: int, part: tuple[int, int, int, int] | None, full: tuple[int, int]
) -> Pixels:
    """The `part` of an image of size `full` that may have been decoded at a smaller size."""
    if image.mode.startswith("I"):  # 16-bit greys: `convert` would clip them to white
        grey = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((grey * (255.0 / max(float(grey.max()), 1.0))).astype(np.uint8))
    if image.mode != "RGB":
        image = image.convert("RGB")
    left, top, right, bottom = part or (0, 0, *full)
    factor = min(1.0, long_side / max(right - left, bottom - top))
    size = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
    across, down = image.width / full[0], image.height / full[1]
    within = left * across, top * down, right * across, bottom * down
    # as free of aliases as the usual Lanczos, at a third of its cost, which is half of that of reading a photo
    return np.asarray(image.resize(size, Image.Resampling.HAMMING, within, reducing_gap=3.0))


def _clip(box: HeadBox, size: tuple[int, int], path: Path) -> tuple[int, int, int, int]:
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right, bottom = min(size[0], round(box.x + box.w)), min(size[1], round(box.y + box.h))
    if right - left < 2 or bottom - top < 2:
        raise PhotoUnreadable(f"{path} is {size[0]} x {size[1]} pixels, and the head box lies outside it.")
    return left, top, right, bottom


def _is_turned(image: Image.Image) -> bool:
    return image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


def _exif_date(image: Image.Image) -> dt.date | None:
    exif = image.getexif()
    text = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        return dt.datetime.strptime(str(text)[:10], "%Y:%m:%d").date()
    except ValueError:
        return None


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
