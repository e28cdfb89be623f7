"""The skin of one side of one individual, drawn flat: colour and relief."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.spatial import cKDTree

from index.types import Float32
from synthetic.anatomy import EXTENT, Anatomy, anatomy
from synthetic.noise import fractal_noise, seeded, smoothstep

TEXELS = 576


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """Flat skin, TEXELS x TEXELS over the plane of `synthetic.anatomy`.

    Attributes
    ----------
    colour : float32 [TEXELS, TEXELS, 3]
        Albedo, RGB 0..1.
    slope : float32 [TEXELS, TEXELS, 2]
        Derivatives of the relief along u and v.
    """

    colour: Float32
    slope: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Seams:
    """For every texel: distance to the nearest seam in parts of the scute's spacing, and which scute it is."""

    distance: Float32
    scute: np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@lru_cache(maxsize=64)
def paint_skin(species: int, individual: int, side: int) -> Skin:
    """The skin as it was on the first day; the same numbers always give the same one."""
    body = anatomy(species)
    rng = seeded(2, species, individual, side)
    u, v = plane()
    seams, tones = _seams(body, rng)
    grain = fractal_noise(rng, (TEXELS, TEXELS), 60, 4, 0.9) * np.float32(body.grain)
    colour = _scute_colour(body, rng, seams, tones, v)
    relief = 0.010 * body.seam * _ridge(seams.distance, 0.02 + 0.055 * body.seam) + 0.004 * grain
    for part in (_neck, _beak, _mouth, _eye):
        colour, relief = part(body, rng, u, v, colour, relief)
    colour *= 1 + 0.14 * grain[..., None]
    colour = _scars(rng, np.clip(colour, 0.02, 1), 5)
    scale = TEXELS / (2 * EXTENT)
    slope = np.stack([cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)], -1) * (scale / 8)
    return Skin(colour.astype(np.float32), slope.astype(np.float32))


def plane() -> tuple[Float32, Float32]:
    """Coordinates u and v of every texel, float32 [TEXELS, TEXELS]."""
    axis: Float32 = ((np.arange(TEXELS) + 0.5) / TEXELS * 2 - 1).astype(np.float32) * np.float32(EXTENT)
    u = np.tile(axis, (TEXELS, 1))
    return u, np.ascontiguousarray(u.T)


