"""One-sided ids that are seen together again and again are probably one turtle."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from index.types import Photo, Side
from retrieval.review.same_days import _by_accident, one_sided
from tests.index.making import day


def seen(turtle: str, side: Side, days: list[int]) -> list[Photo]:
    return [Photo(1, f"{turtle}{on}", "p.jpg", turtle, 1, side, day(on), 99, 0.5) for on in days]


def survey() -> list[Photo]:
    """Twenty turtles known by both sides, each on two days of its own."""
    both = [seen(f"T{n:03d}", side, [2 * n, 2 * n + 1]) for n in range(20) for side in (Side.LEFT, Side.RIGHT)]
    return [photo for photos in both for photo in photos]


def test_halves_of_one_turtle_are_suspected() -> None:
    photos = [*survey(), *seen("T904", Side.LEFT, [3, 31]), *seen("T905", Side.RIGHT, [3, 31])]
    [found] = one_sided(photos)
    assert found.turtles == ("T904", "T905")
    assert found.days == (day(3), day(31))
    assert (found.probability or 0) > 0.9


def test_one_day_of_many_that_were_out_means_little() -> None:
    crowd = [one for n in range(12) for one in seen(f"R{n}", Side.RIGHT, [3, 5 + n])]
    found = list(one_sided([*survey(), *crowd, *seen("T904", Side.LEFT, [3, 31])]))
    assert found
    assert all((one.probability or 0) < 0.2 for one in found)


@given(st.integers(1, 30), st.data())
def test_chances_of_common_days_fall_and_begin_at_one(days: int, data: st.DataObject) -> None:
    first, second = (data.draw(st.integers(1, days)) for _ in range(2))
    chances = [_by_accident(shared, first, second, days) for shared in range(min(first, second) + 2)]
    assert chances[0] == pytest.approx(1)
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] == 0
