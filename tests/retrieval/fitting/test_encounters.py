"""What encounters of the catalogue tell is what queries are told: each photo searched in its side, or in all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index.types import Float32, GalleryFilter, Photo, Shortlist, Side
from retrieval.fitting.trials import Trial, TrialPlan, WholeGallery
from retrieval.fitting.turtle_scores import encounters_of, search_of
from retrieval.novelty import Occasion
from tests.retrieval.lookalikes import engine

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def photo(number: int, turtle: str, encounter: int, side: Side | None) -> Photo:
    return Photo(number, f"{number:064x}", f"{number}.jpg", turtle, encounter, side, None, 512, 1.0)


def others(first: int) -> list[Photo]:
    """Twelve turtles that were met twice, each time from both sides."""
    shown = [(turtle, met, side) for turtle in range(12) for met in (0, 1) for side in (LEFT, RIGHT)]
    return [
        photo(first + place, f"T{turtle:02d}", 100 * turtle + met, side)
        for place, (turtle, met, side) in enumerate(shown)
    ]


def plan(photos: Sequence[Photo], whole: WholeGallery | None = None) -> TrialPlan:
    def similar(row: int) -> Float32:
        return np.random.default_rng(row).random(len(photos)).astype(np.float32)

    return TrialPlan(photos, similar, replace(engine(), shortlist=300), (), whole)


def encounters(table: TrialPlan, trials: Sequence[Trial]) -> list[Occasion]:
    rng = np.random.default_rng(0)
    return encounters_of(table, [search_of(table, trial, rng.random(len(trial.shortlist))) for trial in trials])


def test_a_side_that_is_not_known_of_a_turtle_is_searched_too_and_tells_nothing_of_it() -> None:
    mine = [photo(1, "Mine", 9000, LEFT), photo(2, "Mine", 9000, RIGHT), photo(3, "Mine", 9001, LEFT)]
    table = plan([*mine, *others(10)])
    code = int(table.turtle[0])
    trials = [one for one in table.plan(10**6, np.random.default_rng(0)) if one.query < 2]
    new, known = sorted(encounters(table, trials), key=lambda one: one.catalogued)
    assert [one.side for one in new.photos] == [one.side for one in known.photos]
    assert {one.side for one in known.photos} == {LEFT, RIGHT}
    by_side = {one.side: one for one in known.photos}
    assert code in by_side[LEFT].candidates.turtle
    assert code not in by_side[RIGHT].candidates.turtle
    assert by_side[RIGHT].unsearched == {code}
    assert by_side[LEFT].unsearched == frozenset()
    assert [[one.side for one in each.photos] for each in known.alone()] == [[LEFT]]
    assert len(new.alone()) == 2


def test_turtles_of_a_whole_gallery_that_were_not_drawn_have_their_sides_too() -> None:
    drawn, rest = others(10), [photo(1000 + place, f"W{place}", 5000 + place, LEFT) for place in range(40)]
    everyone = [*drawn, *rest, *(photo(2000 + place, f"W{place}", 6000 + place, RIGHT) for place in range(3))]
    rng = np.random.default_rng(1)

    def search(row: int, where: GalleryFilter) -> Shortlist:
        pool = [
            one
            for one in everyone
            if one.side is where.side
            and one.turtle != where.without_turtle
            and one.encounter != where.without_encounter
            and one.id != where.without_photo
        ]
        shown = [pool[place] for place in rng.choice(len(pool), 15, replace=False)]
        turtles = [one.turtle for one in pool]
        counts = np.array([turtles.count(one.turtle) for one in shown])
        return Shortlist(tuple(shown), np.ones(15, np.float32), counts, len(pool), len(set(turtles)), 52)

    def sides(turtles: Sequence[str]) -> dict[str, frozenset[Side]]:
        found = {name: frozenset(one.side for one in everyone if one.turtle == name and one.side) for name in turtles}
        return {name: its for name, its in found.items() if its}

    table = plan(drawn, WholeGallery(search, sides))
    trials = [one for one in table.plan(10**6, np.random.default_rng(0)) if one.query in (0, 1)]
    name = {int(code): one.turtle for code, one in zip(table.turtle, table.photos, strict=True)}
    for each in encounters(table, trials):
        assert len(each.photos) == 2
        for one in each.photos:
            assert one.side is not None
            met = {str(name[code]) for searched in each.photos for code in searched.candidates.turtle.tolist()}
            lacking = {turtle for turtle in met if one.side not in sides([turtle])[turtle]}
            assert {name[code] for code in one.unsearched} - {name[each.individual]} == lacking
            assert bool(lacking) == (one.side is RIGHT)


def test_a_photo_without_a_side_is_searched_among_all() -> None:
    mine = [photo(1, "Mine", 9000, None), photo(2, "Mine", 9001, LEFT), photo(3, "Mine", 9002, RIGHT)]
    table = plan([*mine, *others(10)])
    trials = [one for one in table.plan(10**6, np.random.default_rng(0)) if one.query == 0]
    assert {(one.gallery, one.own) for one in trials if one.gallery >= 12} == {(12, 0), (13, 2)}
    [kept] = [one for one in trials if one.own]
    assert {1, 2} <= set(kept.shortlist.tolist())
    sided = [one for one in table.plan(10**6, np.random.default_rng(0)) if one.query == 1]
    assert all(0 not in one.shortlist for one in sided)
