"""Match pictures: what was asked above, photos whose pattern stays free, crops that follow the map, all matches."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from index.types import Pixels
from retrieval.images.correspondence import LinkedPoints, linked_points
from retrieval.images.match_plot import Heading, Panel, match_picture

WIDTH, HEIGHT = 400, 320


def points(count: int, confidence: float = 0.8, second: bool = False) -> LinkedPoints:
    random = np.random.default_rng(3)
    query = random.uniform(40, 280, (count, 2))
    sure = np.full(count, confidence)
    return linked_points(((WIDTH, HEIGHT),) * 2, query, query + 10, sure, np.full(count, second))


def grey() -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), 128, np.uint8)


def picture(found: LinkedPoints, panels: int = 1, title: str = "IMG_1.jpg    UNDECIDED    P(new) 0.41") -> Pixels:
    return match_picture(grey(), Heading(title, ("left, 2024-05-06",)), [Panel("T017", grey(), found)] * panels)


def photo_of(pixels: Pixels, skin: int = 128) -> Pixels:
    """The query's photo, whose own colour is this shade of grey, as it is drawn."""
    there = (pixels == skin).all(axis=2).sum(axis=1) > 300
    top = int(np.flatnonzero(there)[0])
    return pixels[top : top + 360, 10:460]


def marked(found: LinkedPoints) -> float:
    """Share of the query's photo that marks cover."""
    return float((photo_of(picture(found)) != 128).any(axis=2).mean())


def test_only_matches_that_count_are_shown() -> None:
    assert len(points(5, 0.05)) == 0
    assert marked(points(5, 0.05)) == pytest.approx(0, abs=0.001)
    assert len(points(5, 0.02, second=True)) == 5
    assert marked(points(5)) > 0.003


def test_the_pattern_stays_free_however_many_matches_there_are() -> None:
    assert marked(points(400)) < 0.05
    x, y = (points(1).query[0] * 360 / HEIGHT).round().astype(int)
    inside = photo_of(picture(points(1)))[y - 2 : y + 3, x - 2 : x + 3]
    assert np.abs(inside.astype(int) - 128).max() < 12


@pytest.mark.parametrize("shade", [10, 128, 245])
def test_marks_survive_grey_print_on_dark_and_on_bright_skin(shade: int) -> None:
    skin = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    pixels = match_picture(skin, Heading("a"), [Panel("T017", skin, points(6))])
    printed = np.asarray(Image.fromarray(photo_of(pixels, shade)).convert("L")).astype(int)
    assert (np.abs(printed - shade) > 60).mean() > 0.003


def test_the_second_experts_matches_have_another_shape() -> None:
    found = points(6)
    other = replace(found, second=np.ones(6, np.bool_))
    assert found.told == "6 matches"
    assert replace(found, second=np.array([True, False] * 3)).told == "3 matches and 3 of the second expert"
    assert not np.array_equal(picture(found), picture(other))


def test_crops_show_what_the_map_says_lies_there() -> None:
    random = np.random.default_rng(0)
    soft = Image.fromarray(random.integers(0, 255, (32, 40, 3), dtype=np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    turned = np.asarray(soft.rotate(180))
    query = random.uniform(80, 240, (30, 2))
    found = linked_points(
        ((WIDTH, HEIGHT),) * 2,
        query - 0.5,
        np.array([WIDTH, HEIGHT]) - query - 0.5,
        np.full(30, 0.9),
        np.zeros(30, np.bool_),
    )
    pixels = match_picture(np.asarray(soft), Heading("a"), [Panel("T017", turned, found)])
    top = int(np.flatnonzero((pixels[:, 12:440] != 255).all(axis=(1, 2)))[0])
    side = (720 - 24) // 3 // 2 - 6  # of a crop, in the reduced picture
    first = pixels[top + 6 : top + 6 + side - 6, 930 + 26 : 930 + side - 3]
    second = pixels[top + 6 : top + 6 + side - 6, 930 + 3 + side + 26 : 930 + 2 * side]
    assert np.abs(first.astype(int) - second).mean() < 12


def test_a_row_a_candidate_below_the_heading() -> None:
    one, three = picture(points(5)), picture(points(5), panels=3)
    row = (three.shape[0] - one.shape[0]) / 2
    assert 360 < row < one.shape[0]
    assert three.shape[1] == one.shape[1]
    long = picture(points(5), title="word " * 80)
    assert long.shape[0] > one.shape[0]
    assert long.shape[1] == one.shape[1]
