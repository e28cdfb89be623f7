"""Training material: flocks of drawn turtles of one species, as SIFT features with known correspondence.

Photos are cropped to the head, more or less tightly, as photos for identification are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from index.errors import TooFewKeypoints
from index.types import Float32, LocalFeatures, Side
from retrieval.features import SiftExtractor
from retrieval.features.sift import stretched_across
from retrieval.features.views import STRETCHES
from synthetic.heads import PHOTOS_PER_DAY, Drawing, draw_photograph
from synthetic.noise import seeded
from training.lightglue.correspondence import Int16, true_matches

SPARE = 1.2
"""By how much longer pictures are drawn than the crop of the head shall be."""
MARGIN = (-0.06, 0.12)
"""Of a crop, on each edge, as a share of the head's extent."""


@dataclass(frozen=True, slots=True)
class FlockPlan:
    """How a flock is drawn: how many individuals and photos of each, keypoints a photo, longest side in pixels.

    Attributes
    ----------
    widest : float, optional
        Radians up to which every yaw is as likely; without it, most heads are seen from the side.
    stretched : float
        Share of the photos that are seen in one of the upright simulated views (`retrieval.features.views`).
    fewest : int, optional
        Keypoints that a photo must have to be kept; a flock's photos then all have as many as the poorest of them.
        Without it, photos with less than `keypoints` are left out, which are those that show a head obliquely.
    """

    individuals: int = 4
    photos: int = 5
    keypoints: int = 512
    long_side: int = 320
    widest: float | None = None
    stretched: float = 0.0
    fewest: int | None = None

    @property
    def enough(self) -> int:
        return self.keypoints if self.fewest is None else self.fewest


@dataclass(frozen=True, slots=True, eq=False)
class Flock:
    """Photos of several individuals of one species and the true matches between photos of the same individual.

    Attributes
    ----------
    xy : float32 [p, n, 2], scale, orientation : float32 [p, n], descriptors : uint8 [p, n, 128]
        As `LocalFeatures`, p photos with n keypoints each.
    size : float32 [p, 2]
        Width and height of the photos.
    individual : int16 [p]
        Whose photo it is; the last individual is the first one mirrored.
    pairs : int16 [m, 2]
        Photos of the same individual.
    truth : int16 [m, 2, n]
        As `Truth`, for each of the pairs.
    """

    xy: Float32
    scale: Float32
    orientation: Float32
    descriptors: npt.NDArray[np.uint8]
    size: Float32
    individual: Int16
    pairs: Int16
    truth: Int16

    def save(self, path: Path) -> None:
        arrays = {name: getattr(self, name) for name in self.__slots__}
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> Flock:
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A photo's keypoints and which texel each of its pixels shows, float32 [h, w, 2], NaN beside the skin."""

    individual: int
    features: LocalFeatures
    skin: Float32


def make_flock(seed: int, plan: FlockPlan) -> Flock | None:
    """Draws the flock of this number; None when fewer than two photos have enough keypoints."""
    rng = seeded(5, seed)
    taken = []
    for individual in range(plan.individuals):
        # photos of other days mostly: those of one day share their water and are easy
        days = rng.choice(12, plan.photos, replace=rng.random() < 0.15)
        for day in days:
            photograph = int(day) * PHOTOS_PER_DAY + int(rng.integers(PHOTOS_PER_DAY))
            drawing = _drawn(individual, photograph, rng, plan, seed)
            taken += snapshots(as_seen(drawing, rng, plan), individual, plan)
    mirrored = as_seen(_drawn(0, 2, rng, plan, seed), rng, plan)
    taken += snapshots(flipped(mirrored), plan.individuals, plan)
    return assembled(taken) if len(taken) > 1 else None


def _drawn(individual: int, photograph: int, rng: np.random.Generator, plan: FlockPlan, species: int) -> Drawing:
    return draw_photograph(individual, photograph, Side.LEFT, picture_size(rng, plan), species, widest=plan.widest)


def flipped(drawing: Drawing) -> Drawing:
    """The picture mirrored and the map left as it was: of what a mirrored individual shows, nothing is a match."""
    return Drawing(np.ascontiguousarray(drawing.pixels[:, ::-1]), drawing.texels)


