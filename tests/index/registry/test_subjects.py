"""Events are told by the turtles and photos that they touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from tests.index.making import RECIPE, photo


@pytest.mark.parametrize(
    ("turtles", "told"),
    [
        (2, "photo 1: T000; photo 2: T001"),
        (7, "7 photos of 7 turtles: T000, T001, T002 and 4 more"),
    ],
)
def test_an_import_of_many_turtles_is_told_by_numbers(tmp_path: Path, turtles: int, told: str) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    catalog.enroll([photo(seed, f"T{seed:03d}") for seed in range(turtles)], "Ana")
    looking = Browser(catalog)
    [newest, *_] = looking.history()
    subject = looking.subjects([newest])[newest.id]
    assert (subject.sentence, len(subject.turtles), len(subject.photos)) == (told, turtles, turtles)


def test_moved_photos_are_told_one_by_one(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    catalog.enroll([photo(seed, f"T{seed:03d}") for seed in range(6)], "Ana")
    Curator(catalog, "Ana").move_photos([1, 2], "T005")
    looking = Browser(catalog)
    [newest, *_] = looking.history()
    assert looking.subjects([newest])[newest.id].sentence == "photo 1: T000 → T005; photo 2: T001 → T005"
