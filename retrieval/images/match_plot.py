"""Match pictures for people: what was asked and answered, and beside each candidate what speaks for it.

The pattern stays free: on the photos only a few numbered rings, whose middle is empty. What they enclose stands beside
them in pairs of crops, the candidate's turned and scaled as the query's; all matches are lines in a small copy. Every
mark has a dark rim under a bright line and a number, so that it survives grey print and colour blindness.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from index.types import Float64, Pixels
from retrieval.images.correspondence import LinkedPoints, laid_over

SCALE = 2
"""Everything is drawn so many times larger and then reduced, which smooths lines and letters."""
HEIGHT, MARGIN = 360 * SCALE, 10 * SCALE
CROPS, ACROSS = 6, 0.17
"""Pairs of crops, and their width as a share of the head's height."""
PAPER, INK, SOFT, RIM = (255, 255, 255), (24, 30, 34), (84, 94, 100), (0, 0, 0)
COLOURS = (
    *((255, 210, 63), (86, 180, 233), (255, 140, 66), (123, 211, 137), (244, 154, 194)),
    *((255, 255, 255), (195, 166, 255), (230, 230, 117), (127, 224, 224), (255, 111, 97)),
)
FAINT, SURE = np.array([120, 165, 235.0]), np.array([255, 245, 150.0])
"""Lines of confidence 0 and 1; those between are mixed: brighter is surer, in grey too."""
SECOND = (255, 255, 255)
LEGEND = "ring: SIFT    square: second expert    line: every match, brighter is surer"
NOTHING = "no match"


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above: the file and the verdict, and sentences below them."""

    title: str
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One candidate's photo and where it corresponds with the query.

    Attributes
    ----------
    pixels : uint8 [h, w, 3]
        The head, of whatever size.
    """

    caption: str
    pixels: Pixels
    points: LinkedPoints


