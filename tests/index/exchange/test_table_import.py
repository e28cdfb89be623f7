"""What a table says is read as a manifest is, row by row, and nothing changes where it says what is known."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.curator import Curator
from index.errors import ManifestError
from index.exchange.table_export import export_table
from index.exchange.table_import import import_table
from index.types import HeadBox, Side
from tests.index.making import day, photo


@pytest.fixture
def seen(catalog: Catalog) -> Catalog:
    """Photo 1 with a place, a box and notes; photo 2 with nothing of that."""
    first = photo(1, "A", taken_on=day(1), side=Side.LEFT)
    known = replace(
        first.sighting, latitude=-8.512345, longitude=115.0, box=HeadBox(1, 2, 300, 400), notes={"tide": "low"}
    )
    catalog.enroll([replace(first, sighting=known), photo(2, "B", taken_on=day(2))], "Ana")
    return catalog


def table(folder: Path, *lines: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    """A table of rows, in which 1, 2 stand for the photos' sha256."""
    path = folder / name
    text = "\n".join(re.sub(r"#(\d)", lambda found: photo(int(found[1])).sha256, line) for line in lines)
    path.write_text(f"{text}\n", encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("notes", "[1]", "not texts by name"),
        ("notes", '"abc"', "not texts by name"),
        ("notes", "5", "not texts by name"),
        ("notes", "null", "not texts by name"),
        ("notes", "NaN", "not texts by name"),
        ("notes", '{"a":NaN}', "not texts by name"),
        ("notes", '{"a":{"b":"c"}}', "not texts by name"),
        ("notes", r'{"a":"\ud800"}', "not texts by name"),
        ("notes", "[" * 100_000, "not texts by name"),
        ("latitude", "nan", "not a number"),
        ("latitude", "inf", "not a number"),
        ("latitude", "999", "outside -90 to 90"),
        ("longitude", "-181", "outside -180 to 180"),
        ("x", "inf", "not a number"),
        ("w", "-5", "above zero"),
        ("w", "", "all of x, y, w, h"),
        ("x", "5000", "lies outside"),
        ("taken_on", "April 2020", "not written YYYY-MM-DD"),
        ("side", "upside", "none of left"),
        ("turtle", "a\u200bb", "turtle's id"),
    ],
)
def test_a_row_that_enroll_would_refuse_is_refused_and_the_rest_done(
    seen: Catalog, tmp_path: Path, column: str, cell: str, reason: str
) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    source = table(tmp_path, f"sha256,site,{column}", f"#1,Reef,{quoted}", "#2,Reef,")
    before = Browser(seen).photo("1")
    report = import_table(seen, source, "Ben")
    assert (report.updated, report.unchanged) == (1, 0)
    [refused] = report.refused
    assert refused.number == 2
    assert refused.reason.startswith("line 2: ")
    assert reason in refused.reason
    assert Browser(seen).photo("1") == before
    assert Browser(seen).photo("2").site == "Reef"
    assert check_catalog(seen).problems == ()


def test_half_a_box_is_refused(seen: Catalog, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="line 2: a head box needs all"):
        import_table(seen, table(tmp_path, "sha256,x,y", "#2,1,2"), "Ben")


@pytest.mark.parametrize("written", ["2020-03-01", "20200301", "2020/03/01", "2020-03-01 10:22"])
def test_dates_are_read_as_in_manifests(seen: Catalog, tmp_path: Path, written: str) -> None:
    assert import_table(seen, table(tmp_path, "sha256,taken_on", f"#2,{written}"), "Ben").updated == 1
    assert Browser(seen).photo("2").taken_on == dt.date(2020, 3, 1)


