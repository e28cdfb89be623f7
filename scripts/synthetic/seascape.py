"""What is around a drawn turtle: open water with light from the surface, sand, reef, sea grass, a beach, a deck."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from index.types import Float32
from synthetic.noise import cells, fractal_noise, single, smoothstep
from synthetic.underwater import Day

Place = Literal["water", "beach", "deck"]


def backdrop(rng: np.random.Generator, size: tuple[int, int], day: Day, place: Place) -> Float32:
    """Linear RGB float32 [h, w, 3] for `size` (width, height)."""
    if place == "deck":
        return _deck(rng, size)
    if place == "beach":
        return _beach(rng, size)
    image = _water(rng, size, day.water)
    horizon = rng.uniform(0.3, 1.1)
    if rng.random() < 0.1:
        horizon = -0.2  # straight down on the ground
    if rng.random() < 0.65 and horizon > 0.2:
        image = _surface(rng, image, rng.uniform(0.05, 0.75) * horizon)
    if horizon < 1:
        ground, height = _ground(rng, size)
        far = smoothstep(height, horizon, horizon + rng.uniform(0.02, 0.5))[..., None]
        dim = rng.uniform(0.45, 1.2) * (day.water.mean() / 0.36)
        image = image + far * (ground * dim * (0.5 + 0.5 * day.water / day.water.mean()) - image)
    if rng.random() < 0.45:
        image = _sun(rng, image, day.water)
    return single(np.clip(image, 0.003, 1.6))


def _water(rng: np.random.Generator, size: tuple[int, int], water: Float32) -> Float32:
    w, h = size
    tilt = rng.normal(0, 0.2)
    level = np.linspace(0, 1, h, dtype=np.float32)[:, None] + tilt * np.linspace(-0.5, 0.5, w, dtype=np.float32)
    bend = rng.uniform(0.5, 2)
    top, bottom = rng.uniform(0.8, 1.9), rng.uniform(0.25, 1.0)
    light = bottom + (top - bottom) * (1 - np.clip(level, 0, 1)) ** bend
    cloud = cv2.resize(fractal_noise(rng, (24, 32), 3, 3), (w, h), interpolation=cv2.INTER_CUBIC)
    result: Float32 = water * (light * (1 + rng.uniform(0, 0.2) * cloud))[..., None]
    return result


def _surface(rng: np.random.Generator, image: Float32, until: float) -> Float32:
    """The water's surface from below: ripples that grow flatter towards the horizon, with bright rims."""
    h, w = image.shape[:2]
    wild = rng.uniform(0.5, 1.6)
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None] / max(until, 0.05)
    near = 1 / (0.12 + np.clip(1 - down, 0, 1))
    across = np.linspace(-1, 1, w, dtype=np.float32)[None, :] * near * 1.6
    field = fractal_noise(rng, (256, 256), 14, 4, 0.65)
    xs = np.mod(across * 40 + 1000, 255).astype(np.float32)
    ys = np.mod(near * 60 + 0 * across, 255).astype(np.float32)
    waves = cv2.remap(field, np.broadcast_to(xs, (h, w)).copy(), np.broadcast_to(ys, (h, w)).copy(), cv2.INTER_LINEAR)
    glint = smoothstep(waves * wild, rng.uniform(-0.1, 0.5), 0.9)
    veil = (1 - smoothstep(down * np.ones((1, w), np.float32), 0.55, 1.0))[..., None]
    bright = np.array([0.9, 1.0, 1.0], np.float32) * rng.uniform(0.5, 1.6)
    ripple = image * (1 + 0.35 * waves[..., None]) + glint[..., None] * (bright - image) * rng.uniform(0.3, 0.9)
    result: Float32 = image + veil * (ripple - image)
    return result