def match_picture(query: Pixels, heading: Heading, panels: Sequence[Panel]) -> Pixels:
    """The heading and one row a candidate, the query (uint8 [h, w, 3]) on the left, RGB uint8 [h, w, 3]."""
    rows = [_row(Image.fromarray(query), panel) for panel in panels]
    width = max(row.width for row in rows)
    parts = [_heading(heading, width), *rows, _text_strip(LEGEND, width, 12, SOFT)]
    sheet = Image.new("RGB", (width, sum(part.height for part in parts)), PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return np.asarray(sheet.reduce(SCALE))


def _heading(heading: Heading, width: int) -> Image.Image:
    title = _text_strip(heading.title, width, 22, INK)
    lines = [_text_strip(one, width, 15, SOFT) for one in heading.sentences if one]
    made = Image.new("RGB", (width, title.height + sum(one.height for one in lines)), PAPER)
    top = 0
    for part in (title, *lines):
        made.paste(part, (0, top))
        top += part.height
    return made


def _text_strip(text: str, width: int, size: int, colour: tuple[int, int, int]) -> Image.Image:
    """Text in as many lines as it needs."""
    font = _font(size)
    letters = max(20, int((width - 2 * MARGIN) / max(1.0, font.getlength("abcdefghij mnopqrst") / 19)))
    wrapped = textwrap.fill(text, letters, break_long_words=True)
    box = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), wrapped, font=font, spacing=4 * SCALE)
    height = -(-(int(box[3]) + MARGIN) // SCALE) * SCALE  # so that what stands below lies on whole pixels
    made = Image.new("RGB", (width, height), PAPER)
    ImageDraw.Draw(made).multiline_text((MARGIN, MARGIN // 2), wrapped, fill=colour, font=font, spacing=4 * SCALE)
    return made


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * SCALE)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _row(query: Image.Image, panel: Panel) -> Image.Image:
    candidate, points = Image.fromarray(panel.pixels), panel.points
    photos = [_marked(query, points, 0), _marked(candidate, points, 1)]
    columns = [*photos, *([_crops(query, candidate, points), _lines(query, candidate, points)] if len(points) else [])]
    width = sum(one.width for one in columns) + MARGIN * (len(columns) + 1)
    caption = _text_strip(panel.caption if len(points) else f"{panel.caption}, {NOTHING}", width, 15, INK)
    row = Image.new("RGB", (width, caption.height + HEIGHT + MARGIN), PAPER)
    row.paste(caption, (0, 0))
    left = MARGIN
    for column in columns:
        row.paste(column, (left, caption.height))
        left += column.width + MARGIN
    return row


def _fitted(image: Image.Image, height: int) -> Image.Image:
    return image.resize((max(1, round(image.width * height / image.height)), height), Image.Resampling.LANCZOS)


def _places(points: LinkedPoints, photo: int, image: Image.Image) -> Float64:
    """Where the matches lie in one of the two photos as it is drawn."""
    places = (points.query, points.candidate)[photo]
    return np.asarray(places * np.array(image.size) / np.array(points.sizes[photo]), np.float64)


def _marked(photo: Image.Image, points: LinkedPoints, which: int) -> Image.Image:
    """The photo with its numbered rings, the strongest on top."""
    image = _fitted(photo, HEIGHT)
    draw, places = ImageDraw.Draw(image), _places(points, which, image)
    for number, row in reversed(list(enumerate(points.numbered))):
        _ring(draw, places[row], COLOURS[number % len(COLOURS)], square=bool(points.second[row]))
        _number(draw, places[row], number + 1, image.size)
    return image


def _ring(draw: ImageDraw.ImageDraw, at: Float64, colour: tuple[int, int, int], *, square: bool) -> None:
    for radius, width, ink in ((8.5, 4, RIM), (7.5, 2, colour)):
        reach = radius * SCALE
        box = [at[0] - reach, at[1] - reach, at[0] + reach, at[1] + reach]
        (draw.rectangle if square else draw.ellipse)(box, outline=ink, width=width * SCALE)


def _number(draw: ImageDraw.ImageDraw, at: Float64, number: int, size: tuple[int, int]) -> None:
    """Beside the ring, on its right unless the photo ends there; white, which reads best in grey."""
    font, text = _font(13), str(number)
    length = font.getlength(text)
    x = at[0] + 10 * SCALE if at[0] + 10 * SCALE + length < size[0] else at[0] - 10 * SCALE - length
    y = max(0.0, min(at[1] - 18 * SCALE, size[1] - 16 * SCALE))
    draw.text((x, y), text, fill=PAPER, font=font, stroke_width=2 * SCALE, stroke_fill=RIM)


def _crops(query: Image.Image, candidate: Image.Image, points: LinkedPoints) -> Image.Image:
    """The strongest matches cut out of both photos, query on the left, framed in the colour of their ring."""
    gap, frame = 6 * SCALE, 3 * SCALE
    side = (HEIGHT - 2 * gap) // 3 - 2 * frame
    pair = 2 * side + 3 * frame
    numbered = points.numbered[:CROPS]
    made = Image.new("RGB", (2 * pair + gap, HEIGHT), PAPER)
    draw = ImageDraw.Draw(made)
    affine = points.affine
    linear = (laid_over(*points.sizes) if affine is None else affine)[:2]
    across = ACROSS * points.sizes[0][1]
    for number, row in enumerate(numbered):
        left, top = (number // 3) * (pair + gap), (number % 3) * (side + 2 * frame + gap)
        colour = COLOURS[number]
        draw.rectangle([left, top, left + pair - 1, top + side + 2 * frame - 1], fill=colour, outline=RIM)
        ours = _cut(query, points.query[row], np.eye(2), across, points.sizes[0], side)
        theirs = _cut(candidate, points.candidate[row], linear, across, points.sizes[1], side)
        made.paste(ours, (left + frame, top + frame))
        made.paste(theirs, (left + 2 * frame + side, top + frame))
        draw.text(
            (left + frame + 4 * SCALE, top + frame),
            str(number + 1),
            fill=PAPER,
            font=_font(13),
            stroke_width=2 * SCALE,
            stroke_fill=RIM,
        )
    return made


def _cut(
    photo: Image.Image, at: Float64, linear: Float64, across: float, size: tuple[int, int], side: int
) -> Image.Image:
    """A square about a place, `across` pixels of the query's working image wide, seen through the linear map."""
    factor = np.array(photo.size) / np.array(size)
    step = linear * factor * across / side  # rows: where a pixel to the right, and one down, lead in the photo
    begin = at * factor - (step[0] + step[1]) * side / 2
    coefficients = (step[0, 0], step[1, 0], begin[0], step[0, 1], step[1, 1], begin[1])
    cut = photo.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    # a dark photo's scutes are to be compared too; the brightness alone, since water's cast would turn garish with it
    brightness, *colour = cut.convert("YCbCr").split()
    return Image.merge("YCbCr", (ImageOps.autocontrast(brightness, cutoff=1), *colour)).convert("RGB")


def _lines(query: Image.Image, candidate: Image.Image, points: LinkedPoints) -> Image.Image:
    """Both photos small, one above the other in grey, every match a line."""
    gap = 6 * SCALE
    height = (HEIGHT - gap) // 2
    pair = [_fitted(one, height).convert("L").convert("RGB") for one in (query, candidate)]
    made = Image.new("RGB", (max(one.width for one in pair), HEIGHT), PAPER)
    made.paste(pair[0], (0, 0))
    made.paste(pair[1], (0, height + gap))
    own, other = _places(points, 0, pair[0]), _places(points, 1, pair[1]) + np.array([0, height + gap])
    draw = ImageDraw.Draw(made)
    for row in reversed(range(len(points))):
        share = min(1.0, float(points.confidence[row]))
        r, g, b = (FAINT + (SURE - FAINT) * share).astype(int)
        colour = SECOND if points.second[row] else (int(r), int(g), int(b))
        line = [(own[row, 0], own[row, 1]), (other[row, 0], other[row, 1])]
        draw.line(line, fill=RIM, width=2 * SCALE)
        draw.line(line, fill=colour, width=SCALE)
    return made
