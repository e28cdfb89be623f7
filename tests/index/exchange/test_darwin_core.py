"""Archives that we write are valid, and the checker notices what is not."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from index.errors import CatalogDamaged
from index.exchange.darwin_core import export_darwin_core
from tests.index.exchange.darwin_core_reader import check_darwin_core
from tests.index.making import day, photo


@pytest.fixture
def archive(catalog: Catalog, tmp_path: Path) -> Path:
    placed = photo(1, "A", taken_on=day(1), site='=Reef, "n"', species="Caretta caretta")
    seen = replace(placed.sighting, latitude=-8.512345, longitude=115.259876, observer="Ana")
    catalog.enroll([replace(placed, sighting=seen), photo(2, "A", taken_on=day(1)), photo(3)], "Ana")
    assert export_darwin_core(catalog, tmp_path / "dwca.zip", "Turtles <of> the & reef") == 2
    return tmp_path / "dwca.zip"


def test_what_we_write_is_valid_and_coarse(archive: Path) -> None:
    assert check_darwin_core(archive) == []
    with zipfile.ZipFile(archive) as parts:
        text = parts.read("occurrence.csv").decode()
    assert "2020-01-02" in text
    assert "Caretta caretta" in text
    assert "-8.5,115.3,WGS84,11100" in text
    assert "8.512" not in text
    assert "'=Reef" in text


def test_exact_coordinates_leave_on_request(catalog: Catalog, archive: Path, tmp_path: Path) -> None:
    export_darwin_core(catalog, tmp_path / "exact.zip", "Own", exact_locations=True)
    with zipfile.ZipFile(tmp_path / "exact.zip") as parts:
        assert "-8.512345,115.259876,WGS84,," in parts.read("occurrence.csv").decode()


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("occurrence.csv", "-8.5,", "-98.5,", "decimalLatitude -98.5"),
        ("occurrence.csv", "2020-01-02", "2.1.2020", "eventDate 2.1.2020"),
        ("occurrence.csv", "HumanObservation", "", "basisOfRecord is empty"),
        ("occurrence.csv", "encounter:2", "encounter:1", "not unique"),
        ("identification.csv", "turtleidx:encounter:1", "turtleidx:encounter:9", "which the core does not have"),
        ("meta.xml", "occurrence.csv", "elsewhere.csv", "missing"),
        ("eml.xml", "title>", "name>", "no title"),
    ],
)
def test_the_checker_notices(archive: Path, tmp_path: Path, name: str, old: str, new: str, sentence: str) -> None:
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(tmp_path / "bad.zip", "w") as changed:
        for member in whole.namelist():
            text = whole.read(member).decode()
            changed.writestr(member, text.replace(old, new) if member == name else text)
    assert any(sentence in problem for problem in check_darwin_core(tmp_path / "bad.zip"))


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("no archive")
    with pytest.raises(CatalogDamaged, match=r"no\.zip"):
        check_darwin_core(tmp_path / "no.zip")
