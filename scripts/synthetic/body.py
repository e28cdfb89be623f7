"""A whole drawn turtle: shell, neck, flippers and head as solids in a pose, each with its skin.

The head's middle is the origin, its snout at x = -axes[0]; y points down, and a camera on the side of z
sees its left profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from index.types import Float32
from synthetic.anatomy import Anatomy, anatomy
from synthetic.noise import cells, fractal_noise, seeded, single, smoothstep
from synthetic.solids import Solid

PATCH = 256
"""Texels of a shell's or a flipper's skin, both ways."""

Kind = Literal["shell", "neck", "flipper"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A solid with its skin: `upper` [PATCH, PATCH, 3] is seen from above, `lower` from below."""

    kind: Kind
    solid: Solid
    upper: Float32
    lower: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Pelt:
    """The skins that a turtle's body has: albedo, RGB 0..1."""

    shell: Float32
    plastron: Float32
    flipper: Float32
    underside: Float32
    neck: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A turtle in a pose: its head, whose skin `synthetic.skin` paints, and its other parts."""

    head: Solid
    parts: tuple[Part, ...]
    species: int

    @property
    def solids(self) -> tuple[Solid, ...]:
        return (self.head, *(part.solid for part in self.parts))


def pose(rng: np.random.Generator, species: int, individual: int) -> Body:
    """A turtle that swims, rests or breathes: neck, head and flippers turned at random."""
    head, skin = anatomy(species), pelt(species, individual)
    build = seeded(21, species)
    length = build.uniform(3.2, 5.2) * (0.6 if rng.random() < 0.1 else 1) * rng.uniform(0.9, 1.1)
    width, height = length * build.uniform(0.68, 0.88), length * build.uniform(0.28, 0.46)
    gap = rng.uniform(0.0, 1.3)
    rise = rng.normal(0.15, 0.3)
    middle = np.array([head.axes[0] * 0.7 + gap + length, rise + rng.normal(0, 0.25), rng.normal(0, 0.3)])
    tilt = _turned(yaw=rng.normal(0, 0.25), pitch=rng.normal(0, 0.2), roll=rng.normal(0, 0.2))
    centre = np.array([middle[0], 0, 0]) @ tilt.T * np.array([1, 1, 1]) + np.array([0, middle[1], middle[2]])
    shell = Solid(
        axes=_row(length, height, width),
        centre=_row(*centre),
        frame=tilt,
        bumps=_unit([[0, 1, 0], [1, 0.1, 0], [0, -1, 0], [-1, 0.3, 0]]),
        heights=_row(-build.uniform(0.3, 0.6), build.uniform(-0.05, 0.25), build.uniform(-0.05, 0.15), -0.12),
        sharpness=_row(1.5, 5, 12, 4),
    )
    parts = [Part("shell", shell, skin.shell, skin.plastron), _neck(shell, head, skin)]
    spread = rng.uniform(0.8, 1.25)
    for side in (-1, 1):
        parts += _flipper(rng, shell, side, skin, length * spread)
    head_frame = _turned(yaw=rng.normal(0, 0.3), pitch=rng.normal(0, 0.15), roll=rng.normal(0, 0.1))
    return Body(_skull(rng, head, head_frame), tuple(parts), species)


def _skull(rng: np.random.Generator, head: Anatomy, frame: Float32) -> Solid:
    """The species' head, sometimes longer and with a more pointed beak, as heads are seen from before and aslant."""
    axes = head.axes * _row(rng.uniform(0.95, 1.25), rng.uniform(0.9, 1.1), 1)
    heights, sharpness = head.heights.copy(), head.sharpness.copy()
    heights[0] += np.float32(rng.uniform(0, 0.3))
    sharpness[0] *= np.float32(rng.uniform(0.5, 1))
    return Solid(axes, np.zeros(3, np.float32), frame, head.bumps, heights, sharpness)


def _neck(shell: Solid, head: Anatomy, skin: Pelt) -> Part:
    """From behind the cheeks into the shell."""
    front = shell.centre + shell.frame @ _row(-0.75 * float(shell.axes[0]), 0.15, 0)
    start = _row(0.35 * float(head.axes[0]), 0.12, 0)
    along = front - start
    reach = float(np.linalg.norm(along))
    frame = _frame(along / reach, _row(0, 1, 0))
    axes = _row(0.62 * reach, 0.8 * float(head.axes[1]), 1.05 * float(head.axes[2]))
    return Part("neck", _plain(axes, single((start + front) / 2), frame), skin.neck, skin.neck)


