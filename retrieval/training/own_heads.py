"""`train detector`: the head finder learns from the boxes that people drew on a catalogue's own photos.

Folds are of whole turtles, so that no turtle is judged by a network that has seen it. New networks are kept only when
what they gain on turtles that they have not seen is more than its standard error; and only boxes of many turtles make
a threshold that promises something.
"""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.catalog import Browser, Catalog, store_network
from index.errors import InputError, PhotoRefused
from index.registry import PhotoRecord
from index.types import BoxOrigin, HeadBox, Pixels, Progress, Side
from retrieval.detection import LOOKED_AT, SAMPLING, HeadNetwork, SmallHeadFinder, resized, size_for
from retrieval.images import load_photo
from retrieval.pipeline import FINDER, original, own_finder
from retrieval.training.detector import BATCH, Example, Judged, misses, save_finder, stored, threshold_for, train

LEAST_BOXES, LEAST_TURTLES = 10, 5
"""Below which nothing is learnt that holds for others."""
FOLDS = 5
STEPS, RATE = 60, 1e-3
"""Batches that each network learns from, so that few boxes and many take the same minutes."""
MISSED = 0.05
"""Share of accepted boxes that may miss."""
DOUBT = 0.2
"""Probability of a promise that does not hold, as elsewhere where few turtles have to do."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A box that a person gave, as training reads it (`retrieval.training.detector.Labelled`)."""

    box: HeadBox
    side: Side | None
    profile: float = 1.0
    angle: float | None = None


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """What came of it.

    Attributes
    ----------
    found_before, found_after : float
        Share of heads of which the surest box, enlarged, holds nine tenths; on turtles that were not learnt from.
    gain, error : float
        Mean gain a turtle, and its standard error.
    replaced, certified : bool
        Whether the new networks are in use, and whether the threshold promises that at most 5 % of accepted boxes miss.
    accepted : float
        Share of the heads that are over the threshold.
    path : Path
        The finder that is in use now.
    """

    boxes: int
    turtles: int
    found_before: float
    found_after: float
    gain: float
    error: float
    replaced: bool
    threshold: float
    certified: bool
    accepted: float
    path: Path


def train_detector(
    catalog: Catalog, who: str, device: str | None = None, seed: int = 0, progress: Progress | None = None
) -> DetectorReport:
    """Train on the boxes of the catalogue's photos that people gave or drew, and keep what is better.

    Parameters
    ----------
    progress : callable or None
        Called with the number of steps of work that were just done.

    Raises
    ------
    InputError
        There are too few boxes, or too few turtles.
    WeightsUnavailable, WeightsCorrupt, CatalogDamaged, CatalogBusy
    """
    told: Progress = progress or _nobody_listens
    records = [one for one in Browser(catalog).photos() if one.box_origin in (BoxOrigin.GIVEN, BoxOrigin.PERSON)]
    _require_enough(records)
    finder = SmallHeadFinder.load(own_finder(catalog), device)
    examples, groups = _examples(catalog, finder, records, told)
    _require_enough([records[row] for row in groups.rows])
    shown = Shown(catalog, groups.together)
    before = misses(finder, shown)
    after = _cross_validated(finder, examples, shown, groups.codes, seed, told)
    gain, error = _gained(before, after, groups.codes)
    replaced = gain > error
    judged = after if replaced else before
    networks = _tuned(finder.networks, examples, seed, told) if replaced else finder.networks
    threshold, certified = certified_threshold(judged, groups.codes)
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "heads.safetensors"
        save_finder(written, networks, threshold, certified=certified)
        path = store_network(catalog, FINDER, written, who)
    return DetectorReport(
        boxes=len(examples),
        turtles=len(set(groups.codes.tolist())),
        found_before=1 - float(before.missed.mean()),
        found_after=1 - float(after.missed.mean()),
        gain=gain,
        error=error,
        replaced=replaced,
        threshold=threshold,
        certified=certified,
        accepted=float((judged.confidence >= threshold).mean()),
        path=path,
    )


