"""Round trips lose nothing, coordinates stay coarse unless asked for, and cells stay text."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import ManifestError
from index.exchange.table_export import export_table, harmless, original
from index.exchange.table_import import import_table
from index.types import HeadBox, Side
from tests.index.making import day, photo


@pytest.fixture
def rich(catalog: Catalog) -> Catalog:
    """Photos with everything that can be known, some of it nasty."""
    whole = photo(1, "=T1'", taken_on=day(1), side=Side.LEFT, site='@reef, "north"\nside', encounter="-dusk")
    seen = replace(
        whole.sighting,
        latitude=-8.512345,
        longitude=115.259876,
        box=HeadBox(1.5, 2, 300, 400.25),
        observer="+Ana; DROP TABLE photos",
        species="Chelonia mydas",
        notes={"colour": "=HYPERLINK(1)", "é": 'ü, "x"'},
    )
    catalog.enroll([replace(whole, sighting=seen), photo(2, "B", taken_on=day(2)), photo(3)], "Ana")
    return catalog


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_round_trip_loses_nothing(rich: Catalog, tmp_path: Path, suffix: str) -> None:
    before = Browser(rich).photos()
    table = tmp_path / f"it's photos{suffix}"
    assert export_table(rich, table, exact_locations=True) == 3
    report = import_table(rich, table, "Ben")
    assert (report.updated, report.unchanged, report.missing) == (0, 3, ())
    curator = Curator(rich, "Ben")
    curator.move_photos([1, 2], "C")
    curator.set_date([1, 2], None)
    curator.set_side([1], Side.RIGHT)
    assert import_table(rich, table, "Ben").updated == 2
    restored = Browser(rich).photos()
    assert [replace(record, encounter=0) for record in restored] == [replace(record, encounter=0) for record in before]
    assert Browser(rich).history()[0].action == "import table"
    assert Browser(rich).history()[0].why == str(table)
    Curator(rich, "Ben").undo()
    assert Browser(rich).photo("1").turtle == "C"


def test_coordinates_are_coarse_unless_asked_for(rich: Catalog, tmp_path: Path) -> None:
    export_table(rich, tmp_path / "shared.csv")
    text = (tmp_path / "shared.csv").read_text(encoding="utf-8")
    assert "-8.5," in text
    assert "8.512345" not in text
    assert import_table(rich, tmp_path / "shared.csv", "Ben").updated == 0  # and coming back they spoil nothing
    export_table(rich, tmp_path / "own.csv", exact_locations=True)
    assert "-8.512345" in (tmp_path / "own.csv").read_text(encoding="utf-8")


def test_no_cell_is_a_formula(rich: Catalog, tmp_path: Path) -> None:
    export_table(rich, tmp_path / "shared.csv")
    with (tmp_path / "shared.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for name, cell in row.items():
                assert name in {"latitude", "longitude"} or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text())
def test_neutralised_text_comes_back(text: str) -> None:
    assert original(harmless(text)) == text
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_unknown_photos_are_reported_and_unknown_turtles_made(rich: Catalog, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"sha256,turtle\n{photo(3).sha256},New one\n{photo(9).sha256},B\n", encoding="utf-8")
    report = import_table(rich, table, "Ben")
    assert (report.updated, report.missing) == (1, (photo(9).sha256,))
    assert Browser(rich).photo("3").turtle == "New one"


@pytest.mark.parametrize(
    "text",
    [
        "turtle\nA\n",
        "",
        f"sha256,side\n{photo(1).sha256},upside\n",
        f"sha256,taken_on\n{photo(1).sha256},1.4.2020\n",
        f"sha256,latitude\n{photo(1).sha256},north\n",
        f"sha256\n{photo(1).sha256}\n{photo(1).sha256}\n",
    ],
)
def test_a_table_that_does_not_fit_changes_nothing(rich: Catalog, tmp_path: Path, text: str) -> None:
    before = Browser(rich).history()
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"bad\.csv"):
        import_table(rich, tmp_path / "bad.csv", "Ben")
    assert Browser(rich).history() == before
