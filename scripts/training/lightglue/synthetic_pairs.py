"""Training material: flocks of drawn turtles of one species, as SIFT features with known correspondence.

Photos are cropped to the head, more or less tightly, as photos for identification are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from index.errors import TooFewKeypoints
from index.types import Float32, LocalFeatures, Side
from retrieval.features import SiftExtractor
from synthetic.heads import PHOTOS_PER_DAY, Drawing, draw_photograph
from synthetic.noise import seeded
from training.lightglue.correspondence import Int16, true_matches

SPARE = 1.2
"""By how much longer pictures are drawn than the crop of the head shall be."""
MARGIN = (-0.06, 0.12)
"""Of a crop, on each edge, as a share of the head's extent."""


@dataclass(frozen=True, slots=True)
class FlockPlan:
    """How a flock is drawn: how many individuals and photos of each, keypoints a photo, longest side in pixels."""

    individuals: int = 4
    photos: int = 5
    keypoints: int = 512
    long_side: int = 320


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
    individual: int
    features: LocalFeatures
    skin: Float32


def make_flock(seed: int, plan: FlockPlan) -> Flock | None:
    """Draws the flock of this number; None when fewer than two photos have enough keypoints."""
    rng = seeded(5, seed)
    extractor = SiftExtractor(plan.keypoints, plan.long_side)
    snapshots = []
    for individual in range(plan.individuals):
        # photos of other days mostly: those of one day share their water and are easy
        days = rng.choice(12, plan.photos, replace=rng.random() < 0.15)
        for day in days:
            photograph = int(day) * PHOTOS_PER_DAY + int(rng.integers(PHOTOS_PER_DAY))
            drawing = draw_photograph(individual, photograph, Side.LEFT, _picture_size(rng, plan), seed)
            snapshots += _snapshots(cropped(drawing, rng, plan.long_side), individual, extractor)
    mirrored = cropped(draw_photograph(0, 2, Side.LEFT, _picture_size(rng, plan), seed), rng, plan.long_side)
    flipped = Drawing(np.ascontiguousarray(mirrored.pixels[:, ::-1]), mirrored.texels)
    snapshots += _snapshots(flipped, plan.individuals, extractor)
    return _assemble(snapshots) if len(snapshots) > 1 else None


def _picture_size(rng: np.random.Generator, plan: FlockPlan) -> tuple[int, int]:
    """Pictures of heads are a little wider than high, now and then higher than wide; some of them is cropped away."""
    ratio, longer = float(rng.uniform(0.58, 0.95)), round(plan.long_side * SPARE)
    short = round(longer * ratio)
    return (short, longer) if rng.random() < 0.12 else (longer, short)


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


def _snapshots(drawing: Drawing, individual: int, extractor: SiftExtractor) -> list[Snapshot]:
    """One, or none when there are too few keypoints to fill a row."""
    try:
        features = extractor.extract(drawing.pixels)
    except TooFewKeypoints:
        return []
    full = len(features) == extractor.keypoints
    return [Snapshot(individual, features, drawing.texels)] if full else []


def _assemble(snapshots: list[Snapshot]) -> Flock:
    n = len(snapshots[0].features)
    pairs, truths = [], []
    for a, b in combinations(range(len(snapshots)), 2):
        if snapshots[a].individual == snapshots[b].individual:
            one, other = snapshots[a], snapshots[b]
            truth = true_matches(one.features, one.skin, other.features, other.skin)
            pairs.append((a, b))
            truths.append(np.stack([truth.first, truth.second]))
    every = [snapshot.features for snapshot in snapshots]
    return Flock(
        xy=np.stack([features.xy for features in every]),
        scale=np.stack([features.scale for features in every]),
        orientation=np.stack([features.orientation for features in every]),
        descriptors=np.stack([features.descriptors.astype(np.uint8) for features in every]),
        size=np.array([features.size for features in every], dtype=np.float32),
        individual=np.array([snapshot.individual for snapshot in snapshots], dtype=np.int16),
        pairs=np.array(pairs, dtype=np.int16).reshape(-1, 2),
        truth=np.array(truths, dtype=np.int16).reshape(-1, 2, n),
    )
