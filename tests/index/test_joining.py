"""A field copy comes back, and capture histories count who was seen when."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from index.browsing import Browser
from index.capture import capture_histories, write_histories, years
from index.catalog import Catalog
from index.curation import Curator
from index.errors import RecipeMismatch
from index.joining import Difference, join
from index.types import GalleryFilter, Side
from index.upkeep import check
from tests.index.making import RECIPE, day, photo, vector


def test_a_field_copy_comes_back_with_differences_shown(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A", taken_on=day(1)), photo(2, "B")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll(
        [photo(3, "A", taken_on=day(1), side=Side.LEFT, site="Reef"), photo(4, "New", encounter="dusk")], "Ben"
    )
    Curator(field, "Ben").move_photos([2], "A")
    Curator(field, "Ben").note_turtle("B", "gone?")
    Curator(catalog, "Ana").set_side([1], Side.TOP)
    shown = join(catalog, field, "Ana", dry_run=True)
    assert len(Browser(catalog).photos()) == 2
    report = join(catalog, field, "Ana")
    assert report == shown
    assert (report.added, report.there) == (2, 2)
    paths = [record.path for record in Browser(catalog).photos()]
    assert set(report.differences) == {
        Difference("turtle", "B", "note", "", "gone?"),
        Difference("photo", paths[1], "turtle", "B", "A"),
        Difference("photo", paths[0], "side", "top", ""),
    }
    joined = Browser(catalog).photo("3")
    assert (joined.turtle, joined.side, joined.site, joined.encounter) == ("A", Side.LEFT, "Reef", 1)
    assert Browser(catalog).photo("4").encounter_name == "dusk"
    assert catalog.shortlist(vector(4), 1, GalleryFilter()).photos[0].turtle == "New"
    assert check(catalog).problems == ()
    assert join(catalog, field, "Ana").added == 0


def test_another_recipe_cannot_be_joined(catalog: Catalog, tmp_path: Path) -> None:
    other = Catalog.create(tmp_path / "other.catalog", dataclasses.replace(RECIPE, encoder="vlad-2"))
    with pytest.raises(RecipeMismatch):
        join(catalog, other, "Ana")


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
