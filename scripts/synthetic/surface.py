"""The curved head: which point of the flat skin each pixel of a photograph shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from index.types import Float32
from synthetic.anatomy import EXTENT, Anatomy
from synthetic.noise import fractal_noise, smoothstep
from synthetic.skin import TEXELS


class Shape(Protocol):
    """An ellipsoid that bulges: half axes [3]; directions [m, 3], heights [m] and sharpness [m] of the bulges."""

    @property
    def axes(self) -> Float32: ...
    @property
    def bumps(self) -> Float32: ...
    @property
    def heights(self) -> Float32: ...
    @property
    def sharpness(self) -> Float32: ...


@dataclass(frozen=True, slots=True)
class View:
    """From where a head is photographed: angles in radians, distance and zoom in head lengths, offset in pictures."""

    yaw: float
    pitch: float
    roll: float
    distance: float
    zoom: float
    offset_x: float
    offset_y: float
    pull: int
    """Seed of how the skin is pulled on this day (mouth, neck, breath)."""
    pull_strength: float


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """What each pixel sees.

    Attributes
    ----------
    texels : float32 [h, w, 2]
        Position (x, y) on the flat skin, in texels.
    normals : float32 [h, w, 3]
        Unit normals of the smooth head in camera coordinates (x right, y down, z towards the viewer).
    cover : float32 [h, w]
        1 on the head, 0 beside it.
    """

    texels: Float32
    normals: Float32
    cover: Float32


def draw_view(rng: np.random.Generator, spread: float = 1.0, widest: float | None = None) -> View:
    """A random view of the head's side, mostly upright; `spread` 0 is the plain profile.

    With `widest`, in radians, every yaw up to it is as likely; without, most are small.
    """
    oblique = rng.random() < 0.2
    yaw = rng.uniform(-1.0, 1.0) * spread if oblique else rng.normal(0, 0.33 * spread)
    if widest is not None:
        yaw = rng.uniform(-widest, widest)
    pitch = rng.normal(0, 0.20 * spread)
    roll = rng.normal(0, 0.22 * spread) if rng.random() < 0.93 else rng.uniform(-np.pi, np.pi) * spread
    zoom = float(np.exp(rng.normal(0.26, 0.16 * spread)))
    return View(
        yaw=float(yaw if widest is not None else np.clip(yaw, -1.0, 1.0)),
        pitch=float(np.clip(pitch, -0.5, 0.5)),
        roll=float(roll),
        distance=float(rng.uniform(3.0, 8.0)),
        zoom=zoom,
        offset_x=float(rng.normal(0.05, 0.08 * spread)),
        offset_y=float(rng.normal(0, 0.06 * spread)),
        pull=int(rng.integers(2**31)),
        pull_strength=float(rng.uniform(0.005, 0.035) * spread),
    )


def project(body: Anatomy, view: View, size: tuple[int, int]) -> Projection:
    """Casts a ray through every third pixel of a picture of `size` (width, height) and interpolates."""
    width, height = size
    w, h = (width + 2) // 3, (height + 2) // 3
    rotation = _rotation(view)
    focal = view.zoom * max(width, 1.25 * height) * 0.37 * view.distance / float(body.axes[0])
    x = (np.arange(w, dtype=np.float32) * 3 + 1 - width * (0.5 + view.offset_x)) / np.float32(focal)
    y = (np.arange(h, dtype=np.float32) * 3 + 1 - height * (0.5 + view.offset_y)) / np.float32(focal)
    rays = np.stack([*np.meshgrid(x, y), np.full((h, w), -1, np.float32)], -1).reshape(-1, 3) @ rotation
    eye = np.array([0, 0, view.distance], dtype=np.float32) @ rotation
    direction, inside, _ = meet(body, eye, rays)
    surface_normal = direction / body.axes
    normals = (surface_normal / np.linalg.norm(surface_normal, axis=1, keepdims=True)) @ rotation.T
    flat = direction[:, :2] * np.sqrt(2 / np.maximum(1 + direction[:, 2:], 0.05))
    flat = flat.reshape(h, w, 2) + _pull(view, (h, w), flat.reshape(h, w, 2))
    texels = (flat / EXTENT + 1) * (TEXELS / 2) - 0.5
    grown = [
        cv2.resize(field, (w * 3, h * 3), interpolation=cv2.INTER_LINEAR)[:height, :width]
        for field in (texels.astype(np.float32), normals.reshape(h, w, 3), inside.reshape(h, w))
    ]
    return Projection(grown[0], grown[1], smoothstep(grown[2], -0.01, 0.02))


def _rotation(view: View) -> Float32:
    """From head to camera coordinates."""
    cy, sy, cp, sp = np.cos(view.yaw), np.sin(view.yaw), np.cos(view.pitch), np.sin(view.pitch)
    cr, sr = np.cos(view.roll), np.sin(view.roll)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    turn: Float32 = (roll @ pitch @ yaw).astype(np.float32)
    return turn


def meet(shape: Shape, eye: Float32, rays: Float32) -> tuple[Float32, Float32, Float32]:
    """Directions from the middle to where the rays [n, 3] meet it, how far inside the outline they pass, how far away.

    The bulges make the radius depend on the direction, so the ellipsoid's size is found by iteration.
    """
    start, rays = eye / shape.axes, rays / shape.axes
    a = np.einsum("ij,ij->i", rays, rays)
    b = rays @ start
    radius: Float32 = np.ones(len(rays), dtype=np.float32)
    for _ in range(4):
        root = b * b - a * (start @ start - radius**2)
        reach = (-b - np.sqrt(np.maximum(root, 0))) / a
        points = start + reach[:, None] * rays
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        bulge = np.exp(shape.sharpness * (points @ shape.bumps.T - 1)) @ shape.heights
        radius = (0.5 * radius + 0.5 * (1 + bulge)).astype(np.float32)
    return points.astype(np.float32), (root / (a * radius**2)).astype(np.float32), reach.astype(np.float32)


def _pull(view: View, size: tuple[int, int], flat: Float32) -> Float32:
    """A smooth shift of the skin, fixed to the skin rather than to the picture."""
    rng = np.random.default_rng(view.pull)
    field = np.stack([fractal_noise(rng, (48, 48), 3, 2) for _ in range(2)], -1) * np.float32(2 * view.pull_strength)
    at = ((flat / EXTENT + 1) * 24 - 0.5).astype(np.float32)
    shift: Float32 = cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return shift.reshape(*size, 2)
