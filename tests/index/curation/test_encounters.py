"""Names of encounters are a turtle's own: photos that change their turtle make no one encounter of two."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from itertools import accumulate
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.exchange.mark_recapture import capture_histories, years
from tests.index.making import day, photo


def together(catalog: Catalog) -> set[frozenset[int]]:
    """Numbers of photos by encounter."""
    photos = Browser(catalog).photos()
    return {frozenset(one.id for one in photos if one.encounter == other.encounter) for other in photos}


def names(catalog: Catalog) -> list[str | None]:
    return [photo.encounter_name for photo in Browser(catalog).photos()]


def test_photos_of_two_turtles_that_nobody_knows_are_two_encounters(catalog: Catalog) -> None:
    catalog.enroll([photo(seed, f"T{(seed + 1) // 2}", encounter="dive 1") for seed in (1, 2, 3, 4, 5)], "Ana")
    catalog.enroll([photo(6, encounter="dive 1")], "Ana")
    ana = Curator(catalog, "Ana")
    ana.move_photos([1, 3], None)
    ana.move_photos([4], None)  # of one occasion with photo 3, and still so
    assert together(catalog) == {frozenset(one) for one in ({1}, {2}, {3, 4}, {5}, {6})}
    assert names(catalog) == ["dive 1 (T1)", "dive 1", "dive 1 (T2)", "dive 1 (T2)", "dive 1", "dive 1"]


def test_a_name_that_nobody_has_stays_and_a_photo_that_was_nobodys_before_came_from_no_turtle(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A", encounter="dusk"), photo(2, "A", encounter="dusk")], "Ana")
    ana = Curator(catalog, "Ana")
    ana.move_photos([1], None)
    ana.move_photos([2], None)
    assert (together(catalog), names(catalog)) == ({frozenset({1, 2})}, ["dusk", "dusk"])
    for _ in range(2):
        ana.undo()
    catalog.enroll([photo(3, encounter="dusk")], "Ana")
    ana.move_photos([3], "A")
    ana.undo()
    ana.move_photos([1], None)
    assert together(catalog) == {frozenset(one) for one in ({1}, {2}, {3})}


def test_a_turtle_that_gets_an_id_again_has_names_of_its_own(catalog: Catalog) -> None:
    ana = Curator(catalog, "Ana")
    for seed in (1, 3, 5):
        catalog.enroll([photo(seed, "A", encounter="dusk")], "Ana")
        ana.move_photos([Browser(catalog).photos()[-1].id], None)
    assert len(together(catalog)) == 3


def test_equal_names_of_two_seasons_stay_two_occasions_when_turtles_are_merged(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A", encounter="1", taken_on=day(0)), photo(2, "A", encounter="2")], "Ana")
    catalog.enroll([photo(3, "B", encounter="1", taken_on=day(400)), photo(4, "B", encounter="2")], "Ana")
    before = Browser(catalog).encounters()
    ana = Curator(catalog, "Ana")
    ana.merge_turtles("A", ["B"])
    found = capture_histories(catalog, years(2020, 2021))
    assert (found.turtles, found.encounters.tolist()) == (("A",), [[1, 1]])
    assert names(catalog) == ["1", "2", f"1 ({day(400)})", "2"]
    assert len(Browser(catalog).encounters()) == 3
    ana.undo()
    assert Browser(catalog).encounters() == before


def test_equal_names_of_two_seasons_stay_two_occasions_when_a_photo_is_given_to_a_turtle(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A", encounter="1", taken_on=day(0)), photo(2, "B", encounter="1")], "Ana")
    catalog.enroll([photo(3, encounter="1", taken_on=day(400))], "Ana")
    catalog.enroll([photo(seed, "C", encounter="1", taken_on=day(397 + seed)) for seed in (4, 5)], "Ana")
    ana = Curator(catalog, "Ana")
    ana.move_photos([2, 4, 5], "A")
    assert names(catalog) == ["1", "1", "1", f"1 ({day(401)})", f"1 ({day(401)})"]
    ana.identify_encounters([Browser(catalog).photo("3").encounter], "A")
    assert together(catalog) == {frozenset(one) for one in ({1, 2}, {3}, {4, 5})}


@given(st.permutations([2, 3, 4]), st.integers(2, 400))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_encounter_that_is_moved_photo_by_photo_stays_one(empty: Path, order: list[int], later: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(Path(shutil.copytree(empty, Path(folder) / "t.catalog")))
        catalog.enroll([photo(1, "A", encounter="dive", taken_on=day(0))], "Ana")
        days = {2: later, 3: later + 1, 4: later}
        catalog.enroll([photo(n, "B", encounter="dive", taken_on=day(when)) for n, when in days.items()], "Ana")
        for number in order:
            Curator(catalog, "Ana").move_photos([number], "A")
        assert together(catalog) == {frozenset({1}), frozenset({2, 3, 4})}


def test_an_occasion_of_a_third_time_joins_neither_an_undated_one_nor_one_whose_date_was_corrected(
    catalog: Catalog,
) -> None:
    ana = Curator(catalog, "Ana")
    catalog.enroll([photo(1, "A", encounter="1", taken_on=day(0)), photo(2, "A", encounter="1 (deep)")], "Ana")
    catalog.enroll([photo(n, owner, encounter="1", taken_on=day(100)) for n, owner in ((3, "B"), (4, "C"))], "Ana")
    ana.move_photos([3], "A")
    ana.set_date([3], day(200))
    ana.move_photos([4], "A")
    assert names(catalog) == ["1", "1 (deep)", f"1 ({day(100)})", f"1 ({day(100)}, 2)"]


OCCASIONS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["1", "2"]), st.sampled_from([0, 1, 2, 5, 400])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(OCCASIONS, st.booleans(), st.booleans())
def test_no_two_turtles_and_no_two_seasons_become_one_encounter(
    empty: Path, what: list[tuple[str, str, int]], at_once: bool, nobody: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(Path(shutil.copytree(empty, Path(folder) / "t.catalog")))
        made = [photo(n, turtle, encounter=name, taken_on=day(when)) for n, (turtle, name, when) in enumerate(what, 1)]
        catalog.enroll(made, "Ana")
        before = {one.id: (one.turtle, one.encounter, one.taken_on or day(0)) for one in Browser(catalog).photos()}
        ana = Curator(catalog, "Ana")
        turtles = sorted({turtle for turtle, _, _ in what})
        if nobody:
            for numbers in [list(before)] if at_once else [[number] for number in before]:
                ana.move_photos(numbers, None)
        elif len(turtles) > 1:
            for others in [turtles[1:]] if at_once else [[one] for one in turtles[1:]]:
                ana.merge_turtles(turtles[0], others)
        for inside in together(catalog):
            sources = {before[number][1] for number in inside}
            assert not nobody or len(sources) == 1
            assert not gaps([[day for _, source, day in before.values() if source == one] for one in sources])
        if nobody:  # and what was one encounter still is one
            assert len(together(catalog)) == len({source for _, source, _ in before.values()})


def gaps(occasions: list[list[dt.date]]) -> bool:
    """Whether more than a day lies between some of the occasions and the others."""
    spans = sorted((min(days), max(days)) for days in occasions)
    ends = accumulate((end for _, end in spans), max)
    return any(begin - end > dt.timedelta(days=1) for (begin, _), end in zip(spans[1:], ends, strict=False))


def test_corrected_days_of_merged_photos_are_those_by_which_they_join_a_turtle(catalog: Catalog) -> None:
    met = dt.date(2020, 1, 2)
    catalog.enroll([photo(1, "T1", taken_on=met), photo(2, taken_on=met), photo(3, taken_on=met)], "Ana")
    ana = Curator(catalog, "Ana")
    unknown = sorted({one.encounter for one in Browser(catalog).photos() if one.turtle is None})
    if len(unknown) > 1:
        ana.merge_encounters(unknown[0], unknown[1:])
    ana.set_date([2, 3], dt.date(2021, 2, 4))
    ana.identify_encounters([unknown[0]], "T1")
    assert together(catalog) == {frozenset({1}), frozenset({2, 3})}
    assert [one.day for one in Browser(catalog).encounters(turtle="T1")] == [met, dt.date(2021, 2, 4)]
    for _ in range(2):
        ana.undo()
    assert [one.day for one in Browser(catalog).encounters()] == [met, met]
