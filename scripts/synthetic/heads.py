"""Draws a photograph of an individual: the same head on other days, from other sides, through other water."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from index.types import Float32, Pixels, Side
from synthetic.anatomy import Anatomy, anatomy
from synthetic.noise import fractal_noise, seeded, smoothstep
from synthetic.skin import TEXELS, Skin, paint_skin, weather
from synthetic.surface import View, draw_view, project
from synthetic.underwater import Day, Shot, caustics, draw_day, draw_shot, expose, shade, through_water

PHOTOS_PER_DAY = 2
"""Photographs 0 and 1 of an individual are of one day, 2 and 3 of another, and so on."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A drawn photograph with what it shows where.

    Attributes
    ----------
    pixels : uint8 RGB [h, w, 3]
    texels : float32 [h, w, 2]
        Where on the individual's flat skin each pixel is, in texels; NaN beside the head and behind occluders.
    """

    pixels: Pixels
    texels: Float32


def draw_head(
    individual: int, photograph: int, side: Side = Side.LEFT, size: tuple[int, int] = (480, 384), species: int = 0
) -> Pixels:
    """One photograph of one individual, RGB uint8 [h, w, 3] for `size` (w, h); equal numbers give equal pixels."""
    return draw_photograph(individual, photograph, side, size, species).pixels


def draw_photograph(
    individual: int,
    photograph: int,
    side: Side = Side.LEFT,
    size: tuple[int, int] = (480, 384),
    species: int = 0,
    spread: float = 1.0,
    widest: float | None = None,
) -> Drawing:
    """As `draw_head`, with the map to the skin; `spread` and `widest` are the range of viewpoints, as `draw_view`'s."""
    right = int(side is Side.RIGHT)
    today = photograph // PHOTOS_PER_DAY
    rng_day = seeded(3, species, individual, right, today)
    rng = seeded(4, species, individual, right, photograph)
    day, shot, view = draw_day(rng_day), draw_shot(rng), draw_view(rng, spread, widest)
    skin = weather(paint_skin(species, individual, right), rng_day, years=0.7 * today)
    drawing = expose_head(rng, anatomy(species), skin, view, day, shot, size)
    if right:
        return Drawing(np.ascontiguousarray(drawing.pixels[:, ::-1]), np.ascontiguousarray(drawing.texels[:, ::-1]))
    return drawing


def expose_head(
    rng: np.random.Generator,
    body: Anatomy,
    skin: Skin,
    view: View,
    day: Day,
    shot: Shot,
    size: tuple[int, int],
    around: Float32 | None = None,
) -> Drawing:
    """A photograph of a left side in `size` (w, h); behind it, open water or `around`, linear RGB float32 [h, w, 3]."""
    seen = project(body, view, size)
    x, y = seen.texels[..., 0], seen.texels[..., 1]
    colour = cv2.remap(skin.colour, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    slope = cv2.remap(skin.slope, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    lit = shade(colour, _turned(slope, view.roll), seen.normals, shot)
    lit *= caustics(rng, lit.shape[:2], day.caustics)[..., None]
    behind = _background(rng, size, day.water) if around is None else around
    image = lit * seen.cover[..., None] + behind * (1 - seen.cover[..., None])
    image, clear = _occlude(rng, image, colour)
    pixels = expose(through_water(image, day, shot, rng), day, shot, rng)
    inside = (seen.cover > 0.5) & clear & (x > 0) & (x < TEXELS) & (y > 0) & (y < TEXELS)
    return Drawing(pixels, np.where(inside[..., None], seen.texels, np.float32(np.nan)))


def _turned(slope: Float32, roll: float) -> Float32:
    """Slopes along the skin's axes as slopes along the picture's axes."""
    c, s = np.float32(np.cos(roll)), np.float32(np.sin(roll))
    return np.stack([c * slope[..., 0] - s * slope[..., 1], s * slope[..., 0] + c * slope[..., 1]], -1)


def _background(rng: np.random.Generator, size: tuple[int, int], water: Float32) -> Float32:
    """Open water that darkens downwards, sometimes over sand, sometimes with the carapace behind."""
    w, h = size
    down = np.linspace(1.15, 0.75, h, dtype=np.float32)[:, None, None]
    image: Float32 = np.repeat(water * down * rng.uniform(0.7, 1.3), w, axis=1)
    if rng.random() < 0.3:
        cloud = fractal_noise(rng, (h, w), rng.uniform(4, 20), 5, 0.8)
        sand = np.array([0.55, 0.52, 0.42], dtype=np.float32) * (1 + 0.15 * cloud[..., None])
        level = np.arange(h, dtype=np.float32)[:, None] / h + 0.05 * cloud
        start = rng.uniform(0.2, 1.0)
        image += smoothstep(level, start, start + rng.uniform(0.05, 0.4))[..., None] * (sand * down - image)
    return image


def _occlude(rng: np.random.Generator, image: Float32, colour: Float32) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """A flipper or the carapace reaches in from an edge now and then; also returns where the head stays visible."""
    h, w = image.shape[:2]
    clear = np.ones((h, w), dtype=bool)
    if rng.random() > 0.22:
        return image, clear
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.95)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    along = ((xx / w - 0.5) * np.cos(angle) + (yy / h - 0.5) * np.sin(angle)).astype(np.float32)
    wobble = fractal_noise(rng, (h, w), 3, 2) * np.float32(0.12)
    blade = smoothstep(along + wobble, reach * 0.5, reach * 0.5 + 0.015)
    texture = cv2.warpAffine(
        colour,
        cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(90, 270), 0.6),
        (w, h),
        borderMode=cv2.BORDER_REFLECT,
    )
    image = image + blade[..., None] * (texture * rng.uniform(0.25, 0.8) - image)
    return image, blade < 0.3
