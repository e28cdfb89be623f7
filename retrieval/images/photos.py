"""Photographs from disk: opened, turned upright, in colours as they are seen, cut to the head box, resized.

The working image is what everything downstream sees: RGB, at most `long_side` pixels on its longer side, never
enlarged. Whatever changes its pixels changes the ids of all extractors, or, where it changes those of some files only,
the number of the reader.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from index.errors import PhotoTooLarge, PhotoUnreadable
from index.types import HeadBox, Pixels
from retrieval.images.files import content_digest, read_bytes
from retrieval.images.formats import MAX_PIXELS, Opened, Taken, flattened, in_srgb, open_photo, stretched

READER = 4
"""The present reader. 2: hidden pixels are left out, TIFF files are turned once, colour profiles are converted.
3: pictures of 10, 12 or 14 bits a colour in files of 16 are not dark. 4: JPEG files are decoded whole, up to a size.
"""

DECODED_WHOLE = 1 << 23
"""Pixels of a JPEG up to which it is decoded whole, as its lossless copies are; larger ones at a fraction of their size
where that is enough, which takes a third of the time.
"""

MOVING = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose further pictures are a film; those of others are pages, or previews that cameras add."""

FIRST_READ = "holds {pages} pictures: the first one was read"
"""What is said of a file of several."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # histories and profiles that editors write; a photo is larger than that
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about metadata, which is read elsewhere


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
        Pixels after turning it upright, before the head box was cut.
    content : str or None
        Digest of the file without its metadata.
    taken : Taken
        When, from EXIF.
    reading : int
        The first reader that gave these pixels: 1 for a file that every reader reads alike.
    remarks : tuple of str
        What a person should know about the file, to stand behind its name.
    """

    pixels: Pixels
    sha256: str
    original_size: tuple[int, int]
    content: str | None = None
    taken: Taken = Taken()  # noqa: RUF009
    reading: int = 1
    remarks: tuple[str, ...] = ()

    @property
    def all_remarks(self) -> tuple[str, ...]:
        """The remarks, and why a date in the file was not taken."""
        return self.remarks if self.taken.doubt is None else (*self.remarks, self.taken.doubt)


def load_photo(path: Path, long_side: int, box: HeadBox | None = None, *, sampling: float = 2.0) -> LoadedPhoto:
    """Read one photograph.

    Parameters
    ----------
    long_side : int
        Longest side of the working image in pixels.
    box : HeadBox or None
        Cut to this part of the upright original first, so that the head has the full working resolution.
    sampling : float
        A large JPEG is decoded with so many pixels for one of the working image along each side, at least.

    Raises
    ------
    PhotoUnreadable, PhotoTooLarge
    """
    data = read_bytes(path)
    try:
        opened = open_photo(data, path)
        with opened.image as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoTooLarge(f"{path} claims {image.width} x {image.height} pixels, more than any camera makes.")
            pages = pages_of(image, path)
            full = image.size[::-1] if opened.orientation > 4 else image.size
            shown = max(full) if box is None else min(max(full), max(box.w, box.h))
            enough = sampling * long_side / max(1.0, shown)
            reduced = False
            # JPEG can be decoded at an eighth of its size as readily as whole; HEIC would give its thumbnail
            if image.format in ("JPEG", "MPO"):
                reduced = reducible(image.size, enough)
                if reduced and image.width * image.height > DECODED_WHOLE:
                    image.draft("RGB", (math.ceil(enough * image.width), math.ceil(enough * image.height)))
                    reduced = False
            image.load()
            part = None if box is None else clip(box, full, path)
            bright = stretched(opened.source, image)
            pixels, changed = _working_pixels(image, bright or image, opened, long_side, part, full)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoTooLarge(f"{path} claims more pixels than any camera makes.") from error
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(f"{path} is not an image in a format that can be read.") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, Warning) as error:
        raise PhotoUnreadable(f"{path} is damaged or truncated ({error}).") from error
    turned_twice = image.format == "TIFF" and opened.orientation > 4
    return LoadedPhoto(
        pixels=pixels,
        sha256=hashlib.sha256(data).hexdigest(),
        original_size=full,
        content=content_digest(data),
        taken=opened.taken,
        reading=4 if reduced else 3 if bright is not None else 2 if changed or turned_twice else 1,
        remarks=(FIRST_READ.format(pages=pages),) if pages > 1 else (),
    )


def reducible(size: tuple[int, int], enough: float) -> bool:
    """Whether a JPEG of this size can be decoded at a half or less, where so large a part of its sides is enough."""
    return all(side // math.ceil(enough * side) >= 2 for side in size)


def pages_of(image: Image.Image, path: Path) -> int:
    """How many pictures a file holds. Raises PhotoUnreadable for a film."""
    try:
        pages = int(getattr(image, "n_frames", 1))
    except Exception:  # pages behind the first that cannot even be counted
        return 1
    if pages > 1 and image.format in MOVING:
        raise PhotoUnreadable(f"{path} is a moving picture: save the best moment of it as a photo.")
    if image.tell():
        image.seek(0)
    return pages


def _working_pixels(
    image: Image.Image,
    stored: Image.Image,
    opened: Opened,
    long_side: int,
    part: tuple[int, int, int, int] | None,
    full: tuple[int, int],
) -> tuple[Pixels, bool]:
    """The `part` of a picture of size `full` that may have been decoded smaller, and whether reader 1 saw another.

    Parameters
    ----------
    image, stored : Image
        The file as it was opened, and its pixels, which are the same unless they were stretched.
    """
    profile = image.info.get("icc_profile")
    if opened.orientation in UPRIGHT:
        stored = stored.transpose(UPRIGHT[opened.orientation])
    seen, visible = flattened(stored)
    left, top, right, bottom = part or visible or (0, 0, *full)  # a head that was cut out is its own head box
    factor = min(1.0, long_side / max(right - left, bottom - top))
    size = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
    across, down = seen.width / full[0], seen.height / full[1]
    within = left * across, top * down, right * across, bottom * down
    if seen.mode == "CMYK" and not profile:
        seen = seen.convert("RGB")
    # as free of aliases as the usual Lanczos, at a third of its cost, which is half of that of reading a photo
    small = seen.resize(size, Image.Resampling.HAMMING, within, reducing_gap=3.0)
    shown, converted = in_srgb(small, profile if isinstance(profile, bytes) else None)
    return np.asarray(shown), visible is not None or converted


def clip(box: HeadBox, size: tuple[int, int], path: Path) -> tuple[int, int, int, int]:
    """The part of a picture that a head box covers, in whole pixels. Raises PhotoUnreadable where there is none."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right, bottom = min(size[0], round(box.x + box.w)), min(size[1], round(box.y + box.h))
    if right - left < 2 or bottom - top < 2:
        raise PhotoUnreadable(f"{path} is {size[0]} x {size[1]} pixels, and the head box lies outside it.")
    return left, top, right, bottom