def weather(skin: Skin, rng: np.random.Generator, years: float) -> Skin:
    """The same skin `years` later: other scratches and barnacles, some algae, blotches a little changed."""
    colour = _scars(rng, skin.colour.copy(), rng.poisson(3 + 2 * years))
    patchy = fractal_noise(rng, (TEXELS // 4, TEXELS // 4), 9, 3)
    patchy = cv2.resize(patchy, (TEXELS, TEXELS), interpolation=cv2.INTER_LINEAR)
    colour *= (1 + min(0.28, 0.05 + 0.05 * years) * patchy)[..., None]
    if rng.random() < 0.35:
        film = fractal_noise(rng, (TEXELS // 4, TEXELS // 4), 5, 4)
        amount = cv2.resize(smoothstep(film, 0.1, 0.9), (TEXELS, TEXELS)) * rng.uniform(0.2, 0.7)
        algae = np.array([0.42, 0.44, 0.26], dtype=np.float32) * rng.uniform(0.6, 1.4)
        colour += amount[..., None] * (algae - colour)
    return Skin(np.clip(colour, 0.01, 1), skin.slope)


def _seams(body: Anatomy, rng: np.random.Generator) -> tuple[Seams, Float32]:
    """The individual's own polygons: moved, lost and split scutes, wavy borders."""
    kept = rng.random(len(body.scutes)) > 0.10
    centres = body.scutes + rng.normal(0, 1, body.scutes.shape) * (body.individuality * body.spacing)[:, None] * 0.6
    twins = centres + rng.normal(0, 0.4, centres.shape) * body.spacing[:, None]
    split = rng.random(len(centres)) < 0.10
    points = np.concatenate([centres[kept], twins[split]]).astype(np.float32)
    spacing = np.concatenate([body.spacing[kept], body.spacing[split]])
    half = TEXELS // 2
    u, v = (cv2.resize(field, (half, half), interpolation=cv2.INTER_AREA) for field in plane())
    wave = [fractal_noise(rng, (half, half), 12, 3) * np.float32(0.018) for _ in range(2)]
    where = np.stack([u + wave[0], v + wave[1]], -1).reshape(-1, 2)
    points = _rounded(points, where)
    found = cKDTree(points).query(where, k=2)
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    apart = np.linalg.norm(points[nearest[:, 0]] - points[nearest[:, 1]], axis=1)
    border = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart + 1e-6) / spacing[nearest[:, 0]]
    full = cv2.resize(border.reshape(half, half).astype(np.float32), (TEXELS, TEXELS), interpolation=cv2.INTER_CUBIC)
    scute = nearest[:, 0].reshape(half, half).repeat(2, axis=0).repeat(2, axis=1)
    return Seams(np.abs(full), scute), rng.normal(0, 1, (len(points), 3)).astype(np.float32)


def _rounded(points: Float32, where: Float32) -> Float32:
    """Centres moved to the middle of their polygons (Lloyd's algorithm, one step), which then have fewer spikes."""
    owner = np.asarray(cKDTree(points).query(where[::5])[1])
    owned = np.bincount(owner, minlength=len(points))
    sums = np.stack([np.bincount(owner, where[::5, axis], len(points)) for axis in range(2)], -1)
    middle = sums / np.maximum(owned, 1)[:, None]
    return np.where(owned[:, None] > 0, middle, points).astype(np.float32)


def _ridge(distance: Float32, width: float) -> Float32:
    result: Float32 = np.exp(-((distance / np.float32(width)) ** 2))
    return result


def _scute_colour(body: Anatomy, rng: np.random.Generator, seams: Seams, tones: Float32, v: Float32) -> Float32:
    """Pale broad seams with a bright line, warm scutes, dark blotchy centres that differ from scute to scute."""
    size = (TEXELS, TEXELS)
    tone = cv2.GaussianBlur(tones[seams.scute], (0, 0), 2)
    cloud, mottle = fractal_noise(rng, size, 16, 4, 0.65), fractal_noise(rng, size, 60, 3, 0.7)
    low = smoothstep(v, 0.15, 0.7)
    inside = smoothstep(seams.distance + 0.05 * cloud, 0.05 * body.seam, 0.02 + 0.21 * body.seam)
    paleness = np.clip(1 - inside + 0.45 * low * (cloud + 0.4), 0, 1)
    centre = seams.distance * 2.4 + 0.34 * cloud + 0.12 * mottle + 0.16 * tone[..., 0] - 0.25
    blotch = smoothstep(centre, 0.62 - body.blotches * 0.6, 1.12 - body.blotches * 0.6)
    warm = body.warm * (1 + 0.16 * tone[..., 1:2] + 0.15 * cloud[..., None])
    colour = warm + paleness[..., None] * (body.pale - warm)
    colour += (blotch * (0.90 - 0.25 * low))[..., None] * (body.dark - colour)
    line = _ridge(seams.distance, 0.03) * (0.35 + 0.35 * smoothstep(cloud, -0.6, 0.4))
    colour += line[..., None] * (np.minimum(body.pale * 1.15, 1) - colour)
    crown = smoothstep(-v + 0.15 * cloud, 0.25, 0.75) * body.crown
    result: Float32 = colour * (1 - 0.75 * crown[..., None])
    return result


def _neck(
    body: Anatomy, rng: np.random.Generator, u: Float32, v: Float32, colour: Float32, relief: Float32
) -> tuple[Float32, Float32]:
    """Pale skin in wrinkles and small scales behind the cheek."""
    size = (TEXELS, TEXELS)
    bend = fractal_noise(rng, size, 8, 3) * np.float32(0.25)
    behind = smoothstep(u + 0.3 * bend - 0.15 * v, body.neck - 0.02, body.neck + 0.18)
    folds = np.sin(2 * np.pi * (u * 7 + bend * 6 + v)).astype(np.float32) * smoothstep(bend, -0.2, 0.2)
    skin = 0.75 * body.pale + 0.25 * body.warm
    colour = colour + (0.7 * behind)[..., None] * (skin * (0.9 + 0.12 * folds[..., None]) - colour)
    return colour, relief + 0.006 * behind * folds


def _beak(
    body: Anatomy, rng: np.random.Generator, u: Float32, v: Float32, colour: Float32, relief: Float32
) -> tuple[Float32, Float32]:
    """Smooth horn with streaks along it and stains near the nostril."""
    size = (TEXELS, TEXELS)
    bend = fractal_noise(rng, size, 5, 3)
    jaw = smoothstep(v - body.mouth[0] - 0.02, 0.0, 0.1) * smoothstep(body.mouth_corner - 0.2 - u, 0.0, 0.15)
    horn = np.maximum(smoothstep(body.beak - u - 0.25 * np.abs(v - 0.1) + 0.05 * bend, -0.03, 0.06), 0.9 * jaw)
    streaks = cv2.GaussianBlur(rng.standard_normal(size, dtype=np.float32), (0, 0), sigmaX=1.2, sigmaY=14) * 4
    stain = smoothstep(bend - 0.6 * v, 0.1, 0.8)
    tint = body.horn * (1 + 0.10 * streaks[..., None]) * (1 - 0.6 * stain[..., None])
    return colour + horn[..., None] * (tint - colour), relief * (1 - 0.8 * horn) + 0.002 * horn * streaks


def _mouth(
    body: Anatomy, rng: np.random.Generator, u: Float32, v: Float32, colour: Float32, relief: Float32
) -> tuple[Float32, Float32]:
    """The dark mouth line with a lip above it."""
    along = u + 1.3
    rough = fractal_noise(rng, (1, TEXELS), 24, 4)[0] * np.float32(0.02)
    line = body.mouth[0] + body.mouth[1] * along + body.mouth[2] * along * along * 0.5 + rough[None, :]
    width = 0.012 + 0.012 * np.clip(-u, 0, 1)
    before = smoothstep(body.mouth_corner - u, -0.05, 0.05)
    gap = np.exp(-(((v - line) / width) ** 2)) * before
    lip = np.exp(-(((v - line + 0.05) / 0.025) ** 2)) * before
    colour = colour + (0.25 * lip)[..., None] * (body.horn - colour)
    return colour * (1 - 0.85 * gap[..., None]), relief + 0.01 * lip - 0.02 * gap


def _eye(
    body: Anatomy, rng: np.random.Generator, u: Float32, v: Float32, colour: Float32, relief: Float32
) -> tuple[Float32, Float32]:
    """A dark eye in wrinkled dark lids; the wrinkles are folds, seen by their shade."""
    size = (TEXELS, TEXELS)
    bend, fine = fractal_noise(rng, size, 10, 3), fractal_noise(rng, size, 70, 3, 0.8)
    du, dv = (u - body.eye[0]) / body.eye_radius, (v - body.eye[1]) / body.eye_radius
    radius = np.sqrt(du * du + (1.15 * dv) ** 2).astype(np.float32)
    lid = 1 - smoothstep(radius + 0.10 * bend, 0.95, 1.25)
    ball = 1 - smoothstep(radius, 0.50, 0.58)
    angle = np.arctan2(dv, du)
    wander = 0.9 * bend + 0.35 * fine + 0.2 * np.sin(2 * angle + radius)
    folds = (np.sin(2 * np.pi * (3.6 * radius + wander)) * smoothstep(bend + fine, -0.8, 0.8)).astype(np.float32)
    tint = np.array([0.13, 0.11, 0.12], dtype=np.float32) + 0.05 * body.warm
    colour = colour + (0.92 * lid)[..., None] * (tint * (1 + 0.30 * folds + 0.40 * fine)[..., None] - colour)
    iris = smoothstep(radius, 0.22, 0.28)[..., None] * np.array([0.05, 0.05, 0.07], dtype=np.float32) + 0.02
    colour = colour + ball[..., None] * (iris - colour)
    return colour, relief * (1 - lid) + lid * (1 - ball) * (0.006 * folds + 0.004 * fine)


def _scars(rng: np.random.Generator, colour: Float32, count: int) -> Float32:
    """Pale or dark scratches and small round barnacles."""
    for _ in range(count):
        start = rng.uniform(0.1, 0.9, 2) * TEXELS
        tint = [float(c) for c in np.clip(np.array([0.8, 0.75, 0.65]) * rng.uniform(0.2, 1.2), 0, 1)]
        if rng.random() < 0.35:
            cv2.circle(colour, (int(start[0]), int(start[1])), int(rng.integers(2, 7)), tint, -1, cv2.LINE_AA)
            continue
        steps = rng.normal(0, 1, 2) * 6 + rng.normal(0, 2.0, (int(rng.integers(4, 14)), 2))
        path = np.round(start + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(colour, [path.reshape(-1, 1, 2)], False, tint, int(rng.integers(1, 3)), cv2.LINE_AA)
    return colour
