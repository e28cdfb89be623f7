"""The novelty benchmark: no query sees its own encounter, and the ceiling is what thresholds can reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from rich.console import Console

from benchmarks.identification.novelty import WIDTH, Repeat, ceiling, table_of
from benchmarks.identification.splits import GALLERY, KNOWN, NEW, most_seen, random_roles
from index.types import Photo, Side
from retrieval.evaluation import ErrorRate


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


def test_the_table_shows_every_repeat_whole_and_their_means(capsys: pytest.CaptureFixture[str]) -> None:
    def repeat(number: int) -> Repeat:
        rate = ErrorRate(number / 100, number / 200, 0.5, 34.0, 0.05)
        return Repeat(
            140 + 2 * number,
            220,
            0.5 + number / 1000,
            0.9,
            0.8,
            0.05,
            0.06,
            rate,
            rate,
            rate,
            0.7,
            number / 40,
            0.4,
            0.25,
        )

    Console(width=WIDTH).print(table_of([repeat(number) for number in range(1, 11)]))
    shown = capsys.readouterr().out
    assert "…" not in shown
    *head, last, mean = shown.splitlines()
    assert last.split()[:4] == ["10", "160", "220", "0.510"]
    assert mean.split()[:4] == ["mean", "151", "220", "0.506"]
    assert mean.split()[8:11] == ["5.5", "5.5", "5.5"]
    assert mean.split()[11:] == ["0.700", "0.138", "0.400", "0.250"]
    assert len(head) >= 10
