"""Workbooks say what a person sees in them, or which row says nothing."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import pytest

from index.errors import ManifestError
from index.exchange.manifest import ManifestRow, RefusedRow, read_manifest
from tests.index.exchange.tables.reading import refused, table, usable


def book(*rows: list[Any]) -> Any:
    """A sheet of a new workbook."""
    sheet = pytest.importorskip("openpyxl").Workbook().active
    for row in rows:
        sheet.append(row)
    return sheet


def saved(sheet: Any, folder: Path) -> Path:
    sheet.parent.save(folder / "book.xlsx")
    return folder / "book.xlsx"


def rewritten(path: Path, what: str, by: str) -> Path:
    """A workbook whose first sheet another program would have written so."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    text = parts["xl/worksheets/sheet1.xml"].decode()
    assert what in text
    parts["xl/worksheets/sheet1.xml"] = text.replace(what, by).encode()
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            book.writestr(name, data)
    return path


def test_a_workbook_is_read_as_a_table(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["photo", "turtle", "taken_on", "latitude", "side"])
    sheet.append(["1.jpg", 7, dt.datetime(2019, 7, 1), 37.7, "left"])
    sheet.append([None] * 5)
    sheet.append(["2.jpg", "007", dt.datetime(2019, 7, 1, 10, 30), -8.5, None])
    book.create_sheet("notes").append(["anything"])
    book.save(tmp_path / "book.xlsx")
    (tmp_path / "book.xlsx").rename(tmp_path / "photos.csv")  # by its bytes and not its name
    manifest = read_manifest(tmp_path / "photos.csv")
    one, two = usable(tmp_path / "photos.csv")
    assert (one.sighting.turtle, two.sighting.turtle) == ("7", "007")
    assert one.sighting.taken_on == two.sighting.taken_on == dt.date(2019, 7, 1)
    assert (one.sighting.latitude, two.sighting.latitude) == (37.7, -8.5)
    assert (one.number, two.number) == (2, 4)
    assert "the sheet Sheet is read, and notes not" in manifest.remarks[0]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (7, "000", "007"),
        (1234, "000", "1234"),
        (7.0, "0000", "0007"),
        (7, '"T"000', "T007"),
        (7, r"\K\-00", "K-07"),
        (7, "0", "7"),
        (7, "General", "7"),
        (7.5, "000", "7.5"),
        (7, '0" m"', "7"),
        ("7", "000", "7"),
    ],
)
def test_a_number_is_the_text_that_a_person_sees(tmp_path: Path, value: float | str, form: str, text: str) -> None:
    sheet = book(["photo", "turtle"], ["1.jpg", value])
    sheet["B2"].number_format = form
    [row] = usable(saved(sheet, tmp_path))
    assert row.sighting.turtle == text


def test_a_merged_cell_counts_in_each_row_that_it_spans(tmp_path: Path) -> None:
    sheet = book(
        ["photo", "turtle", "site", "tide"],
        *(["1.jpg", "T1", "Reef"], ["2.jpg"], ["3.jpg"], ["4.jpg", "T2"], ["5.jpg", "T3"], ["6.jpg"]),
    )
    for cells in ("B2:B4", "C2:D3", "B6:B30"):
        sheet.merge_cells(cells)
    rows = usable(saved(sheet, tmp_path))
    assert [row.number for row in rows] == [2, 3, 4, 5, 6, 7]
    assert [row.sighting.turtle for row in rows] == ["T1", "T1", "T1", "T2", "T3", "T3"]
    assert [row.sighting.site for row in rows] == ["Reef", "Reef", None, None, None, None]
    assert not any(row.sighting.notes for row in rows)


