"""What lies and swims about and is no turtle."""

from __future__ import annotations

import numpy as np

from index.types import Float32
from synthetic.noise import fractal_noise, smoothstep
from synthetic.underwater import Day


def strewn(rng: np.random.Generator, image: Float32, day: Day) -> Float32:
    """Rocks, fish, divers and their shadows: what is round or patterned and no turtle."""
    image = image.astype(np.float32)
    h, w = image.shape[:2]
    for _ in range(rng.poisson(1.2)):
        long = float(np.exp(rng.uniform(np.log(0.02), np.log(0.3)))) * w
        x0, y0 = rng.uniform(0, w), rng.uniform(0, h)
        left, top = max(0, int(x0 - 1.5 * long)), max(0, int(y0 - 1.5 * long))
        part = image[top : int(y0 + 1.5 * long) + 2, left : int(x0 + 1.5 * long) + 2]
        part += _stone(rng, part, (x0 - left, y0 - top), long, day)
    return image


def _stone(rng: np.random.Generator, part: Float32, middle: tuple[float, float], long: float, day: Day) -> Float32:
    """What a rough ellipse of half axis `long` changes in its part of the picture."""
    h, w = part.shape[:2]
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    a, short = rng.uniform(0, np.pi), long * rng.uniform(0.25, 1)
    along = ((xx - middle[0]) * np.cos(a) + (yy - middle[1]) * np.sin(a)) / long
    across = (-(xx - middle[0]) * np.sin(a) + (yy - middle[1]) * np.cos(a)) / short
    radius = np.hypot(along, across) + 0.15 * fractal_noise(rng, (h, w), 6, 3)
    inside = 1 - smoothstep(radius.astype(np.float32), 0.97, 1.03)
    rough = fractal_noise(rng, (h, w), rng.uniform(5, 40), 4, 0.8)
    tone = rng.uniform(0.05, 0.8) * rng.uniform(0.7, 1.3, 3).astype(np.float32)
    lit = (0.75 - 0.45 * across) * (1 + rng.uniform(0.1, 0.8) * rough)
    colour = np.clip(tone * lit[..., None], 0.01, 1) * 0.8 + 0.2 * day.water
    change: Float32 = (inside * rng.uniform(0.5, 1))[..., None] * (colour - part)
    return change.astype(np.float32)
