"""Match pictures for people: the query beside its best candidates, matched keypoints joined by confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from index.types import MATCH_THRESHOLD, LocalFeatures, Matches, Pixels

HEIGHT = 360
MARGIN = 10
CAPTION = 26
PAPER = (255, 255, 255)
INK = (30, 30, 30)
WEAK, STRONG = np.array([40, 70, 200.0]), np.array([255, 225, 30.0])
"""Colours of confidence 0 and 1; those between are mixed, so that brighter is surer in grey print too."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One candidate's photo and its matches with the query.

    Attributes
    ----------
    pixels : uint8 [h, w, 3]
        The candidate's thumbnail.
    features : LocalFeatures
        The candidate's keypoints, in pixels of its working image.
    """

    caption: str
    pixels: Pixels
    features: LocalFeatures
    matches: Matches


def match_picture(query: Pixels, features: LocalFeatures, panels: Sequence[Panel]) -> Pixels:
    """One row a candidate, the query on the left, RGB uint8 [h, w, 3]; lines join matches of confidence 0.1 or more."""
    rows = [_row(query, features, panel) for panel in panels]
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return np.asarray(sheet)


def _row(query: Pixels, features: LocalFeatures, panel: Panel) -> Image.Image:
    left, right = _scaled(query), _scaled(panel.pixels)
    row = Image.new("RGB", (left.width + right.width + 3 * MARGIN, HEIGHT + CAPTION + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(row)
    draw.text((MARGIN, MARGIN), panel.caption, fill=INK, font=ImageFont.load_default(15))
    top = CAPTION + MARGIN
    row.paste(left, (MARGIN, top))
    row.paste(right, (left.width + 2 * MARGIN, top))
    own = _placed(features, left, MARGIN, top)
    other = _placed(panel.features, right, left.width + 2 * MARGIN, top)
    for at in np.argsort(panel.matches.confidence):
        confidence = float(panel.matches.confidence[at])
        if confidence >= MATCH_THRESHOLD:
            a, b = panel.matches.pairs[at]
            _join(draw, own[a], other[b], _colour(confidence))
    return row


def _scaled(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT), Image.Resampling.LANCZOS)


def _placed(features: LocalFeatures, image: Image.Image, left: int, top: int) -> npt.NDArray[np.float64]:
    """Keypoints on the sheet, by the half-pixel rule."""
    factor = np.array([image.width / features.size[0], image.height / features.size[1]])
    return np.asarray((features.xy + 0.5) * factor - 0.5 + (left, top), np.float64)


def _join(
    draw: ImageDraw.ImageDraw, a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], colour: tuple[int, int, int]
) -> None:
    draw.line([(a[0], a[1]), (b[0], b[1])], fill=colour, width=2)
    for x, y in (a, b):
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], outline=colour, width=2)


def _colour(confidence: float) -> tuple[int, int, int]:
    r, g, b = (WEAK + (STRONG - WEAK) * min(1.0, confidence)).astype(int)
    return int(r), int(g), int(b)
