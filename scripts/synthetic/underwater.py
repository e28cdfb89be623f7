"""Water, light and camera: what a day and a photograph do to the colours of a head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from index.types import Float32, Pixels
from synthetic.noise import fractal_noise, smoothstep


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What photographs of one day share: the water, how clear it is, how the sun plays on it."""

    water: Float32
    haze: float
    absorption: Float32
    caustics: float
    contrast: float
    snow: float


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What is one photograph's own.

    Attributes
    ----------
    light : float32 [3]
        Unit direction to the light in camera coordinates.
    """

    light: Float32
    ambient: float
    relief: float
    gloss: float
    exposure: float
    blur: float
    noise: float
    quality: int
    haze: float
    shadow: float
    fade: float


def draw_day(rng: np.random.Generator) -> Day:
    """Clear blue to murky green."""
    green = rng.random()
    water = np.array([0.10 + 0.25 * green * rng.random(), 0.38 + 0.2 * green, 0.62 - 0.22 * green])
    murky = rng.random() < 0.3
    return Day(
        water=(water * rng.uniform(0.5, 1.25)).astype(np.float32),
        haze=float(rng.uniform(0.3, 0.62) if murky else rng.beta(1.3, 5) * 0.6),
        absorption=np.array([rng.uniform(0.55, 1.1), rng.uniform(0.88, 1.02), rng.uniform(0.75, 1.05)], np.float32),
        caustics=float(max(0, rng.normal(0.05, 0.35))),
        contrast=float(rng.uniform(0.95, 1.55)),
        snow=float(rng.exponential(12) if rng.random() < 0.4 else 0),
    )


def draw_shot(rng: np.random.Generator) -> Shot:
    """Light from above, mostly, and a camera that is seldom at its best."""
    flash = rng.random() < 0.25
    light = np.array([rng.normal(0, 0.55), rng.normal(-0.3 if flash else -0.9, 0.3), rng.uniform(0.5, 1.2)])
    dark = rng.random() < 0.2
    return Shot(
        light=(light / np.linalg.norm(light)).astype(np.float32),
        ambient=float(rng.uniform(0.25, 0.65)),
        relief=float(rng.uniform(0.5, 2.2)),
        gloss=float(rng.exponential(0.10)),
        exposure=float(rng.uniform(0.25, 0.6) if dark else rng.uniform(0.7, 1.35)),
        blur=float(abs(rng.normal(0, 0.5))),
        noise=float(rng.exponential(0.012)),
        quality=int(rng.integers(55, 96)),
        haze=float(rng.uniform(0.7, 1.3)),
        shadow=float(rng.uniform(0.3, 0.75) if rng.random() < 0.3 else 0),
        fade=float(rng.uniform(0, 0.3)),
    )


def shade(colour: Float32, slope: Float32, normals: Float32, shot: Shot) -> Float32:
    """Light on skin: RGB albedo [h, w, 3], relief slopes [h, w, 2] along the picture's axes, smooth normals."""
    diffuse = normals @ shot.light
    tilt = slope[..., 0] * shot.light[0] + slope[..., 1] * shot.light[1]
    bright = shot.ambient + (1.25 - shot.ambient) * np.clip(diffuse - shot.relief * tilt, 0, 1.6)
    half = shot.light + np.array([0, 0, 1], dtype=np.float32)
    half /= np.linalg.norm(half)
    gloss = shot.gloss * np.clip(normals @ half - 1.2 * tilt, 0, 1) ** 24
    result: Float32 = colour * bright[..., None] + gloss[..., None]
    return result


def caustics(rng: np.random.Generator, size: tuple[int, int], strength: float) -> Float32:
    """The net of light under waves: a factor around 1, float32 [h, w]."""
    h, w = size
    small = (max(2, h // 2), max(2, w // 2))
    ripples = fractal_noise(rng, small, rng.uniform(3, 9), 2, 0.5), fractal_noise(rng, small, rng.uniform(5, 12), 2)
    net = np.exp(-np.abs(ripples[0]) / 0.10) + 0.6 * np.exp(-np.abs(ripples[1]) / 0.08)
    factor: Float32 = cv2.resize((1 + strength * (net - 0.4)).astype(np.float32), (w, h))
    return factor


def through_water(image: Float32, day: Day, shot: Shot, rng: np.random.Generator) -> Float32:
    """Haze that grows and shrinks over the picture, the colour that water takes, drifting particles."""
    h, w = image.shape[:2]
    uneven = cv2.resize(fractal_noise(rng, (max(2, h // 8), max(2, w // 8)), 3, 2), (w, h))
    veil = np.clip(day.haze * shot.haze * (1 + 0.35 * uneven), 0, 0.85)[..., None]
    image = image * day.absorption * (1 - veil) + day.water * veil * 1.1
    for _ in range(rng.poisson(day.snow)):
        spot = (int(rng.integers(w)), int(rng.integers(h)))
        tint = [float(c) for c in np.clip(day.water + rng.uniform(0.1, 0.4), 0, 1)]
        cv2.circle(image, spot, int(rng.integers(1, 3)), tint, -1, cv2.LINE_AA)
    return image


def expose(image: Float32, day: Day, shot: Shot, rng: np.random.Generator) -> Pixels:
    """Shadow, exposure, contrast, blur, noise, JPEG: linear RGB float32 [h, w, 3] to uint8."""
    h, w = image.shape[:2]
    if shot.shadow:
        edge = cv2.resize(fractal_noise(rng, (16, 16), 2, 2), (w, h), interpolation=cv2.INTER_CUBIC)
        image = image * (1 - shot.shadow * smoothstep(edge, -0.10, 0.10 + shot.fade))[..., None]
    image = np.clip(image * shot.exposure, 0, 1) ** (1 / 1.6)
    image = np.clip((image - 0.5) * day.contrast + 0.5, 0, 1)
    if shot.blur > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), shot.blur * max(h, w) / 480)
    image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(shot.noise)
    bgr = np.ascontiguousarray((np.clip(image, 0, 1) * 255).astype(np.uint8)[..., ::-1])
    _, packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, shot.quality])
    decoded: Pixels = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])