def _sun(rng: np.random.Generator, image: Float32, water: Float32) -> Float32:
    """Light from behind, with rays."""
    h, w = image.shape[:2]
    x0, y0 = rng.uniform(0, w), rng.uniform(-0.4, 0.3) * h
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    away = np.hypot(xx - x0, yy - y0) / w
    angle = np.arctan2(yy - y0, xx - x0)
    beams = np.interp(angle, np.linspace(-np.pi, np.pi, 160), rng.normal(0, 1, 160)).astype(np.float32)
    glow = np.exp(-away / rng.uniform(0.08, 0.35)) * (1 + rng.uniform(0, 0.35) * beams)
    colour = 0.5 * water / water.max() + 0.5
    result: Float32 = image + np.clip(glow * rng.uniform(0.4, 2.2), 0, None)[..., None] * colour
    return result


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Float32, Float32]:
    """The sea floor drawn everywhere, and how far down the picture each pixel lies, with a wavy horizon."""
    w, h = size
    rough = fractal_noise(rng, (h, w), rng.uniform(2, 12), 5, rng.uniform(0.5, 0.85))
    height = np.linspace(0, 1, h, dtype=np.float32)[:, None] + rng.normal(0, 0.12) * np.linspace(
        -0.5, 0.5, w, dtype=np.float32
    )
    height = height + rng.uniform(0, 0.08) * rough
    kind = rng.random()
    sand = np.array([0.62, 0.57, 0.45], np.float32) * rng.uniform(0.5, 1.3)
    if kind < 0.6:
        image = sand * (1 + rng.uniform(0.05, 0.3) * rough[..., None])
        if rng.random() < 0.5:
            image = image * (1 + rng.uniform(0.1, 0.5) * _ripples(rng, size))[..., None]
    elif kind < 0.82:
        image = _reef(rng, size, sand)
    else:
        image = _grass(rng, size, sand, rough)
    if rng.random() < 0.5:
        image = image * (1 + rng.uniform(0.2, 1.6) * _net(rng, size, height))[..., None]
    if rng.random() < 0.4:
        patch = smoothstep(fractal_noise(rng, (h, w), 3, 3), 0.2, 0.5)
        image = image * (1 - rng.uniform(0.2, 0.8) * patch[..., None])
    return single(image), single(height)


def _receding(size: tuple[int, int]) -> tuple[Float32, Float32]:
    """Coordinates on a floor seen aslant: x and y float32 [h, w], finer towards the top."""
    w, h = size
    near = 1 / (0.15 + np.linspace(0, 1, h, dtype=np.float32)[:, None])
    across = np.linspace(-1, 1, w, dtype=np.float32)[None, :] * near
    return single(across), single(np.broadcast_to(near, (h, w)))


def _ripples(rng: np.random.Generator, size: tuple[int, int]) -> Float32:
    """Sand that waves have ribbed."""
    x, y = _receding(size)
    a = rng.uniform(0, np.pi)
    warp = fractal_noise(rng, size[::-1], 5, 3)
    phase = (x * np.cos(a) + y * np.sin(a)) * rng.uniform(8, 30) + rng.uniform(1, 4) * warp
    return single(np.sin(phase))


def _net(rng: np.random.Generator, size: tuple[int, int], height: Float32) -> Float32:
    """Caustics on the floor: bright rims around cells that grow towards the viewer."""
    x, y = _receding(size)
    field = fractal_noise(rng, (320, 320), rng.uniform(8, 18), 2, 0.5)
    xs, ys = np.mod(x * 45 + 1600, 319).astype(np.float32), np.mod(y * 45 + 1600, 319).astype(np.float32)
    lines = np.exp(-np.abs(cv2.remap(field, xs, ys, cv2.INTER_LINEAR)) / rng.uniform(0.04, 0.14))
    return single(lines * np.clip(height + 0.3, 0, 1))


