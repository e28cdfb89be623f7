"""Where a drawn turtle is photographed from."""

from __future__ import annotations

import numpy as np

from index.types import Float32
from synthetic.body import Body
from synthetic.solids import Camera, Solid


def viewpoint(rng: np.random.Generator, body: Body, share: float, size: tuple[int, int]) -> Camera:
    """From the side, mostly; from above, from below, from before and behind as well."""
    kind = rng.random()
    yaw, pitch, distance = rng.normal(0, 0.45), rng.normal(0.12, 0.3), rng.uniform(5, 20)
    if kind < 0.12:
        yaw, pitch = rng.uniform(-1.2, 1.2), rng.uniform(0.6, 1.4)
    elif kind < 0.18:
        yaw, pitch = rng.uniform(-1.2, 1.2), -rng.uniform(0.5, 1.2)
    elif kind < 0.3:
        yaw = rng.choice([-1, 1]) * rng.uniform(0.6, 1.3)
    roll = rng.normal(0, 0.2) if rng.random() < 0.9 else rng.uniform(-np.pi, np.pi)
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    turn = (turn @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])).astype(np.float32)
    while True:
        eye = (turn.T @ np.array([0, 0, distance], np.float32)).astype(np.float32)
        if all(_outside(solid, eye) for solid in body.solids) or distance > 60:
            break
        distance *= 1.2
    focal = share * size[0] * distance / 2.3
    ahead = -float(turn[0, 0])  # where the snout points in the picture: -1 to the left, 1 to the right
    x = rng.uniform(0.12, 0.88) if rng.random() < 0.4 else np.clip(0.5 + ahead * rng.uniform(-0.05, 0.4), 0.1, 0.9)
    return Camera(turn, eye, float(focal), (float(x) * size[0], float(rng.uniform(0.15, 0.75)) * size[1]), size)


def _outside(solid: Solid, eye: Float32) -> bool:
    own = (solid.frame.T @ (eye - solid.centre)) / (solid.axes * 1.15)
    return float(own @ own) > 1
