"""Solids in front of a camera: where each part of a drawn animal lies in the picture, how far away and how it faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from index.types import Float32
from synthetic.surface import meet

STEP = 3
"""A ray is cast through every third pixel, and what it meets is interpolated."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Where the picture is taken from.

    Attributes
    ----------
    turn : float32 [3, 3]
        From the scene's axes to the camera's (x right, y down, z towards the viewer).
    eye : float32 [3]
        Where it stands in the scene.
    focal : float
        Pixels.
    middle : (x, y)
        The pixel that it points at.
    size : (width, height)
    """

    turn: Float32
    eye: Float32
    focal: float
    middle: tuple[float, float]
    size: tuple[int, int]

    def seen(self, points: Float32) -> tuple[Float32, Float32]:
        """Pixels float32 [n, 2] of points [n, 3], and how far before the camera they are."""
        local = (points - self.eye) @ self.turn.T
        ahead = np.maximum(-local[:, 2], 1e-3)
        flat = local[:, :2] / ahead[:, None] * np.float32(self.focal) + np.array(self.middle, np.float32)
        return flat.astype(np.float32), (-local[:, 2]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """An ellipsoid that bulges (`synthetic.surface.Shape`), standing somewhere.

    Attributes
    ----------
    centre : float32 [3]
    frame : float32 [3, 3]
        Its own axes as columns, in the scene.
    """

    axes: Float32
    centre: Float32
    frame: Float32
    bumps: Float32
    heights: Float32
    sharpness: Float32


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """What a solid takes of a picture.

    Attributes
    ----------
    left, top : int
        Of the part of the picture that the arrays describe.
    directions : float32 [h, w, 3]
        From the solid's middle to the spot, in its own axes and scaled by them.
    normals : float32 [h, w, 3]
        In the camera's axes.
    depth, cover : float32 [h, w]
        How far away; 1 on the solid, 0 beside it.
    """

    left: int
    top: int
    directions: Float32
    normals: Float32
    depth: Float32
    cover: Float32


def silhouette(solid: Solid, camera: Camera) -> Silhouette | None:
    """The solid as the camera sees it; None where it is out of the picture."""
    part = _around(solid, camera)
    if part is None:
        return None
    left, top, right, bottom = part
    w, h = (right - left + STEP - 1) // STEP + 1, (bottom - top + STEP - 1) // STEP + 1
    x = (left + np.arange(w, dtype=np.float32) * STEP - camera.middle[0]) / np.float32(camera.focal)
    y = (top + np.arange(h, dtype=np.float32) * STEP - camera.middle[1]) / np.float32(camera.focal)
    rays = np.stack([*np.meshgrid(x, y), np.full((h, w), -1, np.float32)], -1).reshape(-1, 3) @ camera.turn
    own = (camera.eye - solid.centre) @ solid.frame
    directions, inside, depth = meet(solid, own.astype(np.float32), (rays @ solid.frame).astype(np.float32))
    normals = directions / solid.axes
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals @ solid.frame.T @ camera.turn.T
    inside = np.where(depth > 0, inside, -1)
    fields = np.concatenate([directions, normals, depth[:, None], inside[:, None]], 1).reshape(h, w, 8)
    grown = cv2.resize(np.ascontiguousarray(fields, np.float32), (w * STEP, h * STEP))[: bottom - top, : right - left]
    edge = 0.03
    cover = np.clip(grown[..., 7] / edge + 0.3, 0, 1)
    return Silhouette(left, top, grown[..., :3], grown[..., 3:6], grown[..., 6], cover.astype(np.float32))


def _around(solid: Solid, camera: Camera) -> tuple[int, int, int, int] | None:
    """A rectangle of the picture that holds the solid."""
    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float32)
    swell = 1 + max(0.0, float(solid.heights.max(initial=0)))
    points = solid.centre + (corners * solid.axes * swell) @ solid.frame.T
    flat, ahead = camera.seen(points.astype(np.float32))
    if ahead.max() <= 0.05:
        return None
    w, h = camera.size
    if ahead.min() < 0.2:
        return 0, 0, w, h
    left, top = np.floor(flat.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(flat.max(axis=0)).astype(int) + 3
    left, top, right, bottom = max(0, left), max(0, top), min(w, right), min(h, bottom)
    return (int(left), int(top), int(right), int(bottom)) if right - left > 2 and bottom - top > 2 else None
