"""Photographs behind drawn turtles, from a folder of any whose licence allows it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from index.types import Float32, Pixels
from synthetic.noise import single
from synthetic.seascape import Place
from synthetic.underwater import Day

GAMMA = 1.6
"""Undoes what `synthetic.underwater.expose` does at the end."""


def photographs(folder: Path) -> tuple[Path, ...]:
    """The photos of a folder, by name. Raises SystemExit where there are none."""
    found = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")))
    if not found:
        raise SystemExit(f"{folder} holds no JPEG or PNG files: name a folder of photographs without turtles.")
    return found


def read_photograph(path: Path) -> Pixels:
    """RGB uint8 [h, w, 3]. Raises SystemExit for a file that is no picture."""
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise SystemExit(f"{path} could not be read as a picture: take it out of the folder.")
    return np.ascontiguousarray(read[..., ::-1].astype(np.uint8, copy=False))


def as_taken(rng: np.random.Generator, photo: Pixels, size: tuple[int, int]) -> Pixels:
    """Another part of a photograph each time, or its mirrored picture, that fills `size` (width, height)."""
    height, width = photo.shape[:2]
    across = min(width, height * size[0] / size[1]) * rng.uniform(0.6, 1)
    down = across * size[1] / size[0]
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    part = photo[int(top) : max(int(top + down), int(top) + 1), int(left) : max(int(left + across), int(left) + 1)]
    filled = cv2.resize(part, size, interpolation=cv2.INTER_AREA if across > size[0] else cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        filled = filled[:, ::-1]
    return np.ascontiguousarray(filled).astype(np.uint8, copy=False)


def behind(rng: np.random.Generator, photo: Pixels, size: tuple[int, int], day: Day, place: Place) -> Float32:
    """What is around a turtle, as `synthetic.seascape.backdrop` draws it: often out of focus, under water tinted by it.

    Linear RGB float32 [h, w, 3] for `size` (width, height).
    """
    image = (as_taken(rng, photo, size).astype(np.float32) / 255) ** np.float32(GAMMA)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), float(np.exp(rng.uniform(np.log(0.002), np.log(0.03)))) * size[0])
    image = image * np.float32(np.exp(rng.normal(0, 0.3)))
    if place == "water":
        tinted = image.mean(-1, keepdims=True) * day.water / day.water.mean()
        image = image + np.float32(rng.uniform(0, 1)) * (tinted - image)
    return single(np.clip(image, 0.003, 1.6))
