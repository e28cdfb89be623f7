"""Whole photographs of drawn turtles: none to three in water, on sand or on deck, with where their heads are.

Equal numbers give equal pictures. No animal was copied: what varies is drawn at random, wider than any camera would see
it, so that a network learns what all of them share. A photograph is in them only where it is given as the backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from index.types import Float32, HeadBox, Pixels, Side
from synthetic.anatomy import EXTENT, anatomy
from synthetic.body import PATCH, Body, Part, pose
from synthetic.noise import seeded, single, smoothstep
from synthetic.photographed import behind
from synthetic.seascape import Place, backdrop
from synthetic.skin import TEXELS, paint_skin
from synthetic.solids import Camera, Silhouette, Solid, silhouette
from synthetic.stones import strewn
from synthetic.underwater import Day, Shot, caustics, draw_day, draw_shot, expose, shade, through_water
from synthetic.viewpoints import viewpoint

SPECIES = 24
"""So many kinds, each with shapes and colours of its own, and of each so many individuals."""
INDIVIDUALS = 3
CHEEK = 0.15
"""So far before the neck's first scales the box ends, on the flat skin: where people see the end of the cheek."""
SMALLEST_VISIBLE = 0.45
"""A head of which less is seen has no box: nobody could tell who it is."""


@dataclass(frozen=True, slots=True)
class Head:
    """A head in a drawn photograph.

    Attributes
    ----------
    box : HeadBox
        Tight around what is seen of it, from the snout to the end of the cheeks, in pixels.
    side : Side
        The one that is seen; LEFT or RIGHT.
    profile : float
        How much of the side: 1 in plain profile, 0 from the front, from above or from below.
    angle : float
        Radians by which the picture is to be turned clockwise so that the snout points to its side's left or right.
    """

    box: HeadBox
    side: Side
    profile: float
    angle: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawn photograph, RGB uint8 [h, w, 3], and the heads in it, largest first."""

    pixels: Pixels
    heads: tuple[Head, ...]


def draw_scene(
    number: int,
    size: tuple[int, int] = (672, 448),
    turtles: int | None = None,
    share: float | None = None,
    photo: Pixels | None = None,
) -> Scene:
    """One photograph.

    Parameters
    ----------
    size : (width, height)
    turtles : int or None
        How many are in it; None draws 0 to 3.
    share : float or None
        Of the width that the first head takes; None draws 0.05 to 0.7.
    photo : Pixels or None
        Without a turtle: what is behind the turtles in place of a drawn backdrop.
    """
    rng = seeded(20, number)
    day, shot, place = draw_day(rng), _shot(rng), _place(rng)
    image = backdrop(rng, size, day, place) if photo is None else behind(rng, photo, size, day, place)
    count = int(rng.choice([0, 1, 2, 3], p=[0.12, 0.72, 0.12, 0.04])) if turtles is None else turtles
    image = strewn(rng, image, day)
    heads: list[Head] = []
    for one in range(count):
        part = share if share is not None and one == 0 else float(np.exp(rng.uniform(np.log(0.05), np.log(0.7))))
        image, head = _turtle(rng, image, part * (0.6 if one else 1), day, shot, place)
        heads = [*_uncovered(heads, head), *([head.head] if head.head else [])]
    if place == "water":
        image = through_water(image, day, shot, rng)
    pixels = expose(image, day, shot, rng)
    if rng.random() < 0.4:
        pixels = _grey(rng, pixels)
    if rng.random() < 0.5:
        pixels, heads = np.ascontiguousarray(pixels[:, ::-1]), [_mirrored(one, size[0]) for one in heads]
    return Scene(pixels, tuple(sorted(heads, key=lambda one: -one.box.w)))


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """One turtle's head, and the part of the picture that the turtle covers, bool [h, w]."""

    head: Head | None
    covered: npt.NDArray[np.bool_]


def _turtle(
    rng: np.random.Generator, image: Float32, share: float, day: Day, shot: Shot, place: Place
) -> tuple[Float32, _Drawn]:
    """Draws a turtle into the picture, its parts from far to near."""
    h, w = image.shape[:2]
    species, individual = int(rng.integers(SPECIES)), int(rng.integers(INDIVIDUALS))
    body = pose(rng, species, individual)
    camera = viewpoint(rng, body, share, (w, h))
    dim = {kind: float(np.exp(rng.normal(0, 0.3))) for kind in ("head", "shell", "neck", "flipper")}
    seen = [(part, found) for part in (*body.parts, None) if (found := _seen(part, body, camera)) is not None]
    seen.sort(key=lambda pair: -_distance(pair[1]))
    depth, on_head, whole = np.full((h, w), np.inf, np.float32), np.zeros((h, w), np.float32), 0.0
    murk = rng.uniform(0, 0.05) if place == "water" else 0.0
    ripples = caustics(rng, (h, w), day.caustics if place == "water" else 0.0)[..., None]
    for part, found in seen:
        rows, columns = _place_of(found)
        colour = _painted_head(found, species, individual, shot) if part is None else _painted(part, found, shot)
        colour = colour * np.float32(dim["head" if part is None else part.kind]) * ripples[rows, columns]
        beyond = np.maximum(found.depth - float(np.linalg.norm(camera.eye)), -5) + 5
        veil = (1 - np.exp(-murk * beyond))[..., None]
        colour = colour * (1 - veil) + day.water * veil
        alpha = found.cover * (found.depth < depth[rows, columns])
        image[rows, columns] += alpha[..., None] * (colour - image[rows, columns])
        depth[rows, columns] = np.where(alpha > 0.5, found.depth, depth[rows, columns])
        on_head[rows, columns] *= 1 - alpha
        if part is None:
            before_neck = (_flat(found)[..., 0] < anatomy(species).neck - CHEEK).astype(np.float32)
            on_head[rows, columns] += alpha * before_neck
            whole = _whole(body.head, camera, (w, h), float((found.cover * before_neck > 0.5).sum()))
    return image, _Drawn(_head(on_head > 0.5, whole, body, camera), np.isfinite(depth))