def _nobody_listens(done: int, total: int | None = None) -> None:
    del done, total


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Which records each example is of, the row of its first one, and the codes of their turtles, int64 [n]."""

    together: list[list[PhotoRecord]]
    rows: list[int]
    codes: npt.NDArray[np.int64]


def _require_enough(records: Sequence[PhotoRecord]) -> None:
    turtles = {_individual(one) for one in records}
    if len(records) < LEAST_BOXES or len(turtles) < LEAST_TURTLES:
        raise InputError(
            f"There are {len(records)} head boxes of {len(turtles)} turtles that people gave, and {LEAST_BOXES} of "
            f"{LEAST_TURTLES} are the least to learn from: draw more with `turtleidx photos box` or `turtleidx review`."
        )


def _individual(record: PhotoRecord) -> object:
    """A turtle, or the encounter of nobody."""
    return record.turtle or record.encounter


def _examples(
    catalog: Catalog, finder: SmallHeadFinder, records: Sequence[PhotoRecord], told: Progress
) -> tuple[list[Example], _Groups]:
    """Features and labels of the photos whose originals can be read; all boxes of one file are one example."""
    by_file: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        by_file.setdefault(record.sha256, []).append(row)
    examples, rows, kept = [], [], []
    codes: dict[object, int] = {}
    for together in by_file.values():
        told(1)
        first = records[together[0]]
        try:
            photo = load_photo(original(first, catalog), LOOKED_AT, sampling=SAMPLING)
        except PhotoRefused:
            continue
        size = size_for(photo.pixels.shape[1], photo.pixels.shape[0])
        across, down = size[0] / photo.original_size[0], size[1] / photo.original_size[1]
        heads = [Drawn(_scaled(box, across, down), records[row].side) for row in together if (box := records[row].box)]
        examples.append(stored(finder.backbone, resized(photo.pixels, size), heads, whole=None))
        rows.append(together[0])
        kept.append([records[row] for row in together])
    numbered = [codes.setdefault(_individual(records[row]), len(codes)) for row in rows]
    return examples, _Groups(kept, rows, np.array(numbered, np.int64))


def _scaled(box: HeadBox, across: float, down: float) -> HeadBox:
    return HeadBox(box.x * across, box.y * down, box.w * across, box.h * down)


@dataclass(frozen=True, slots=True)
class Shown:
    """The photos of some records, read again each time, as the finder sees them, with their boxes."""

    catalog: Catalog
    together: Sequence[Sequence[PhotoRecord]]

    def __iter__(self) -> Iterator[tuple[Pixels, list[HeadBox]]]:
        for records in self.together:
            photo = load_photo(original(records[0], self.catalog), LOOKED_AT, sampling=SAMPLING)
            across, down = (photo.pixels.shape[1 - axis] / photo.original_size[axis] for axis in (0, 1))
            yield photo.pixels, [_scaled(one.box, across, down) for one in records if one.box]

    def only(self, rows: Sequence[int]) -> Shown:
        """Those of these rows."""
        return Shown(self.catalog, [self.together[row] for row in rows])


def _cross_validated(
    finder: SmallHeadFinder,
    examples: Sequence[Example],
    shown: Shown,
    codes: npt.NDArray[np.int64],
    seed: int,
    told: Progress,
) -> Judged:
    """Every photo judged by networks that have learnt from other turtles only."""
    folds = np.random.default_rng(seed).permutation(int(codes.max()) + 1) % FOLDS
    confidence, missed = np.zeros(len(examples)), np.zeros(len(examples), bool)
    for fold in range(FOLDS):
        held = np.flatnonzero(folds[codes] == fold)
        if not len(held):
            continue
        learnt = [one for one, code in zip(examples, codes, strict=True) if folds[code] != fold]
        tuned = SmallHeadFinder(finder.backbone, _tuned(finder.networks, learnt, seed, told), "tuned", 0.0)
        judged = misses(tuned, shown.only(held.tolist()))
        confidence[held], missed[held] = judged.confidence, judged.missed
    return Judged(confidence, missed)


def _tuned(
    networks: Sequence[HeadNetwork], examples: Sequence[Example], seed: int, told: Progress
) -> list[HeadNetwork]:
    tuned = []
    for number, network in enumerate(networks):
        start = copy.deepcopy(network).cpu()
        rounds = max(2, round(STEPS * BATCH / len(examples)))
        tuned.append(train(examples, rounds, seed + number, start, RATE))
        told(1)
    return tuned


def _gained(before: Judged, after: Judged, codes: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Mean gain in heads that do not miss, a turtle, and its standard error."""
    better = before.missed.astype(float) - after.missed
    count = np.bincount(codes)
    means = np.bincount(codes, better) / count
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def certified_threshold(judged: Judged, codes: npt.NDArray[np.int64]) -> tuple[float, bool]:
    """The lowest threshold that keeps the promise for turtles that nobody has seen yet, and whether there is one.

    Turtles count, not photos: of n that are accepted, so few miss that a share of 5 % or more would have given as few
    with a probability of at most `DOUBT`. Thresholds are tested from the strictest one on, and the first that fails
    ends it (fixed sequence testing; Angelopoulos et al., Learn then Test, 2021), because the best of many tries would
    promise too much. Otherwise the threshold is the one over which no more than 5 % missed here, and promises nothing.
    """
    kept: float | None = None
    for threshold in np.unique(judged.confidence)[::-1]:
        accepted = judged.confidence >= threshold
        count = np.bincount(codes, accepted)
        risks = np.bincount(codes, accepted & judged.missed) / np.maximum(count, 1)
        turtles = int((count > 0).sum())
        if _as_few(0, turtles) > DOUBT:
            continue
        if _as_few(math.ceil(risks.sum() - 1e-9), turtles) > DOUBT:
            break
        kept = float(threshold)
    return (threshold_for(judged, MISSED), False) if kept is None else (kept, True)


def _as_few(missed: int, turtles: int) -> float:
    """Probability of so few misses or fewer, where each turtle misses with a probability of `MISSED`."""
    each = (math.comb(turtles, k) * MISSED**k * (1 - MISSED) ** (turtles - k) for k in range(missed + 1))
    return sum(each)
