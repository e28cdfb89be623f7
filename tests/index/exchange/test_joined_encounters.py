"""Encounters of a field copy are the same encounters where it was joined."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import Conflict
from index.exchange.catalog_join import join
from tests.index.making import day, grouped, photo


def a_group(*seeds: int) -> frozenset[str]:
    return frozenset(photo(seed).sha256 for seed in seeds)


PHOTOS = st.lists(
    st.tuples(st.sampled_from([None, "A"]), st.sampled_from([None, 1, 2, 5]), st.sampled_from([None, None, "dusk"])),
    min_size=2,
    max_size=7,
)


@example(what=[(None, 1, None), (None, 1, None), ("A", 1, None), ("A", 2, None)], merges=[(3, 0)])
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(PHOTOS, st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4))
def test_what_was_one_encounter_there_is_one_here(
    empty: Path, what: list[tuple[str | None, int | None, str | None]], merges: list[tuple[int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        main = Catalog.open(Path(shutil.copytree(empty, Path(folder) / "main.catalog")))
        field = Catalog.open(Path(shutil.copytree(empty, Path(folder) / "field.catalog")))
        made = [
            photo(n, turtle, taken_on=None if when is None else day(when), encounter=name)
            for n, (turtle, when, name) in enumerate(what)
        ]
        field.enroll(made, "Ben")
        for one, other in merges:
            found = Browser(field).encounters()
            if max(one, other) < len(found) and one != other:
                with suppress(Conflict):
                    Curator(field, "Ben").merge_encounters(found[one].id, [found[other].id])
        join(main, field, "Ana")
        assert grouped(main) == grouped(field)
        assert {one.day for one in Browser(main).encounters()} == {one.day for one in Browser(field).encounters()}


def test_photos_join_the_encounter_with_which_they_were_merged(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A", taken_on=day(1)), photo(2), photo(3, "B", taken_on=day(1)), photo(4)], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    coming = [photo(5, "A", taken_on=day(2)), photo(6), photo(7, "B", taken_on=day(2)), photo(8)]
    field.enroll(coming, "Ben")
    for there, new in ((1, 5), (2, 6), (3, 7), (4, 8)):
        numbers = [Browser(field).photo(str(number)).encounter for number in (there, new)]
        Curator(field, "Ben").merge_encounters(numbers[0], numbers[1:])
    ana = Curator(catalog, "Ana")
    ana.set_date([3], day(300))  # said otherwise here than there, and so no reason to follow
    ana.move_photos([4], "C")
    before = Browser(catalog).encounters()
    report = join(catalog, field, "Ana")
    assert grouped(catalog) == {a_group(1, 5), a_group(2, 6), a_group(3), a_group(7), a_group(4), a_group(8)}
    ana.undo(report.event)
    assert Browser(catalog).encounters() == before
