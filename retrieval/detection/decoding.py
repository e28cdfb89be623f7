"""From predictions for every cell to heads."""

from __future__ import annotations

import numpy as np

from index.types import Float32, HeadBox, Side
from retrieval.detection.finder import FoundHead
from retrieval.detection.network import CELL

LEAST = 0.02
"""Peaks below are nothing."""
MOST = 8
"""Heads of one photo, at most."""
OVERLAP = 0.35
"""Two boxes whose intersection is more than this part of their union, or twice this part of the smaller, are one."""


def heads_in(
    heat: Float32, reach: Float32, right: Float32, snout: Float32, scale: tuple[float, float]
) -> list[FoundHead]:
    """Heads, surest first.

    Parameters
    ----------
    heat, right : float32 [h, w]
        Probabilities.
    reach : float32 [4, h, w]
        Distances in cells.
    snout : float32 [2, h, w]
    scale : (across, down)
        Pixels of the photo for a pixel that the network saw.
    """
    found: list[tuple[float, Float32, tuple[slice, slice]]] = []
    for row, column in _peaks(heat):
        box = _box(heat, reach, row, column)
        if all(not _same(box, other) for _, other, _ in found):
            around = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
            found.append((float(heat[row, column]), box, around))
        if len(found) == MOST:
            break
    return [_head(confidence, box, around, heat, right, snout, scale) for confidence, box, around in found]


def _head(
    confidence: float,
    box: Float32,
    around: tuple[slice, slice],
    heat: Float32,
    right: Float32,
    snout: Float32,
    scale: tuple[float, float],
) -> FoundHead:
    weight = heat[around] / heat[around].sum()
    of_right = float((right[around] * weight).sum())
    along = (snout[(slice(None), *around)] * weight).sum((-2, -1))
    side = Side.RIGHT if of_right >= 0.5 else Side.LEFT
    straight = 0.0 if side is Side.RIGHT else np.pi
    angle = float(np.angle(np.exp(1j * (straight - np.arctan2(along[1], along[0])))))
    left, top, end, bottom = (box * CELL * np.array([*scale, *scale])).tolist()
    return FoundHead(HeadBox(left, top, end - left, bottom - top), confidence, side, max(of_right, 1 - of_right), angle)


def _peaks(heat: Float32) -> list[tuple[int, int]]:
    """Cells that are hotter than their eight neighbours, hottest first."""
    padded = np.pad(heat, 1, constant_values=-1)
    h, w = heat.shape
    around = np.max([padded[i : i + h, j : j + w] for i in range(3) for j in range(3)], axis=0)
    rows, columns = np.nonzero((heat >= around) & (heat > LEAST))
    order = np.argsort(-heat[rows, columns], kind="stable")
    return [(int(rows[i]), int(columns[i])) for i in order]


def _box(heat: Float32, reach: Float32, row: int, column: int) -> Float32:
    """Left, top, right, bottom in cells: what a peak and its neighbours say, weighted by heat; kept in the photo."""
    h, w = heat.shape
    rows, columns = np.mgrid[max(0, row - 1) : min(h, row + 2), max(0, column - 1) : min(w, column + 2)]
    weight = heat[rows, columns] ** 2
    weight = weight / weight.sum()
    left, up, to_right, down = (reach[i][rows, columns] for i in range(4))
    edges = [columns + 0.5 - left, rows + 0.5 - up, columns + 0.5 + to_right, rows + 0.5 + down]
    box = np.array([(edge * weight).sum() for edge in edges], np.float32)
    return np.clip(box, 0, np.array([w, h, w, h], np.float32))


def _same(one: Float32, other: Float32) -> bool:
    size = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None)
    overlap = float(size.prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (one, other)]
    return overlap > OVERLAP * (sum(areas) - overlap) or overlap > 2 * OVERLAP * min(areas)


def iou(one: HeadBox, other: HeadBox) -> float:
    """Intersection of two boxes over their union."""
    wide = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    high = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    overlap = max(0.0, wide) * max(0.0, high)
    return overlap / max(1e-9, one.w * one.h + other.w * other.h - overlap)


def coverage(box: HeadBox, head: HeadBox, enlarged: float = 1.25) -> float:
    """Which part of a head lies in a box that was enlarged about its middle."""
    x, y = box.x - box.w * (enlarged - 1) / 2, box.y - box.h * (enlarged - 1) / 2
    wide = min(x + box.w * enlarged, head.x + head.w) - max(x, head.x)
    high = min(y + box.h * enlarged, head.y + head.h) - max(y, head.y)
    return max(0.0, wide) * max(0.0, high) / max(1e-9, head.w * head.h)