def picture_size(rng: np.random.Generator, plan: FlockPlan) -> tuple[int, int]:
    """Pictures of heads are a little wider than high, now and then higher than wide; some of them is cropped away."""
    ratio, longer = float(rng.uniform(0.58, 0.95)), round(plan.long_side * SPARE)
    short = round(longer * ratio)
    return (short, longer) if rng.random() < 0.12 else (longer, short)


def as_seen(drawing: Drawing, rng: np.random.Generator, plan: FlockPlan) -> Drawing:
    """The crop of a head as the network meets it: as it is or, the planned share of them, in a simulated view.

    What is squeezed is taken larger before, because few heads of the usual size keep enough keypoints then.
    """
    # no random number where none are stretched, so that old seeds keep their flocks
    if plan.stretched == 0 or rng.random() >= plan.stretched:
        return cropped(drawing, rng, plan.long_side)
    factor = float(rng.choice(STRETCHES))
    return stretched(cropped(drawing, rng, round(plan.long_side / min(1.0, factor))), factor)


def stretched(drawing: Drawing, factor: float) -> Drawing:
    """A drawing so many times as wide, as `stretched_across` does, with its map."""
    pixels = stretched_across(drawing.pixels, factor)
    height, width = pixels.shape[:2]
    return Drawing(pixels, np.asarray(cv2.resize(drawing.texels, (width, height)), np.float32))


def cropped(drawing: Drawing, rng: np.random.Generator, long_side: int) -> Drawing:
    """The head with a margin, sometimes cut into, its longer side `long_side` pixels."""
    height, width = drawing.pixels.shape[:2]
    rows, columns = np.nonzero(~np.isnan(drawing.texels[..., 0]))
    if len(rows):
        top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        margins = rng.uniform(*MARGIN, 4) * np.array([bottom - top, bottom - top, right - left, right - left])
        top, bottom = max(0, round(top - margins[0])), min(height, round(bottom + margins[1]))
        left, right = max(0, round(left - margins[2])), min(width, round(right + margins[3]))
    else:
        top, bottom, left, right = 0, height, 0, width
    zoom = long_side / max(bottom - top, right - left)
    size = (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom)))
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return Drawing(
        np.asarray(cv2.resize(drawing.pixels[top:bottom, left:right], size, interpolation=way), np.uint8),
        np.asarray(cv2.resize(drawing.texels[top:bottom, left:right], size), np.float32),
    )


def snapshots(drawing: Drawing, individual: int, plan: FlockPlan) -> list[Snapshot]:
    """One, or none when there are too few keypoints."""
    try:
        features = SiftExtractor(plan.keypoints, plan.long_side).extract(drawing.pixels)
    except TooFewKeypoints:
        return []
    return [Snapshot(individual, features, drawing.texels)] if len(features) >= plan.enough else []


def assembled(taken: Sequence[Snapshot]) -> Flock:
    """The photos, and the truth of every two of one individual."""
    n = min(len(snapshot.features) for snapshot in taken)
    taken = [replace(snapshot, features=_strongest(snapshot.features, n)) for snapshot in taken]
    pairs, truths = [], []
    for a, b in combinations(range(len(taken)), 2):
        if taken[a].individual == taken[b].individual:
            one, other = taken[a], taken[b]
            truth = true_matches(one.features, one.skin, other.features, other.skin)
            pairs.append((a, b))
            truths.append(np.stack([truth.first, truth.second]))
    every = [snapshot.features for snapshot in taken]
    return Flock(
        xy=np.stack([features.xy for features in every]),
        scale=np.stack([features.scale for features in every]),
        orientation=np.stack([features.orientation for features in every]),
        descriptors=np.stack([features.descriptors.astype(np.uint8) for features in every]),
        size=np.array([features.size for features in every], dtype=np.float32),
        individual=np.array([snapshot.individual for snapshot in taken], dtype=np.int16),
        pairs=np.array(pairs, dtype=np.int16).reshape(-1, 2),
        truth=np.array(truths, dtype=np.int16).reshape(-1, 2, n),
    )


def _strongest(features: LocalFeatures, count: int) -> LocalFeatures:
    """The first `count` keypoints: the strongest come first."""
    return replace(
        features,
        xy=features.xy[:count],
        scale=features.scale[:count],
        orientation=features.orientation[:count],
        descriptors=features.descriptors[:count],
    )
