"""From whatever a file holds to the colours that people see: sRGB, nothing behind what is transparent."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Part = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""

GROUND = 128
"""The grey behind what is transparent."""

INVISIBLE = 3
"""A colour profile that moves no colour by more than this many of 255 steps is sRGB by another name."""

_WITH_ALPHA = {"RGBA": "RGB", "RGBa": "RGB", "LA": "L", "La": "L", "PA": "RGB"}


def flattened(image: Image.Image) -> tuple[Image.Image, Part | None]:
    """The picture as it is seen, in mode L, RGB or CMYK, and the part of it that is not hidden; None for all of it.

    Greys of more than 8 bits are stretched, so that the brightest is white; floating numbers are as well.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(np.asarray(image, dtype=np.float64)), None
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        whole = image.convert("RGBA")
        alpha = whole.getchannel("A")
        if alpha.getextrema() == (255, 255):
            return whole.convert("RGB"), None
        ground = Image.new("RGB", whole.size, (GROUND,) * 3)
        ground.paste(whole.convert("RGB"), mask=alpha)
        return ground, alpha.getbbox() or (0, 0, *whole.size)
    if image.mode == "LAB":
        seen = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return (image.convert("L") if seen is None else seen), None
    return (image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")), None


def in_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bool]:
    """A picture of mode L, RGB or CMYK as RGB, and whether its colour profile made a difference."""
    transform = _transform(profile, image.mode) if profile else None
    if transform is None:
        return image.convert("RGB"), False
    seen = ImageCms.applyTransform(image, transform)
    return (image.convert("RGB"), False) if seen is None else (seen, True)


def _eight_bits(numbers: npt.NDArray[np.float64]) -> Image.Image:
    finite = np.where(np.isfinite(numbers), numbers, 0.0)
    finite -= min(float(finite.min()), 0.0)
    return Image.fromarray((finite * (255.0 / _white(float(finite.max())))).astype(np.uint8))


def _white(brightest: float) -> float:
    """What is shown as white; nothing is divided by zero."""
    return brightest if brightest > 0.0 else 1.0


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB; None for sRGB itself, and for what is no profile of this mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        found = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        steps = np.linspace(0, 255, 6).astype(np.uint8)
        bands = 4 if mode == "CMYK" else len(mode)
        grid = np.stack(np.meshgrid(*[steps] * bands), axis=-1)
        patches = Image.frombytes(mode, (grid.size // bands, 1), grid.tobytes())
        seen = ImageCms.applyTransform(patches, found)
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
    if seen is None:
        return None
    moved = np.abs(np.asarray(seen, np.int16) - np.asarray(patches.convert("RGB"), np.int16)).max()
    return found if mode == "CMYK" or moved > INVISIBLE else None