def _reef(rng: np.random.Generator, size: tuple[int, int], sand: Float32) -> Float32:
    """Lumps of rock and coral with their own colours, lit from above."""
    w, h = size
    points = rng.uniform(0, 1, (int(rng.integers(20, 200)), 2)) * (w, h)
    yy, xx = np.mgrid[0:h:2, 0:w:2].astype(np.float32)
    warp = [14 * fractal_noise(rng, xx.shape, 12, 3) for _ in range(2)]
    stones = cells(points, xx + warp[0], yy + warp[1])
    tones = sand * rng.uniform(0.15, 1.1, (len(points), 1)) * rng.uniform(0.7, 1.3, (len(points), 3))
    border = stones.border / (stones.second + 1)
    lump = tones[stones.owner] * (0.35 + 0.8 * np.clip(border * 2, 0, 1))[..., None]
    fine = fractal_noise(rng, xx.shape, 60, 3, 0.9)
    lump = lump * (1 + 0.35 * fine[..., None])
    return single(cv2.resize(single(lump), (w, h)))


def _grass(rng: np.random.Generator, size: tuple[int, int], sand: Float32, rough: Float32) -> Float32:
    """A meadow: dark blades that stand upright."""
    w, h = size
    blades = cv2.GaussianBlur(
        rng.standard_normal((h, w), dtype=np.float32), (0, 0), sigmaX=1.2, sigmaY=float(rng.uniform(4, 12))
    )
    green = np.array([0.16, 0.20, 0.09], np.float32) * rng.uniform(0.4, 1.4)
    meadow = green * (1 + 2.2 * blades)[..., None]
    thick = smoothstep(rough, rng.uniform(-1, 0.2), 0.5)[..., None]
    result: Float32 = (sand * (1 + 0.2 * rough[..., None])) * (1 - thick) + meadow * thick
    return result


def _beach(rng: np.random.Generator, size: tuple[int, int]) -> Float32:
    """Sand in daylight, sometimes with sea and sky above."""
    w, h = size
    rough = fractal_noise(rng, (h, w), rng.uniform(5, 30), 5, 0.85)
    tracks = _ripples(rng, size) * rng.uniform(0, 0.3)
    sand = np.array([0.78, 0.68, 0.50], np.float32) * rng.uniform(0.4, 1.2)
    image = sand * (1 + rng.uniform(0.1, 0.35) * rough + tracks)[..., None]
    if rng.random() < 0.4:
        level = np.linspace(0, 1, h, dtype=np.float32)[:, None] * np.ones((1, w), np.float32)
        sky = np.array([0.55, 0.72, 0.95], np.float32) * rng.uniform(0.4, 1.3)
        line = rng.uniform(0.05, 0.4)
        image = image + (1 - smoothstep(level + 0.01 * rough, line, line + 0.02))[..., None] * (sky - image)
    return single(np.clip(image, 0.01, 1.4))


def _deck(rng: np.random.Generator, size: tuple[int, int]) -> Float32:
    """Planks, a painted floor or a tarpaulin, with a thing or two lying about."""
    w, h = size
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32) / w
    a, plank = rng.uniform(0, np.pi), rng.uniform(0.05, 0.25)
    across = (xx * np.cos(a) + yy * np.sin(a)) / plank
    tone = rng.normal(0, 0.15, 200)[np.floor(across).astype(int) % 200].astype(np.float32)
    gap = np.exp(-((np.mod(across, 1) - 0.5) ** 2) / 0.0008)
    base = rng.uniform(0.1, 0.85, 3).astype(np.float32)
    base = base.mean() + rng.uniform(0.1, 0.8) * (base - base.mean())
    grain = fractal_noise(rng, (h, w), 12, 5, 0.8)
    image = base * (1 + rng.uniform(0, 1) * tone + 0.15 * grain - rng.uniform(0, 0.7) * gap)[..., None]
    for _ in range(rng.poisson(3)):
        colour = [float(c) for c in rng.uniform(0.02, 0.95, 3)]
        corner = rng.uniform(-0.1, 1.1, 2) * (w, h)
        box = cv2.boxPoints((tuple(corner), tuple(rng.uniform(0.05, 0.5, 2) * w), float(rng.uniform(0, 180))))
        image = np.ascontiguousarray(image, np.float32)
        cv2.fillPoly(image, [box.astype(np.int32)], colour, cv2.LINE_AA)
    return single(np.clip(image, 0.01, 1.3))
