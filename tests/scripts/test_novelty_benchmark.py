"""The novelty benchmark: no query sees its own encounter, and the ceiling is what thresholds can reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from benchmarks.identification.novelty import ceiling
from benchmarks.identification.splits import GALLERY, KNOWN, NEW, most_seen, random_roles
from index.types import Photo, Side


def photos(turtles: int, encounters: int) -> list[Photo]:
    """Two photos of each side in every encounter; every third turtle was seen once."""
    made: list[Photo] = []
    for turtle in range(turtles):
        for encounter in range(1 if turtle % 3 == 0 else encounters):
            for side in (Side.LEFT, Side.LEFT, Side.RIGHT):
                number = len(made)
                where = turtle * 100 + encounter
                made.append(Photo(number, f"{number:064x}", "a.jpg", f"T{turtle}", where, side, None, 500, 0.5))
    return made


@given(st.integers(4, 40), st.integers(1, 6), st.integers(0, 99))
def test_roles_part_turtles_and_encounters(turtles: int, encounters: int, seed: int) -> None:
    everything = photos(turtles, encounters)
    role = random_roles(everything, seed)
    by_role = {name: [one for one, its in zip(everything, role, strict=True) if its == name] for name in (0, 1, 2)}
    new = {one.turtle for one in by_role[NEW]}
    assert len(new) == turtles // 4
    assert not new & {one.turtle for one in (*by_role[GALLERY], *by_role[KNOWN])}
    asked = {one.encounter for one in by_role[KNOWN]}
    assert not asked & {one.encounter for one in by_role[GALLERY]}
    assert {(one.turtle, one.side) for one in by_role[KNOWN]} <= {(one.turtle, one.side) for one in by_role[GALLERY]}


def test_the_most_seen_turtles_come_with_one_photo_an_encounter_and_side() -> None:
    chosen = most_seen(photos(9, 4), 3)
    assert {one.turtle for one in chosen} == {"T1", "T2", "T4"}
    assert len(chosen) == 3 * 4 * 2


def test_scores_that_part_known_from_new_leave_nothing_undecided() -> None:
    sureness, new = np.array([0.9, 0.8, 0.2, 0.1]), np.array([False, False, True, True])
    assert ceiling(sureness, new, ~new, np.arange(4)) == 0
    assert ceiling(sureness[::-1], new, ~new, np.arange(4)) == 1


def test_a_known_turtle_that_is_outranked_holds_back_all_below_it() -> None:
    sureness, new = np.linspace(1, 0, 10), np.zeros(10, np.bool_)
    right = np.ones(10, np.bool_)
    right[6] = False
    assert ceiling(sureness, new, right, np.arange(10)) == pytest.approx(0.4)
