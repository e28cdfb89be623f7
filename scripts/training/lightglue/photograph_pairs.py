"""Training material with the statistics of photographs: heads whose skin is a part of a photograph of anything.

Shape, angle, light, water and camera are drawn as those of drawn heads are, so that every pixel's place on the
photograph is known. Two individuals at a time are parts of one photograph, which look alike and show other things.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from index.types import Float32, Pixels
from synthetic.anatomy import EXTENT, anatomy
from synthetic.heads import Drawing, expose_head
from synthetic.noise import seeded, single
from synthetic.photographed import GAMMA, behind, read_photograph
from synthetic.skin import TEXELS, Skin, weather
from synthetic.surface import draw_view
from synthetic.underwater import draw_day, draw_shot
from training.lightglue.synthetic_pairs import (
    Flock,
    FlockPlan,
    as_seen,
    assembled,
    flipped,
    picture_size,
    snapshots,
)

LOOKED_AT = 4
"""Photographs of which the one with the most pattern becomes skin: bare walls have no keypoints that come again."""
TILES = 8
RELIEF = 0.012
"""Height of white over black on the skin, at most, in head lengths: so light plays on it as on scutes."""


def make_photograph_flock(seed: int, plan: FlockPlan, photographs: Sequence[Path]) -> Flock | None:
    """The flock of this number from these photographs; None when fewer than two photos have enough keypoints.

    Raises SystemExit for a file that is no picture.
    """
    rng = seeded(31, seed)
    skins = _skins(rng, plan.individuals, photographs)
    taken = []
    for individual, skin in enumerate(skins):
        for day in rng.permutation(12)[: plan.photos]:
            drawing = _photographed(rng, skin, (seed, individual, int(day)), plan, photographs)
            taken += snapshots(as_seen(drawing, rng, plan), individual, plan)
    mirrored = _photographed(rng, skins[0], (seed, 0, 1), plan, photographs)
    taken += snapshots(flipped(as_seen(mirrored, rng, plan)), plan.individuals, plan)
    return assembled(taken) if len(taken) > 1 else None


def photograph_skin(part: Pixels, relief: float) -> Skin:
    """A square part of a photograph, uint8 [s, s, 3], as skin; `relief` is the height of white over black."""
    grown = cv2.resize(part, (TEXELS, TEXELS), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    colour = np.clip(grown ** np.float32(GAMMA), 0.01, 1)
    height = cv2.GaussianBlur(single(colour.mean(-1)), (0, 0), 1.5) * np.float32(relief)
    scale = TEXELS / (2 * EXTENT)
    slope = np.stack([cv2.Sobel(height, cv2.CV_32F, 1, 0), cv2.Sobel(height, cv2.CV_32F, 0, 1)], -1) * (scale / 8)
    return Skin(single(colour), single(slope))


def pattern(part: Pixels) -> float:
    """How much a part of a photograph shows nearly everywhere: the lower quartile, over tiles, of fine contrast."""
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = cv2.GaussianBlur(grey, (0, 0), 1) - cv2.GaussianBlur(grey, (0, 0), 4)
    power = cv2.resize(fine**2, (TILES, TILES), interpolation=cv2.INTER_AREA)
    return float(np.sqrt(np.quantile(power, 0.25)))


def parts(rng: np.random.Generator, photo: Pixels) -> tuple[Pixels, Pixels]:
    """Two squares of one size at the far ends of a photograph, which share no pixel."""
    height, width = photo.shape[:2]
    side = max(1, int(min(min(height, width), max(height, width) // 2) * rng.uniform(0.8, 1)))
    along, across = max(height, width) - side, int(rng.integers(min(height, width) - side + 1))
    corners = ((0, across), (along, across)) if height > width else ((across, 0), (across, along))
    first, second = (photo[top : top + side, left : left + side] for top, left in corners)
    return first, second


def _skins(rng: np.random.Generator, count: int, photographs: Sequence[Path]) -> list[Skin]:
    found: list[Skin] = []
    while len(found) < count:
        looks = [parts(rng, _one_of(rng, photographs)) for _ in range(LOOKED_AT)]
        best = max(looks, key=lambda two: min(pattern(part) for part in two))
        found += [photograph_skin(part, rng.uniform(0, RELIEF)) for part in best]
    return found[:count]


def _one_of(rng: np.random.Generator, photographs: Sequence[Path]) -> Pixels:
    return read_photograph(photographs[int(rng.integers(len(photographs)))])


def _photographed(
    rng: np.random.Generator,
    skin: Skin,
    when: tuple[int, int, int],
    plan: FlockPlan,
    photographs: Sequence[Path],
) -> Drawing:
    """The skin on a head of the flock's shape, on a day of an individual, before some other photograph."""
    rng_day, size = seeded(32, *when), picture_size(rng, plan)
    day, shot, view = draw_day(rng_day), draw_shot(rng), draw_view(rng, widest=plan.widest)
    worn = weather(skin, rng_day, years=0.7 * when[2])
    around: Float32 = behind(rng, _one_of(rng, photographs), size, day, "water")
    return expose_head(rng, anatomy(when[0]), worn, view, day, shot, size, around)
