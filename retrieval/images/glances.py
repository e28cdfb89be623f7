"""A photo's size and date without its pixels, for a thousand files in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from index.errors import PhotoTooLarge, PhotoUnreadable
from index.types import HeadBox, Sighting
from retrieval.images.files import read_bytes
from retrieval.images.formats import MAX_PIXELS, Taken, open_photo
from retrieval.images.photos import FIRST_READ, clip, pages_of


@dataclass(frozen=True, slots=True)
class Glance:
    """What a file's header tells.

    Attributes
    ----------
    size : (width, height)
        Of the upright original.
    """

    size: tuple[int, int]
    taken: Taken
    remarks: tuple[str, ...]

    def dated(self, seen: Sighting) -> tuple[Sighting, tuple[str, ...]]:
        """What is known with the file's date, where nobody gave one, and what should be said."""
        if seen.taken_on is not None or seen.remarks:
            return seen, (*seen.remarks, *self.remarks)
        doubt = () if self.taken.doubt is None else (self.taken.doubt,)
        return replace(seen, taken_on=self.taken.day), (*self.remarks, *doubt)


def glance(path: Path, box: HeadBox | None = None) -> Glance:
    """Look at a file's header; what is wrong with the pixels themselves is not seen.

    Raises
    ------
    PhotoUnreadable, PhotoTooLarge
    """
    try:
        opened = open_photo(read_bytes(path), path)
        with opened.image as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoTooLarge(f"{path} claims {image.width} x {image.height} pixels, more than any camera makes.")
            pages = pages_of(image, path)
            size = image.size[::-1] if opened.orientation > 4 else image.size
            if box is not None:
                clip(box, size, path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoTooLarge(f"{path} claims more pixels than any camera makes.") from error
    except UnidentifiedImageError as error:
        raise PhotoUnreadable(f"{path} is not an image in a format that can be read.") from error
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, Warning) as error:
        raise PhotoUnreadable(f"{path} is damaged or truncated ({error}).") from error
    return Glance(size, opened.taken, (FIRST_READ.format(pages=pages),) if pages > 1 else ())