def test_a_formula_whose_value_was_never_saved_costs_its_row(tmp_path: Path) -> None:
    sheet = book(["photo", "turtle", "length"], ["1.jpg", '="T"&1'], ["2.jpg"], ["3.jpg", "T3"], ["4.jpg", "T4", "=1"])
    sheet.merge_cells("B2:B3")
    path = saved(sheet, tmp_path)
    reasons = refused(path)
    assert [row.sighting.turtle for row in read_manifest(path) if isinstance(row, ManifestRow)] == ["T3"]
    assert reasons.keys() == {2, 3, 5}
    for line, column in ((2, "turtle"), (3, "turtle"), (5, "length")):
        assert reasons[line].startswith(f"line {line} has in {column} a formula whose value was never saved")
        assert "save it" in reasons[line]


def test_the_saved_value_of_a_formula_is_its_text(tmp_path: Path) -> None:
    rows = (
        '<row r="2"><c r="A2" t="str"><f>"1"&amp;".jpg"</f><v>1.jpg</v></c><c r="B2"><f>3+4</f><v>7</v></c></row>'
        '<row><c t="str"><v>2.jpg</v></c><c t="str"><f>""</f><v></v></c></row>'
        '<row><c t="str"><v>3.jpg</v></c><c><f>3+4</f></c></row>'
        '<row><c t="str"><f>IF(A5="","","5.jpg")</f><v></v></c></row>'
    )
    path = rewritten(saved(book(["photo", "turtle"]), tmp_path), "</sheetData>", f"{rows}</sheetData>")
    one, two, three = read_manifest(path)
    assert isinstance(one, ManifestRow)
    assert isinstance(two, ManifestRow)
    assert (one.sighting.turtle, two.sighting.turtle) == ("7", None)
    assert isinstance(three, RefusedRow)
    assert three.number == 4


@pytest.mark.parametrize("error", ["#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#BEZUG!", "Err:508"])
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_error_of_a_spreadsheet_costs_its_row_and_names_no_turtle(tmp_path: Path, error: str, ending: str) -> None:
    rows = [["photo", "turtle", "ratio"], ["1.jpg", error, ""], ["2.jpg", "T2", error]]
    text = "\n".join(",".join(row) for row in rows)
    path = saved(book(*rows), tmp_path) if ending == "xlsx" else table(tmp_path, text)
    [(line, reason)] = refused(path).items()
    assert line == 2
    assert reason.startswith(f"line 2 has {error} in turtle")
    [kept] = [row for row in read_manifest(path) if isinstance(row, ManifestRow)]
    assert (kept.sighting.turtle, kept.sighting.notes) == ("T2", {"ratio": error})


@pytest.mark.parametrize("told", ["A1", "A1:B2", "A1:XFD1048576", "B3:C4"])
def test_every_row_is_read_whatever_the_sheet_says_of_its_size(tmp_path: Path, told: str) -> None:
    path = saved(book(["photo", "turtle"], *([f"{n}.jpg", f"T{n}"] for n in range(1, 5))), tmp_path)
    path = rewritten(path, 'ref="A1:B5"', f'ref="{told}"')
    assert [row.sighting.turtle for row in usable(path)] == ["T1", "T2", "T3", "T4"]


def test_a_chart_is_no_sheet_to_read(tmp_path: Path) -> None:
    chart = pytest.importorskip("openpyxl.chart")
    sheet = book(["photo", "turtle", "n"], ["1.jpg", "T1", 3])
    bars = chart.BarChart()
    bars.add_data(chart.Reference(sheet, min_col=3, min_row=1, max_row=2))
    sheet.parent.create_chartsheet("Chart", 0).add_chart(bars)
    path = saved(sheet, tmp_path)
    [row] = usable(path)
    assert row.sighting.turtle == "T1"
    assert not any("Chart" in remark for remark in read_manifest(path).remarks)


@pytest.mark.parametrize("start", [b"PK\x03\x04\x14\0\6\0", b"\xd0\xcf\x11\xe0\xa1\xb1"])
def test_what_is_no_workbook_after_all_says_the_way_out(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(ManifestError, match="CSV UTF-8"):
        read_manifest(table(tmp_path, start + bytes(range(256)), "book.xlsx"))
