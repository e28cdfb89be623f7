"""Batches of keypoint pairs from stored flocks, varied at keypoint level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from index.types import Float32
from retrieval.features import rootsift
from retrieval.matching.lightglue.positions import normalise
from synthetic.noise import seeded
from training.lightglue.correspondence import UNMATCHED, Int16
from training.lightglue.synthetic_pairs import Flock

FEWEST_MATCHES = 8
"""True pairs with fewer matches teach little and look like pairs of different individuals."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of the kinds of pairs; the rest are true pairs.

    Attributes
    ----------
    hard : float
        Two individuals of one species.
    easy : float
        Two individuals of different species.
    mirrored : float
        An individual and its own mirror image.
    """

    hard: float = 0.42
    easy: float = 0.04
    mirrored: float = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One side of a batch: RootSIFT [B, n, 128] and positions [B, n, 4] as the network wants them."""

    descriptors: Tensor
    positions: Tensor

    def to(self, device: torch.device) -> Half:
        return Half(self.descriptors.to(device), self.positions.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Pairs with truth: int64 [B, n] each way, a counterpart's row, UNMATCHED or IGNORED; bool [B] for true pairs."""

    first: Half
    second: Half
    truth_first: Tensor
    truth_second: Tensor
    same: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(
            self.first.to(device),
            self.second.to(device),
            self.truth_first.to(device),
            self.truth_second.to(device),
            self.same.to(device),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """Which photos make a pair, and which stored truth it has (None: nothing matches)."""

    flock: int
    photo: int
    other_flock: int
    other_photo: int
    pair: int | None
    mirror: tuple[bool, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Keypoints of one photo while they are varied."""

    xy: Float32
    scale: Float32
    orientation: Float32
    descriptors: Float32
    size: Float32

    def take(self, rows: npt.NDArray[np.int64]) -> Points:
        return Points(self.xy[rows], self.scale[rows], self.orientation[rows], self.descriptors[rows], self.size)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two photos' keypoints and the truth from either, as `Truth`."""

    first: Points
    second: Points
    truth_first: Int16
    truth_second: Int16


def mirrored_rows() -> npt.NDArray[np.int64]:
    """Where each number of a SIFT descriptor goes when the image is mirrored: rows and directions turn round."""
    layout = np.arange(128).reshape(4, 4, 8)
    flipped: npt.NDArray[np.int64] = layout[::-1, :, (-np.arange(8)) % 8].reshape(-1)
    return flipped


MIRRORED = mirrored_rows()


def plentiful(flock: Flock) -> npt.NDArray[np.int64]:
    """True pairs with enough matches to learn from; all of them when none has."""
    enough = np.flatnonzero((flock.truth[:, 0] >= 0).sum(1) >= FEWEST_MATCHES)
    return enough if len(enough) else np.arange(len(flock.pairs))


def load_flocks(folder: Path, limit: int | None = None) -> list[Flock]:
    """Every stored flock with a true pair and two individuals, in the order of their seeds."""
    flocks = [Flock.load(path) for path in sorted(folder.glob("flock-*.npz"))[:limit]]
    return [flock for flock in flocks if len(flock.pairs) and len(np.unique(flock.individual)) > 1]


class PairSource:
    """An endless, seeded stream of batches."""

    def __init__(
        self, flocks: Sequence[Flock], batch: int, keypoints: int, mixture: Mixture | None = None, vary: bool = True
    ) -> None:
        self.flocks = flocks
        self.batch = batch
        self.keypoints = keypoints
        self.mixture = mixture or Mixture()
        self.vary = vary

    def batches(self, seed: int, start: int = 0) -> Iterator[Batch]:
        """Batch `start` and those after it; each depends on its number and the seed only."""
        number = start
        while True:
            rng = seeded(6, seed, number)
            yield _collate([self._pair(rng, self._pick(rng)) for _ in range(self.batch)])
            number += 1

    def _pick(self, rng: np.random.Generator) -> Pick:
        kind = rng.random()
        mix = self.mixture
        i = int(rng.integers(len(self.flocks)))
        flock = self.flocks[i]
        flip = bool(rng.random() < 0.5)
        if kind < mix.hard:
            a = int(rng.integers(len(flock.individual)))
            others = np.flatnonzero(flock.individual != flock.individual[a])
            return Pick(i, a, i, int(rng.choice(others)), None, (flip, flip))
        if kind < mix.hard + mix.easy:
            j = (i + int(rng.integers(1, max(2, len(self.flocks))))) % len(self.flocks)
            a, b = int(rng.integers(len(flock.individual))), int(rng.integers(len(self.flocks[j].individual)))
            return Pick(i, a, j, b, None, (flip, bool(rng.random() < 0.5)))
        pair = int(rng.choice(plentiful(flock)))
        a, b = (int(photo) for photo in flock.pairs[pair])
        if kind < mix.hard + mix.easy + mix.mirrored:
            return Pick(i, a, i, b, None, (flip, not flip))
        return Pick(i, a, i, b, pair, (flip, flip))

    def _pair(self, rng: np.random.Generator, pick: Pick) -> Pair:
        first = _points(self.flocks[pick.flock], pick.photo, pick.mirror[0])
        second = _points(self.flocks[pick.other_flock], pick.other_photo, pick.mirror[1])
        nothing: Int16 = np.full((2, max(len(first.xy), len(second.xy))), UNMATCHED, dtype=np.int16)
        truth = nothing if pick.pair is None else self.flocks[pick.flock].truth[pick.pair]
        if self.vary:
            together = rng.normal(0, 0.3) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi)
            first = _varied(rng, first, together + rng.normal(0, 0.15))
            second = _varied(rng, second, together + rng.normal(0, 0.15))
        if rng.random() < 0.5:
            first, second, truth = second, first, truth[::-1]
        # some of the strongest: from exactly those that a small photo would have to any of a large one's
        fewest = min(len(first.xy), len(second.xy))
        pool = int(rng.integers(min(self.keypoints, fewest), fewest + 1))
        own, other = (rng.permutation(pool)[: self.keypoints] for _ in range(2))
        return Pair(
            first.take(own),
            second.take(other),
            _renumbered(truth[0], own, other),
            _renumbered(truth[1], other, own),
        )


def _collate(pairs: Sequence[Pair]) -> Batch:
    truth_first = torch.from_numpy(np.stack([pair.truth_first for pair in pairs]).astype(np.int64))
    truth_second = torch.from_numpy(np.stack([pair.truth_second for pair in pairs]).astype(np.int64))
    halves = _half([pair.first for pair in pairs]), _half([pair.second for pair in pairs])
    return Batch(*halves, truth_first, truth_second, (truth_first >= 0).any(1))


def _points(flock: Flock, photo: int, mirror: bool) -> Points:
    xy, orientation, descriptors = flock.xy[photo], flock.orientation[photo], flock.descriptors[photo]
    if mirror:
        xy = np.stack([flock.size[photo, 0] - 1 - xy[:, 0], xy[:, 1]], -1)
        orientation, descriptors = np.float32(np.pi) - orientation, descriptors[:, MIRRORED]
    return Points(xy, flock.scale[photo], orientation, rootsift(descriptors), flock.size[photo])


def _varied(rng: np.random.Generator, points: Points, turn: float) -> Points:
    """Turned about the image centre, zoomed, stretched, shifted and jittered; a little noise on the descriptors."""
    centre = points.size / 2
    zoom, stretch = np.exp(rng.normal(0, 0.10)), np.exp(rng.normal(0, 0.04))
    c, s = np.cos(turn), np.sin(turn)
    warp = (np.array([[c, -s], [s, c]]) @ np.diag([zoom * stretch, zoom / stretch])).astype(np.float32)
    moved = (points.xy - centre) @ warp.T + centre + rng.normal(0, 8, 2) + rng.normal(0, 0.5, points.xy.shape)
    noisy = points.descriptors + rng.normal(0, 0.01, points.descriptors.shape)
    return Points(
        moved.astype(np.float32),
        (points.scale * zoom * np.exp(rng.normal(0, 0.05, points.scale.shape))).astype(np.float32),
        (points.orientation + turn + rng.normal(0, 0.05, points.orientation.shape)).astype(np.float32),
        (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32),
        points.size,
    )


def _renumbered(truth: Int16, own: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> Int16:
    """Truth among the kept keypoints; whose counterpart was dropped has none now."""
    rows = np.full(len(truth), UNMATCHED, dtype=np.int16)
    rows[other] = np.arange(len(other))
    kept = truth[own]
    found: Int16 = np.where(kept >= 0, rows[np.maximum(kept, 0)], kept).astype(np.int16)
    return found


def _half(points: Sequence[Points]) -> Half:
    def stack(arrays: Sequence[Float32]) -> Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32))

    xy, scale = stack([p.xy for p in points]), stack([p.scale for p in points])
    orientation, size = stack([p.orientation for p in points]), stack([p.size for p in points])
    descriptors = stack([p.descriptors for p in points])
    return Half(descriptors, normalise(xy, scale, orientation, size, with_scale_ori=True))