def _flipper(rng: np.random.Generator, shell: Solid, side: int, skin: Pelt, length: float) -> list[Part]:
    """The front flipper of one side, of upper arm and blade, and the short hind one."""
    long, high, wide = (float(value) for value in shell.axes)
    parts = []
    for fore in (True, False):
        root = shell.centre + shell.frame @ _row((-0.72 if fore else 0.78) * long, 0.25 * high, side * 0.62 * wide)
        lean = rng.uniform(-0.6, 1.2) if fore else rng.uniform(0.5, 1.6)
        out = shell.frame @ _row(lean, rng.uniform(-0.6, 1.8), side * rng.uniform(0.15, 1.1))
        out /= np.linalg.norm(out)
        flat = _frame(out, shell.frame @ _unit([[rng.normal(0.2, 0.4), rng.normal(0.8, 0.4), rng.normal(0, 0.5)]])[0])
        arm = length * (0.22 if fore else 0.12)
        thick = arm * rng.uniform(0.28, 0.4)
        parts.append(
            Part(
                "flipper",
                _plain(_row(arm, thick, arm * 0.55), root + out * arm * 0.7, flat),
                skin.flipper,
                skin.underside,
            )
        )
        bent = out + shell.frame @ _row(rng.uniform(0, 0.9), rng.normal(0.1, 0.3), 0)
        bent /= np.linalg.norm(bent)
        blade = length * (rng.uniform(0.34, 0.46) if fore else rng.uniform(0.16, 0.22))
        frame = _frame(bent, flat[:, 1])
        shape = _row(blade, blade * rng.uniform(0.07, 0.13), blade * rng.uniform(0.26, 0.4))
        centre = root + out * arm * 1.4 + bent * blade * 0.8
        parts.append(Part("flipper", _plain(shape, centre, frame), skin.flipper, skin.underside))
    return parts


@lru_cache(maxsize=256)
def pelt(species: int, individual: int) -> Pelt:
    """What is drawn on shell and limbs; like the head's colours in most species, darker or paler in others."""
    head = anatomy(species)
    rng, own = seeded(22, species), seeded(23, species, individual)
    deep = rng.uniform(0.35, 1.3)
    shade = np.array([rng.uniform(0.8, 1.1), rng.uniform(0.9, 1.1), rng.uniform(0.7, 1.2)], np.float32)
    warm, dark = head.warm * deep * shade, head.dark * deep * shade
    pale = head.pale * rng.uniform(0.6, 1.05)
    smooth = rng.random() < 0.12  # as the leatherback's
    shell = _scutes(own, warm, dark, pale * rng.uniform(0.3, 1), smooth, rng.uniform(0.0, 0.7), rng.uniform(0, 0.5))
    limb = _scales(own, dark * rng.uniform(0.7, 2.2), pale, rng.uniform(0.1, 1), int(rng.integers(60, 420)))
    belly = head.pale * np.float32(rng.uniform(0.75, 1.15))
    bend = fractal_noise(own, (PATCH, PATCH), 10, 4)[..., None]
    folds = np.sin(np.linspace(0, 50, PATCH, dtype=np.float32)[None, :, None] + 4 * bend)
    neck = (0.6 * belly + 0.4 * warm) * (1 + 0.12 * folds + 0.25 * bend)
    under = belly * (1 + 0.2 * bend) * (1 - 0.3 * smoothstep(-bend, 0.3, 0.8))
    return Pelt(*(np.clip(one, 0.01, 1).astype(np.float32) for one in (shell, _plates(own, belly), limb, under, neck)))