def _seen(part: Part | None, body: Body, camera: Camera) -> Silhouette | None:
    return silhouette(body.head if part is None else part.solid, camera)


def _flat(found: Silhouette) -> Float32:
    """Where on the flat skin of the head each pixel is, both sides alike."""
    flat: Float32 = found.directions[..., :2] * np.sqrt(2 / (1 + np.abs(found.directions[..., 2:])))
    return flat


def _painted_head(found: Silhouette, species: int, individual: int, shot: Shot) -> Float32:
    """Lit colour [h, w, 3] of a head."""
    skin = paint_skin(species, individual, 0)
    at = ((_flat(found) / EXTENT + 1) * (TEXELS / 2) - 0.5).astype(np.float32)
    return shade(_looked_up(skin.colour, at), _looked_up(skin.slope, at), found.normals, shot)


def _painted(part: Part, found: Silhouette, shot: Shot) -> Float32:
    """Lit colour [h, w, 3] of another part."""
    at = ((found.directions[..., [0, 2]] * 0.98 + 1) * (PATCH / 2) - 0.5).astype(np.float32)
    above = smoothstep(-found.directions[..., 1], -0.2, 0.1)[..., None]
    colour = _looked_up(part.upper, at) * above + _looked_up(part.lower, at) * (1 - above)
    return shade(colour, np.zeros((*at.shape[:2], 2), np.float32), found.normals, shot)


def _looked_up(texture: Float32, at: Float32) -> Float32:
    return single(cv2.remap(texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _head(seen: npt.NDArray[np.bool_], whole: float, body: Body, camera: Camera) -> Head | None:
    """The head's record, from the pixels that show it and how many would if nothing stood before it."""
    if seen.sum() < max(60, SMALLEST_VISIBLE * whole):
        return None
    columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    box = HeadBox(float(columns[0]), float(rows[0]), float(columns[-1] - columns[0] + 1), float(rows[-1] - rows[0] + 1))
    sight = body.head.frame.T @ (camera.eye / np.linalg.norm(camera.eye))
    snout = camera.turn @ body.head.frame @ np.array([-1, 0, 0], np.float32)
    side = Side.LEFT if sight[2] > 0 else Side.RIGHT
    forward = np.arctan2(snout[1], snout[0])
    upright = np.pi if side is Side.LEFT else 0.0
    angle = float(np.angle(np.exp(1j * (upright - forward))))
    return Head(box, side, abs(float(sight[2])), angle)


def _whole(skull: Solid, camera: Camera, size: tuple[int, int], within: float) -> float:
    """How many pixels the head would cover, beside the picture's edges too."""
    flat, _ = camera.seen(skull.centre[None])
    x, y = flat[0]
    if 0 <= x < size[0] and 0 <= y < size[1]:
        return within
    return 4 * within


def _distance(found: Silhouette) -> float:
    there = found.depth[found.cover > 0.5]
    return float(np.median(there)) if there.size else 0.0


def _place_of(found: Silhouette) -> tuple[slice, slice]:
    h, w = found.cover.shape
    return slice(found.top, found.top + h), slice(found.left, found.left + w)


def _uncovered(heads: list[Head], newer: _Drawn) -> list[Head]:
    """Heads of which the turtle that was drawn over them leaves more than half."""

    def hidden(box: HeadBox) -> float:
        part = newer.covered[int(box.y) : int(box.y + box.h), int(box.x) : int(box.x + box.w)]
        return float(part.mean()) if part.size else 1.0

    return [one for one in heads if hidden(one.box) < 0.4]


def _place(rng: np.random.Generator) -> Place:
    return ("water", "beach", "deck")[int(rng.choice(3, p=[0.78, 0.12, 0.10]))]


def _shot(rng: np.random.Generator) -> Shot:
    """Light from behind too, and dark frames."""
    shot = draw_shot(rng)
    light = shot.light.copy()
    if rng.random() < 0.3:
        light = np.array([rng.normal(0, 0.6), rng.normal(-0.8, 0.3), rng.uniform(-0.9, 0.2)], np.float32)
        light /= np.linalg.norm(light)
    exposure = float(np.exp(rng.normal(-0.1, 0.3)))
    return replace(shot, light=light.astype(np.float32), ambient=float(rng.uniform(0.2, 0.8)), exposure=exposure)


def _grey(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Without colour, as old cameras and careful editors make them."""
    weights = rng.dirichlet([4, 6, 3]).astype(np.float32)
    grey = (pixels.astype(np.float32) @ weights / 255) ** np.float32(rng.uniform(0.7, 1.5))
    return np.repeat((np.clip(grey, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=-1)


def _mirrored(head: Head, width: int) -> Head:
    box = HeadBox(width - head.box.x - head.box.w, head.box.y, head.box.w, head.box.h)
    return Head(box, Side.RIGHT if head.side is Side.LEFT else Side.LEFT, head.profile, -head.angle)
