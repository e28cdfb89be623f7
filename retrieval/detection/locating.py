"""From what a finder says of a photograph to what is done with it: a box that is taken, or a photo that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import PhotoRefused
from index.types import BoxOrigin, HeadBox, Sighting
from retrieval.defaults import Heads
from retrieval.detection.finder import Finding, FoundHead, HeadFinder
from retrieval.images import load_photo

LOOKED_AT = 1024
"""Longest side in pixels of the photos that a finder sees: JPEG files are decoded at a fraction of their size."""

SAMPLING = 1.9
"""Less than two, so that photos of 4,000 pixels are decoded at a half, which takes the third of the time."""

MARGIN = 1.25
"""A found box is enlarged so much, because a head that is cut off is worse than some water around it."""

SURE_SIDE = 0.9
"""A side is proposed when it is at least so probable."""

RIVAL = 0.5
"""A further head that is at least so sure makes it unclear which one is meant."""

FLATTEST = 4.0
"""Longer panoramas are not looked at."""


@dataclass(frozen=True, slots=True)
class Locator:
    """Says where the heads of photos are.

    Parameters
    ----------
    heads : Heads
        What becomes of photos without a box.
    finder : HeadFinder or None
        Needed for `Heads.AUTO`.
    """

    heads: Heads
    finder: HeadFinder | None

    def locate(
        self, sightings: Sequence[Sighting], each: Callable[..., Iterable[Any]] = map
    ) -> list[Sighting | PhotoRefused]:
        """The same sightings with the boxes that were found, or marked as waiting; a given box always stays.

        A photo of several heads waits: somebody has to say which one is meant.

        Parameters
        ----------
        each : callable
            Maps a function over a sequence, perhaps on many cores.
        """
        return [heads[0] for heads in self._located(sightings, each, several=False)]

    def locate_every(
        self, sightings: Sequence[Sighting], each: Callable[..., Iterable[Any]] = map
    ) -> list[list[Sighting | PhotoRefused]]:
        """The same, where each of several heads becomes a sighting of its own in photos of nobody in particular."""
        return self._located(sightings, each, several=True)

    def _located(
        self, sightings: Sequence[Sighting], each: Callable[..., Iterable[Any]], *, several: bool
    ) -> list[list[Sighting | PhotoRefused]]:
        if self.heads is Heads.WHOLE:
            return [[one] for one in sightings]
        if self.finder is None:
            return [[_waiting(one, "no box was given") if one.box is None else one] for one in sightings]
        open_ones = [row for row, one in enumerate(sightings) if one.box is None and one.box_origin is None]
        read = dict(zip(open_ones, each(_read, [sightings[row] for row in open_ones]), strict=True))
        shown = [row for row in open_ones if not isinstance(read[row], PhotoRefused) and not _too_long(read[row].size)]
        findings = dict(zip(shown, self.finder.find([read[row].pixels for row in shown]), strict=True))
        located: list[list[Sighting | PhotoRefused]] = [[one] for one in sightings]
        for row in open_ones:
            photo, seen = read[row], sightings[row]
            if isinstance(photo, PhotoRefused):
                located[row] = [photo]
            elif row not in findings:
                located[row] = [_waiting(seen, "it is too long and narrow to look for a head in it")]
            else:
                several_meant = several and seen.turtle is None and seen.encounter is None
                located[row] = [*decided(seen, findings[row], photo, self.finder.threshold, several=several_meant)]
        return located


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A photo as the finder sees it, and the (width, height) of the upright original."""

    pixels: Any
    size: tuple[int, int]


def sure_heads(finding: Finding, threshold: float) -> list[FoundHead]:
    """The surest head, where it is over the threshold, and others that are over it and likelier there than not."""
    return [
        head
        for number, head in enumerate(finding.heads)
        if head.confidence >= (threshold if number == 0 else max(threshold, RIVAL))
    ]


def decided(
    sighting: Sighting, finding: Finding, photo: _Read, threshold: float, *, several: bool = False
) -> list[Sighting]:
    """What follows from a finding: the sighting untouched, with a box, or waiting.

    Parameters
    ----------
    several : bool
        Whether each of several heads is a sighting of its own; else the photo waits.
    """
    if finding.cut_out:
        return [sighting]
    sure = sure_heads(finding, threshold)
    if not sure:
        best = finding.heads[0] if finding.heads else None
        return [_waiting(sighting, "no head was found in it surely" if best else "no head was found in it", best)]
    if len(sure) > 1 and not several:
        return [_waiting(sighting, f"{len(sure)} heads are in it, and somebody has to say which one is meant", sure[0])]
    boxed = [_boxed(sighting, head, photo) for head in sure]
    return boxed if len(boxed) == 1 else [_one_of(one, number, len(boxed)) for number, one in enumerate(boxed, 1)]


def _boxed(sighting: Sighting, head: FoundHead, photo: _Read) -> Sighting:
    side = head.side if sighting.side is None and head.side_probability >= SURE_SIDE else sighting.side
    return replace(
        sighting,
        box=_enlarged(head.box, photo),
        box_origin=BoxOrigin.FOUND,
        box_confidence=round(head.confidence, 4),
        side=side,
        turn=_quarters(head) if head.side is side else 0,
    )


def _quarters(head: FoundHead) -> int:
    """Clockwise, 0 to 3; none where the side is unclear, because up depends on it."""
    if head.angle is None or head.side_probability < SURE_SIDE:
        return 0
    return round(head.angle / (np.pi / 2)) % 4


def _one_of(sighting: Sighting, number: int, heads: int) -> Sighting:
    assert sighting.box is not None
    x, y, w, h = sighting.box.x, sighting.box.y, sighting.box.w, sighting.box.h
    words = f"shows {heads} heads; this is number {number}, in the box {x:g},{y:g},{w:g},{h:g}"
    return replace(sighting, remarks=(*sighting.remarks, words))


def _enlarged(box: HeadBox, photo: _Read) -> HeadBox:
    """In pixels of the upright original, in whole ones, inside of it."""
    height, width = photo.pixels.shape[:2]
    across, down = photo.size[0] / width, photo.size[1] / height
    left, top = box.x - box.w * (MARGIN - 1) / 2, box.y - box.h * (MARGIN - 1) / 2
    x, y = max(0, round(left * across)), max(0, round(top * down))
    right, bottom = round((left + box.w * MARGIN) * across), round((top + box.h * MARGIN) * down)
    return HeadBox(float(x), float(y), float(min(photo.size[0], right) - x), float(min(photo.size[1], bottom) - y))


def _waiting(sighting: Sighting, why: str, best: FoundHead | None = None) -> Sighting:
    words = f"waits for its head box, because {why}: `turtleidx photos list --no-head` shows how to draw it"
    return replace(
        sighting,
        box_origin=BoxOrigin.MISSING,
        box_confidence=None if best is None else round(best.confidence, 4),
        remarks=(*sighting.remarks, words),
    )


def _too_long(size: tuple[int, int]) -> bool:
    return max(size) > FLATTEST * min(size)


def _read(sighting: Sighting) -> _Read | PhotoRefused:
    try:
        photo = load_photo(Path(sighting.path), LOOKED_AT, sampling=SAMPLING)
    except PhotoRefused as refusal:
        return refusal
    return _Read(photo.pixels, photo.original_size)