def _scutes(
    rng: np.random.Generator, warm: Float32, dark: Float32, seam: Float32, smooth: bool, rays: float, growth: float
) -> Float32:
    """The carapace from above, snout to the left: five vertebrals, four pairs of costals, a ring of marginals."""
    x, y = _grid()
    vertebral = [(-0.68 + 0.34 * i, 0.0) for i in range(5)]
    costal = [(-0.5 + 0.33 * i, side * 0.5) for i in range(4) for side in (-1, 1)]
    ring = [(0.97 * np.cos(a), 0.97 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)[:-1]]
    points = np.array(vertebral + costal + ring) + rng.normal(0, 0.02, (37, 2))
    warp = [0.03 * fractal_noise(rng, (PATCH, PATCH), 8, 3) for _ in range(2)]
    plates = cells(points, x + warp[0], y + warp[1])
    cloud, fine = fractal_noise(rng, (PATCH, PATCH), 9, 5, 0.8), fractal_noise(rng, (PATCH, PATCH), 50, 2)
    offset = np.stack([x, y], -1) - points[plates.owner]
    streak = np.sin(np.arctan2(offset[..., 1], offset[..., 0]) * 14 + 3 * cloud) * rays
    tone = rng.normal(0, 0.15, len(points))[plates.owner]
    mix = smoothstep((cloud + streak + tone).astype(np.float32), -0.7, 0.7)[..., None]
    colour = dark + mix * (warm - dark)
    if smooth:
        ridges = np.exp(-((np.mod(y * 3.5 + 0.5, 1) - 0.5) ** 2) / 0.004).astype(np.float32)
        spots = smoothstep(fine, 0.7, 0.9)
        return single(colour * 0.6 + (0.25 * ridges + 0.4 * spots)[..., None] * seam)
    line = np.exp(-((plates.border / rng.uniform(0.015, 0.05)) ** 2))[..., None]
    colour = colour + line * (seam - colour) * rng.uniform(0.3, 0.9)
    colour *= 1 + 0.2 * fine[..., None]
    green = np.array([0.30, 0.33, 0.22], np.float32) * rng.uniform(0.5, 1.6)
    colour = colour + growth * smoothstep(cloud + fine, -0.3, 0.9)[..., None] * (green - colour)
    for _ in range(rng.poisson(5)):
        at, pale = rng.integers(0, PATCH, 2), float(rng.uniform(0.5, 0.95))
        cv2.circle(colour, (int(at[0]), int(at[1])), int(rng.integers(2, 8)), (pale, pale, pale), -1, cv2.LINE_AA)
    return single(colour)


def _scales(rng: np.random.Generator, dark: Float32, pale: Float32, contrast: float, number: int) -> Float32:
    """A limb's upper side: dark scales between pale seams."""
    x, y = _grid()
    points = rng.uniform(-1.1, 1.1, (number, 2))
    scales = cells(points, x, y)
    border = scales.border * np.float32(np.sqrt(number))
    tone = rng.normal(0, 0.2, number)[scales.owner][..., None]
    seam = np.exp(-((border / rng.uniform(0.25, 0.6)) ** 2))[..., None] * contrast
    cloud = fractal_noise(rng, (PATCH, PATCH), 6, 4)[..., None]
    colour = dark * (1 + tone + 0.2 * cloud)
    return single(colour + seam * (pale - colour))


def _plates(rng: np.random.Generator, belly: Float32) -> Float32:
    """The plastron: a seam along the middle and five across."""
    x, y = _grid()
    bend = 0.04 * fractal_noise(rng, (PATCH, PATCH), 5, 3)
    lines = np.exp(-(((y + bend) / 0.02) ** 2)) + np.exp(-(((np.mod(x * 2.6 + bend + 0.5, 1) - 0.5) / 0.04) ** 2))
    cloud = fractal_noise(rng, (PATCH, PATCH), 7, 4)
    return single(belly * (1 + 0.15 * cloud - 0.4 * np.clip(lines, 0, 1))[..., None])


def _grid() -> tuple[Float32, Float32]:
    axis = np.linspace(-1, 1, PATCH, dtype=np.float32)
    x = np.tile(axis, (PATCH, 1))
    return x, np.ascontiguousarray(x.T)


def _turned(yaw: float, pitch: float, roll: float) -> Float32:
    """About the vertical, then nodding, then leaning: a rotation whose columns are the turned axes."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cp, -sp, 0], [sp, cp, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return single(about_y @ about_z @ about_x)


def _frame(along: Float32, down: Float32) -> Float32:
    """Axes as columns: the first along `along`, the second as near to `down` as it can be."""
    third = np.cross(along, down)
    third /= max(1e-6, float(np.linalg.norm(third)))
    return np.stack([along, np.cross(third, along), third], 1).astype(np.float32)


def _plain(axes: Float32, centre: Float32, frame: Float32) -> Solid:
    none = np.zeros(1, np.float32)
    return Solid(axes, centre.astype(np.float32), frame, _row(0, 1, 0)[None], none, none + 1)


def _unit(rows: list[list[float]]) -> Float32:
    array = np.array(rows, np.float32)
    return single(array / np.linalg.norm(array, axis=1, keepdims=True))


def _row(*values: float) -> Float32:
    return np.array(values, np.float32)
