"""Capture histories count who was seen when."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.exchange.mark_recapture import capture_histories, write_histories, years
from index.types import Side
from tests.index.making import day, photo


def test_capture_histories_count_encounters_by_period(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll(
        [
            *(
                photo(1, "A", taken_on=day(0), side=Side.LEFT),
                photo(2, "A", taken_on=day(0)),
                photo(3, "A", taken_on=day(5)),
            ),
            *(
                photo(4, "=B", taken_on=day(400)),
                photo(5, taken_on=day(401)),
                photo(6, "C"),
                photo(7, "A", taken_on=day(400)),
            ),
        ],
        "Ana",
    )
    found = capture_histories(catalog, years(2020, 2021))
    assert found.turtles == ("=B", "A")
    np.testing.assert_array_equal(found.encounters, [[0, 1], [2, 1]])
    np.testing.assert_array_equal(found.unidentified, [0, 1])
    assert capture_histories(catalog, years(2020, 2021), Side.LEFT).turtles == ("A",)
    write_histories(found, tmp_path / "histories.csv")
    lines = (tmp_path / "histories.csv").read_text().splitlines()
    assert lines[1:] == ["'=B,01,0,1", "A,11,2,1", ",unidentified,0,1"]


def seen(catalog: Catalog) -> dict[str, list[int]]:
    found = capture_histories(catalog, years(2020, 2021))
    return dict(zip(found.turtles, found.encounters.tolist(), strict=True))


def test_dates_that_come_later_or_are_corrected_count_in_named_encounters_too(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A", encounter="dusk"), photo(2, "B", encounter="dusk", taken_on=day(0))], "Ana")
    catalog.enroll([photo(3, "A", encounter="dusk", taken_on=day(7))], "Ana")
    assert seen(catalog) == {"A": [1, 0], "B": [1, 0]}
    ana = Curator(catalog, "Ana")
    ana.set_date([2], day(400))
    ana.set_date([1], day(5))
    assert seen(catalog) == {"A": [1, 0], "B": [0, 1]}
    assert [one.day for one in Browser(catalog).encounters(turtle="A")] == [day(5)]
    ana.undo()
    ana.undo()
    assert seen(catalog) == {"A": [1, 0], "B": [1, 0]}
    assert [str(one.day) for one in Browser(catalog).encounters()] == [str(day(0)), str(day(7))]


def test_a_photo_that_was_removed_dates_no_encounter(catalog: Catalog) -> None:
    photos = [photo(1, "A", encounter="dusk", taken_on=day(0)), photo(2, "A", encounter="dusk", taken_on=day(400))]
    catalog.enroll(photos, "Ana")
    Curator(catalog, "Ana").remove_photos([1])
    assert seen(catalog) == {"A": [0, 1]}


def test_an_undated_encounter_takes_the_day_of_what_is_merged_into_it(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "A"), photo(2, "A", taken_on=day(3))], "Ana")
    undated, dated = sorted(Browser(catalog).encounters(), key=lambda one: one.day is not None)
    Curator(catalog, "Ana").merge_encounters(undated.id, [dated.id])
    assert seen(catalog) == {"A": [1, 0]}
    catalog.enroll([photo(3, "A", taken_on=day(3))], "Ana")
    assert [(one.id, one.photos) for one in Browser(catalog).encounters()] == [(undated.id, 3)]
