"""What a second look at another scale says beside the first one."""

from __future__ import annotations

from dataclasses import replace

from index.types import HeadBox, Pixels
from retrieval.detection.decoding import iou
from retrieval.detection.finder import Finding, FoundHead

TINY = 0.1
"""A head that takes less than this part of the width is looked at from nearer."""
ZOOM = 1.5
"""How much nearer."""
LARGE, VERY_SURE = 0.5, 0.75
"""A head that takes more of the width, or that is less sure, is looked at from farther away."""
SAME = 0.4
"""Boxes of two looks whose intersection is more than this part of their union are of one head."""

Window = tuple[slice, slice]
"""Rows and columns of a photo."""


def window_about(box: HeadBox, photo: Pixels) -> Window:
    """The part of a photo, a ZOOMth of its sides, that has the box as nearly in its middle as fits."""
    height, width = photo.shape[:2]
    high, wide = max(1, round(height / ZOOM)), max(1, round(width / ZOOM))
    top = min(max(0, round(box.y + box.h / 2 - high / 2)), height - high)
    left = min(max(0, round(box.x + box.w / 2 - wide / 2)), width - wide)
    return slice(top, top + high), slice(left, left + wide)


def nearer(first: Finding, seen: Finding, window: Window) -> Finding:
    """The first look, led by the head that the look into the window is surest of, where it is surer than the first.

    It is as sure as both on average: a look that is taken because the first one saw little would find too much alone.
    """
    if not seen.heads or seen.heads[0].confidence <= first.heads[0].confidence:
        return first
    best = seen.heads[0]
    box = HeadBox(best.box.x + window[1].start, best.box.y + window[0].start, best.box.w, best.box.h)
    confidence = (best.confidence + first.heads[0].confidence) / 2
    others = [one for one in first.heads if iou(one.box, box) <= SAME]
    return replace(first, heads=(replace(best, box=box, confidence=confidence), *others))


def wants_steadying(head: FoundHead, photo: Pixels) -> bool:
    """Whether a look from farther away is worth its time."""
    return head.confidence < VERY_SURE or head.box.w > LARGE * photo.shape[1]


def steadied(first: Finding, seen: Finding) -> Finding:
    """The first look with the boxes halfway to those of the same heads in the other look; all else stays."""
    return replace(first, heads=tuple(_steadied(one, seen) for one in first.heads))


def _steadied(head: FoundHead, seen: Finding) -> FoundHead:
    other = max((one.box for one in seen.heads), key=lambda box: iou(box, head.box), default=None)
    if other is None or iou(other, head.box) <= SAME:
        return head
    return replace(head, box=halfway(head.box, other))


def halfway(one: HeadBox, other: HeadBox) -> HeadBox:
    """The box between two."""
    return HeadBox((one.x + other.x) / 2, (one.y + other.y) / 2, (one.w + other.w) / 2, (one.h + other.h) / 2)
