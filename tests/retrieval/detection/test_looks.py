"""Second looks at other scales: when they are taken, and what they may change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from index.types import HeadBox, Pixels, Side
from retrieval.detection import Finding, FoundHead, Levels, SmallHeadFinder, iou
from retrieval.detection.looks import TINY, ZOOM, nearer, steadied, window_about
from retrieval.detection.small_finder import AREA, FAR_AREA

PHOTO = np.zeros((400, 600, 3), np.uint8)


def head(x: float, y: float, w: float, h: float, confidence: float = 0.5, side: Side = Side.LEFT) -> FoundHead:
    return FoundHead(HeadBox(x, y, w, h), confidence, side, 0.9, 0.1)


class Canned(SmallHeadFinder):
    """Answers looks in their order and remembers what it was shown."""

    def __init__(self, *answers: Finding) -> None:
        super().__init__(_Nothing(), [], "canned", 0.5)  # type: ignore[arg-type]
        self.answers = list(answers)
        self.looks: list[tuple[tuple[int, int], int]] = []

    def _look(self, photos: Sequence[Pixels], area: int) -> list[Finding]:
        self.looks += [((one.shape[1], one.shape[0]), area) for one in photos]
        return [self.answers.pop(0) for _ in photos]


class _Nothing:
    device = torch.device("cpu")

    def levels(self, photos: Sequence[Pixels]) -> Levels:
        raise AssertionError(photos)


def test_a_tiny_head_is_looked_at_from_nearer_and_its_box_is_brought_back() -> None:
    tiny = Finding((head(500, 300, 30, 20, 0.4), head(60, 50, 40, 40, 0.3)))
    finder = Canned(tiny, Finding((head(298, 169, 36, 24, 0.8, Side.RIGHT),)))
    [found] = finder.find([PHOTO])
    assert finder.looks == [((600, 400), AREA), ((400, 267), AREA)]
    best, other = found.heads
    assert best.confidence == pytest.approx(0.6)
    assert best == head(498, 302, 36, 24, best.confidence, Side.RIGHT)
    assert other == tiny.heads[1]


def test_other_heads_are_looked_at_from_farther_and_only_their_boxes_change() -> None:
    first = Finding((head(200, 100, 100, 80, 0.7), head(10, 10, 90, 90, 0.6)))
    finder = Canned(first, Finding((head(210, 110, 120, 100, 0.2, Side.RIGHT),)))
    [found] = finder.find([PHOTO])
    assert finder.looks == [((600, 400), AREA), ((600, 400), FAR_AREA)]
    assert found.heads == (head(205, 105, 110, 90, 0.7), first.heads[1])


@pytest.mark.parametrize(("wide", "confidence", "looks"), [(320, 0.9, 2), (200, 0.9, 1), (200, 0.7, 2), (59, 0.9, 2)])
def test_only_tiny_large_and_doubtful_heads_are_looked_at_twice(wide: int, confidence: float, looks: int) -> None:
    first = Finding((head(100, 100, wide, 150, confidence),))
    finder = Canned(first, Finding(()))
    assert finder.find([PHOTO]) == [first]
    assert len(finder.looks) == looks


@pytest.mark.parametrize("first", [Finding(()), Finding((head(10, 10, 500, 380),), cut_out=True)])
def test_photos_without_a_head_and_cut_out_heads_are_looked_at_once(first: Finding) -> None:
    finder = Canned(first)
    assert finder.find([PHOTO]) == [first]
    assert len(finder.looks) == 1


def test_each_photo_of_a_batch_gets_its_own_second_look() -> None:
    tiny, large, none = Finding((head(9, 9, 20, 20),)), Finding((head(100, 100, 200, 150),)), Finding(())
    finder = Canned(tiny, none, large, Finding((head(5, 5, 22, 22, 0.9),)), Finding((head(110, 100, 200, 150),)))
    near, still, far = finder.find([PHOTO] * 3)
    assert near.heads[0].box == HeadBox(5, 5, 22, 22)
    assert still == none
    assert far.heads[0].box == HeadBox(105, 100, 200, 150)


def test_a_nearer_look_that_is_less_sure_or_empty_changes_nothing() -> None:
    first = Finding((head(10, 10, 30, 30, 0.6),))
    window = window_about(first.heads[0].box, PHOTO)
    assert nearer(first, Finding(()), window) == first
    assert nearer(first, Finding((head(10, 10, 30, 30, 0.59),)), window) == first


def test_another_head_in_the_nearer_look_does_not_stay_twice() -> None:
    first = Finding((head(10, 10, 30, 30, 0.4), head(100, 100, 30, 30, 0.3)))
    window = window_about(first.heads[0].box, PHOTO)
    found = nearer(first, Finding((head(101, 101, 30, 30, 0.9),)), window)
    assert [one.confidence for one in found.heads] == pytest.approx([0.65, 0.4])


sides = st.integers(20, 3000)
part = st.floats(0, 1)


@given(sides, sides, part, part, part, part)
def test_windows_lie_in_the_photo_and_hold_tiny_heads(
    width: int, height: int, x: float, y: float, w: float, h: float
) -> None:
    photo = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    wide, high = max(1.0, w * TINY * width), max(1.0, h * 0.5 * height)
    box = HeadBox(x * (width - wide), y * (height - high), wide, high)
    rows, columns = window_about(box, photo)
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width
    assert abs((columns.stop - columns.start) - width / ZOOM) <= 1
    assert columns.start <= box.x + 1
    assert columns.stop >= box.x + box.w - 1
    assert rows.start <= box.y + 1
    assert rows.stop >= box.y + box.h - 1


@given(st.floats(-20, 20), st.floats(-20, 20), st.floats(0.8, 1.25))
def test_steadied_boxes_lie_between_the_two_looks(x: float, y: float, larger: float) -> None:
    one, other = head(100, 100, 100, 80), head(100 + x, 100 + y, 100 * larger, 80 * larger)
    [found] = steadied(Finding((one,)), Finding((other,))).heads
    if iou(one.box, other.box) > 0.4:
        assert iou(found.box, other.box) >= iou(one.box, other.box) - 1e-9
    else:
        assert found == one
