"""Cameras' raw files, developed whole by LibRaw (the extra `raw`); never the small picture inside them."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

from PIL import Image

from index.errors import PhotoUnreadable


def develop(data: bytes, path: Path) -> tuple[Image.Image, dt.datetime | None]:
    """A raw file's picture, RGB, upright, and the moment that its camera wrote down. Raises PhotoUnreadable."""
    try:
        import rawpy
    except ImportError:
        raise PhotoUnreadable(
            f"{path} is a camera's raw file: install `pip install 'turtleidx[raw]'`, or export it as JPEG or TIFF."
        ) from None
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            pixels = raw.postprocess(use_camera_wb=True)
            moment = raw.other.timestamp
    except (rawpy.LibRawError, ValueError, OSError, OverflowError) as error:
        words = str(error).strip("b'\"")
        raise PhotoUnreadable(
            f"{path} is a raw file that cannot be developed ({words}): export it as JPEG or TIFF."
        ) from error
    return Image.fromarray(pixels), moment if isinstance(moment, dt.datetime) and moment.year > 1970 else None