def test_cells_that_say_the_same_otherwise_change_nothing(seen: Catalog, tmp_path: Path) -> None:
    source = table(
        tmp_path,
        "sha256,turtle,side,taken_on,latitude,longitude,x,y,w,h,notes",
        '#1,A ,L,2020-01-02 08:00,-8.50,115,1,2,300,400.00,"{ ""tide"": ""low"" }"',
    )
    events = len(Browser(seen).history())
    report = import_table(seen, source, "Ben")
    assert (report.updated, report.unchanged, report.refused) == (0, 1, ())
    assert len(Browser(seen).history()) == events
    assert Browser(seen).photo("1").latitude == -8.512345


def test_a_merged_id_is_the_turtle_that_took_its_photos_over(seen: Catalog, tmp_path: Path) -> None:
    Curator(seen, "Ana").merge_turtles("A", {"B"})
    Curator(seen, "Ana").set_date([2], None)
    assert import_table(seen, table(tmp_path, "sha256,turtle", "#2,B"), "Ben").unchanged == 1


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 2, 1)])
def test_ids_of_one_table_that_look_alike_are_told_apart_as_in_enrolment(
    seen: Catalog, tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    seen.enroll([photo(3, "C")], "Ana")
    rows = [f"#{number},{turtle}" for number, turtle in zip(numbers, ("Kiki", "kiki", "Kiki"), strict=True)]
    source = table(tmp_path, "sha256,turtle", *rows)
    report = import_table(seen, source, "Ben")
    [refused] = report.refused
    assert (report.updated, refused.number) == (2, 3)
    assert "to kiki, which would be new and differs from Kiki only in case: write Kiki, or" in refused.reason
    assert [Browser(seen).photo(str(number)).turtle for number in numbers] == ["Kiki", "B", "Kiki"]
    assert import_table(seen, source, "Ben", new_ids=True).updated == 1
    assert Browser(seen).photo("2").turtle == "kiki"


def test_an_id_of_a_row_that_is_refused_is_not_taken_for_known(seen: Catalog, tmp_path: Path) -> None:
    source = table(tmp_path, "sha256,turtle,latitude", "#1,Kiki,999", "#2,kiki,")
    assert [row.number for row in import_table(seen, source, "Ben").refused] == [2]
    assert Browser(seen).photo("2").turtle == "kiki"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_case_delimiter_and_a_byte_order_mark(seen: Catalog, tmp_path: Path, delimiter: str) -> None:
    lines = [line.replace(",", delimiter) for line in ("SHA256,Turtle, Side ,X,Y,W,H", "#2,C,R,1,2,30,40")]
    assert import_table(seen, table(tmp_path, *lines, encoding="utf-8-sig"), "Ben").updated == 1
    changed = Browser(seen).photo("2")
    assert (changed.turtle, changed.side, changed.box) == ("C", Side.RIGHT, HeadBox(1, 2, 30, 40))


def test_a_decimal_comma_is_one(seen: Catalog, tmp_path: Path) -> None:
    import_table(seen, table(tmp_path, "sha256;latitude;longitude", "#2;37,7;20,9"), "Ben")
    assert (Browser(seen).photo("2").latitude, Browser(seen).photo("2").longitude) == (37.7, 20.9)


def test_other_columns_are_kept_as_notes_and_one_undo_takes_them_back(seen: Catalog, tmp_path: Path) -> None:
    before = Browser(seen).photos()
    source = table(tmp_path, "photo,sha256,role,Tide,colour", "x.jpg,#1,known,high,green", "y.jpg,#2,new,,")
    report = import_table(seen, source, "Ben")
    assert (report.updated, report.unchanged, report.noted) == (1, 1, ("tide", "colour"))
    assert Browser(seen).photo("1").notes == {"tide": "high", "colour": "green"}
    assert import_table(seen, source, "Ben").updated == 0
    export_table(seen, tmp_path / "out.csv", exact_locations=True)
    Curator(seen, "Ben").undo()
    assert Browser(seen).photos() == before
    assert import_table(seen, tmp_path / "out.csv", "Ben").updated == 1
    assert Browser(seen).photo("1").notes == {"tide": "high", "colour": "green"}


def test_rows_without_a_photo_or_with_too_many_cells_are_named(seen: Catalog, tmp_path: Path) -> None:
    source = table(tmp_path, "sha256,site", ",Reef", "#1,Reef,left", "#2,Reef,,", ",,", "#1,#REF!")
    report = import_table(seen, source, "Ben")
    assert (report.updated, report.missing) == (1, ())
    assert [row.reason for row in report.refused] == [
        "line 2 has no sha256.",
        "line 3 has more cells than the header has columns.",
        "line 6 has #REF! in site, where a formula failed: mend it, or leave the cell empty.",
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["turtle", "A"], "no column named sha256"),
        (["sha256,side,Side", "#1,left,right"], "two columns of one name"),
        (["sha256", "#1", "#2", "#1"], "in lines 2 and 4"),
        (["sha256,site", '#1,"Reef'], "cannot be read"),
        (["sha256,site"], "no rows"),
        (["number,sha256,encounter,encounter_name", "1,#1,5,dusk"], "turtleidx export"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(seen: Catalog, tmp_path: Path, lines: list[str], reason: str) -> None:
    before = Browser(seen).photos()
    with pytest.raises(ManifestError, match=reason):
        import_table(seen, table(tmp_path, *lines), "Ben")
    assert Browser(seen).photos() == before


def test_the_name_of_a_parquet_file_is_no_pattern(seen: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "turtle=Z"
    folder.mkdir()
    for name, site in (("q[1].parquet", "right"), ("q1.parquet", "wrong"), ("q*'?.parquet", "starred")):
        import_table(seen, table(tmp_path, "sha256,site", f"#2,{site}"), "Ben")
        export_table(seen, folder / name)
    for name, site in (("q[1].parquet", "right"), ("q*'?.parquet", "starred")):
        import_table(seen, folder / name, "Ben")
        assert (Browser(seen).photo("2").site, Browser(seen).photo("2").turtle) == (site, "B")


def test_a_file_that_is_no_parquet_is_refused(seen: Catalog, tmp_path: Path) -> None:
    (tmp_path / "garbage.parquet").write_bytes(b"garbage" * 20)
    with pytest.raises(ManifestError, match=r"garbage\.parquet cannot be read as a table"):
        import_table(seen, tmp_path / "garbage.parquet", "Ben")
    with pytest.raises(ManifestError, match="no table"):
        import_table(seen, tmp_path / "nothing.parquet", "Ben")


@pytest.mark.parametrize(
    ("assignment", "shown", "correction"),
    [
        ("notes = '[1]'", {"notes": "[1]"}, ("notes", "")),
        ("notes = 'null'", {"notes": "null"}, ("notes", "")),
        ("notes = '{\"a\":NaN}'", {"a": "NaN"}, ("notes", "")),
        ("latitude = 999", {}, ("latitude", "")),
        ("longitude = 'nan'::DOUBLE", {}, ("longitude", "")),
        ("box_x = 'inf'::DOUBLE, box_y = 1, box_w = 2, box_h = 3", {}, ("x,y,w,h", ",,,")),
        ("box_x = 1, box_y = 1", {}, ("x,y,w,h", ",,,")),
    ],
)
def test_values_that_are_in_a_registry_already_are_named_and_can_be_put_right(
    seen: Catalog, tmp_path: Path, assignment: str, shown: dict[str, str], correction: tuple[str, str]
) -> None:
    with seen.writing("test"), seen.transaction("break", "Ana") as transaction:
        transaction.run(f"UPDATE photos SET {assignment} WHERE id = 2")
        transaction.journal.put("settings", [{"name": "any", "value": "change"}])
    [problem] = check_catalog(seen).problems
    assert problem.startswith("Photo 2 has ")
    assert Browser(seen).photo("2").notes == shown
    assert export_table(seen, tmp_path / "out.csv") == 2
    columns, cells = correction
    import_table(seen, table(tmp_path, f"sha256,{columns}", f"#2,{cells}"), "Ben")
    assert check_catalog(seen).problems == ()
