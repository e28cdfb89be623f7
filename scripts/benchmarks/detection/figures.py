"""What a finder's answers are worth: shares with their intervals, of frames with heads, cut-out heads and neither."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.types import HeadBox, Pixels, Side
from retrieval.detection import MARGIN, Finding, HeadFinder, coverage, iou, sure_heads

ENOUGH = 0.9
"""Of a head that has to lie in its enlarged box."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A photograph, where its heads are, and which side each shows (None where it hardly shows one)."""

    pixels: Pixels
    boxes: tuple[HeadBox, ...]
    sides: tuple[Side | None, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a finder said of a frame with heads; `side` is None where there is nothing to be right about."""

    confidence: float
    accepted: bool
    overlap: float
    covered: float
    side: bool | None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with Wilson's interval of 95 %."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        z, p, n = 1.96, self.hits / self.of, self.of
        middle, half = (p + z * z / (2 * n)), z * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    def __str__(self) -> str:
        low, high = self.interval
        return "" if self.value is None else f"{self.value:.3f} ({low:.2f} to {high:.2f}; {self.of})"


def measured(finder: HeadFinder, frames: Iterable[Frame]) -> dict[str, Share | float]:
    """The figures of a set of frames."""
    looked: list[Looked] = []
    empty: list[bool] = []
    seconds: list[float] = []
    for frame in frames:
        started = time.process_time()
        [finding] = finder.find([frame.pixels])
        seconds.append(time.process_time() - started)
        if frame.boxes:
            looked.append(compared(finder, finding, frame))
        else:
            empty.append(not sure_heads(finding, finder.threshold))
    accepted = [one for one in looked if one.accepted]
    sided = [one for one in accepted if one.side is not None]
    told = [one for one in looked if one.side is not None]
    return {
        "found, of all": share([one.overlap > 0.5 for one in looked]),
        "accepted": share([one.accepted for one in looked]),
        "found, of the accepted": share([one.overlap > 0.5 for one in accepted]),
        "found, of the surest 70 %": share([one.overlap > 0.5 for one in _surest(looked, 0.7)]),
        "IoU over 0.7, of all": share([one.overlap > 0.7 for one in looked]),
        "90 % within 1.25 x, of all": share([one.covered >= ENOUGH for one in looked]),
        "90 % within 1.25 x, of the accepted": share([one.covered >= ENOUGH for one in accepted]),
        "side right, of all": share([bool(one.side) for one in told]),
        "side right, of the accepted": share([bool(one.side) for one in sided]),
        "nothing in frames without turtles": share(empty),
        "median IoU": float(np.median([one.overlap for one in looked])),
        "CPU seconds a frame": float(np.median(seconds)),
    }


def compared(finder: HeadFinder, finding: Finding, frame: Frame) -> Looked:
    """The surest head against the true one that it overlaps most."""
    if not finding.heads:
        return Looked(0.0, False, 0.0, 0.0, None)
    best = finding.heads[0]
    overlaps = [iou(best.box, box) for box in frame.boxes]
    meant = int(np.argmax(overlaps))
    told = frame.sides[meant]
    return Looked(
        confidence=best.confidence,
        accepted=not finding.cut_out and len(sure_heads(finding, finder.threshold)) == 1,
        overlap=overlaps[meant],
        covered=coverage(best.box, frame.boxes[meant], MARGIN),
        side=None if told is None or best.side is None else best.side is told,
    )


def alone(finder: HeadFinder, photos: Iterable[Pixels]) -> Share:
    """How many cut-out heads are left as they are."""
    return share([finder.find([one])[0].cut_out for one in photos])


def in_empty(finder: HeadFinder, photos: Iterable[Pixels]) -> tuple[Share, Share]:
    """Photos without a turtle in which nothing is sure, and those that are not taken for cut-out heads either."""
    found = [finder.find([one])[0] for one in photos]
    nothing = [not sure_heads(one, finder.threshold) for one in found]
    return share(nothing), share([sure and not one.cut_out for sure, one in zip(nothing, found, strict=True)])


def _surest(looked: Sequence[Looked], share: float) -> list[Looked]:
    return sorted(looked, key=lambda one: -one.confidence)[: round(share * len(looked))]


def share(hits: Sequence[bool]) -> Share:
    return Share(sum(hits), len(hits))
