"""Tables as people have them: read as they are meant, or refused by line; never shifted, cut or guessed."""

import csv
import datetime as dt
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from index.errors import ManifestError
from index.exchange.manifest import ManifestRow, read_manifest
from index.exchange.paths import PathFinder
from index.exchange.tables.columns import is_nothing
from index.exchange.tables.dates import DatedLine, DateOrder, column_order, parse_date
from tests.index.exchange.tables.reading import refused, table, usable

ROWS = "photo;turtle;side;site;latitude;longitude\n1.jpg;T1;Links;Café;37,7;20,9\n2.jpg;T2;R;Café;37,7;20,9\n"


@pytest.mark.parametrize(
    ("name", "content", "first_line"),
    [
        ("as it is", ROWS.encode(), 2),
        ("sep", b"sep=;\n" + ROWS.encode(), 3),
        ("sep and a mark", b"\xef\xbb\xbfSEP=;\r\n" + ROWS.replace("\n", "\r\n").encode(), 3),
        ("UTF-16", ROWS.replace(";", "\t").encode("utf-16"), 2),
        ("UTF-16 of the other order", b"\xfe\xff" + ROWS.encode("utf-16-be"), 2),
        ("UTF-16 without a mark", ROWS.encode("utf-16-le"), 2),
        ("Windows-1252", ROWS.encode("cp1252"), 2),
        ("Mac line ends", ROWS.replace("\n", "\r").encode(), 2),
        ("two marks", b"\xef\xbb\xbf\xef\xbb\xbf" + ROWS.encode(), 2),
        ("decomposed letters", unicodedata.normalize("NFD", ROWS).encode(), 2),
        ("an empty line first", b"\n;;;;;\n" + ROWS.encode(), 4),
    ],
)
def test_what_programs_save_is_read_as_it_is_meant(tmp_path: Path, name: str, content: bytes, first_line: int) -> None:
    one, two = usable(table(tmp_path, content))
    assert (one.number, two.number) == (first_line, first_line + 1)
    assert (one.sighting.latitude, one.sighting.longitude, one.sighting.site) == (37.7, 20.9, "Café")
    assert (one.sighting.side, two.sighting.side) == ("left", "right")


def test_a_table_that_is_no_utf8_says_how_it_was_read(tmp_path: Path) -> None:
    [remark] = read_manifest(table(tmp_path, ROWS.encode("cp1252"))).remarks
    assert "Windows-1252" in remark


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2.jpg,T2,Laganas, Zakynthos,Ana,37.7,20.9", "has more cells than the header has columns"),
        ("3.jpg,T3,Gerakas,Ana,37,7,20,9", "has more cells than the header has columns"),
        ('4.jpg,T4,Gerakas,Ana,"37,7","20,9"', "comma where decimals begin with a point"),
        ('4.jpg,T4,Gerakas,Ana,37.7,"1,020.9"', "marks between thousands"),
        ("4.jpg,T4,Gerakas,Ana,37.7.1,20.9", "not a number"),
        ("4.jpg,T4,Gerakas,Ana,37°42',20.9", "not a number"),
    ],
)
def test_cells_that_do_not_fit_cost_their_row_and_never_shift(tmp_path: Path, row: str, reason: str) -> None:
    path = table(
        tmp_path, f"photo,turtle,site,observer,latitude,longitude\n1.jpg,T1,G,A,1,2\n{row}\n5.jpg,T5,G,A,1,2\n"
    )
    [(line, words)] = refused(path).items()
    assert line == 3
    assert words.startswith("line 3")
    assert reason in words


@pytest.mark.parametrize("cell", ["1.234,5", "1,234.5", "1 234", "1'234", "1,234"])
def test_a_number_of_two_meanings_is_refused(tmp_path: Path, cell: str) -> None:
    [words] = refused(table(tmp_path, f"photo;x;y;w;h\na.jpg;{cell};1;2;3\n")).values()
    assert "x is" in words


def test_a_comma_that_can_only_begin_decimals_does(tmp_path: Path) -> None:
    [row] = usable(table(tmp_path, "photo;latitude;longitude\na.jpg;-8,512;115,25\n"))
    assert (row.sighting.latitude, row.sighting.longitude) == (-8.512, 115.25)


@pytest.mark.parametrize(
    "rows",
    [
        '1.jpg,T1,left,ok\n2.jpg,T2,left,"shy one\n3.jpg,T3,left,ok\n4.jpg,T4,left,ok\n',
        '1.jpg,T1,left,"shy one\n3.jpg,T3,left,"ok"\n4.jpg,T4,left,ok\n',
        '1.jpg,T1,left,"shy one\n3.jpg,T3,left,ok\n4.jpg,T4,left,also "\n5.jpg,T5,left,ok\n',
        '1.jpg,T1,left,"he said "no""\n',
    ],
)
def test_a_quote_that_swallows_rows_costs_the_table(tmp_path: Path, rows: str) -> None:
    with pytest.raises(ManifestError, match=r"line [23]"):
        read_manifest(table(tmp_path, f"photo,turtle,side,remark\n{rows}"))


def test_a_quote_over_two_lines_is_one_cell(tmp_path: Path) -> None:
    content = 'photo,turtle,side,remark\n1.jpg,T1,left,"first line\nsecond line, with comma"\n2.jpg,T2,left,5" wide\n'
    one, two = usable(table(tmp_path, content))
    assert one.sighting.notes["remark"] == "first line\nsecond line, with comma"
    assert two.sighting.notes["remark"] == '5" wide'


def test_rows_in_which_nothing_stands_are_no_photos(tmp_path: Path) -> None:
    content = "photo,turtle,side,site,,\n1.jpg,T1,left,Gerakas,,\n" + ",,,,,\n" * 40 + "\n \n2.jpg,T2,left,,,\n"
    assert [row.number for row in usable(table(tmp_path, content))] == [2, 45]


def test_columns_that_are_nearly_known_are_taken_with_a_sentence(tmp_path: Path) -> None:
    content = "path,turtle_id,Side ,date,lat,long,Site name,Tide\n1.jpg,T1,left,2019-07-01,37.7,20.9,Gerakas,low\n"
    manifest = read_manifest(table(tmp_path, content))
    [row] = manifest
    assert isinstance(row, ManifestRow)
    known = row.sighting
    assert (known.turtle, known.side, known.site, known.notes) == ("T1", "left", "Gerakas", {"tide": "low"})
    assert (known.taken_on, known.latitude, known.longitude) == (dt.date(2019, 7, 1), 37.7, 20.9)
    assert [words.split(": ", 1)[1] for words in manifest.remarks] == [
        "the column path is taken for photo.",
        "the column turtle_id is taken for turtle.",
        "the column date is taken for taken_on.",
        "the column lat is taken for latitude.",
        "the column long is taken for longitude.",
        "the column site name is taken for site.",
        "tide is kept as notes only.",
    ]


def test_a_known_column_goes_before_one_that_is_nearly_known(tmp_path: Path) -> None:
    [row] = usable(table(tmp_path, "photo,turtle,identity\n1.jpg,T1,x\n"))
    assert (row.sighting.turtle, row.sighting.notes) == ("T1", {"identity": "x"})
    with pytest.raises(ManifestError, match="both turtle_id and identity"):
        read_manifest(table(tmp_path, "photo,turtle_id,identity\n1.jpg,T1,x\n"))


@pytest.mark.parametrize("word", ["NA", "n/a", "nan", "null", "Unknown", "?", "-", " ", "NaN", "None"])
def test_words_for_nothing_are_no_turtle(tmp_path: Path, word: str) -> None:
    assert is_nothing(word)
    [row] = usable(table(tmp_path, f"photo,turtle,encounter,side\n1.jpg,{word},{word},{word}\n"))
    assert (row.sighting.turtle, row.sighting.encounter, row.sighting.side) == (None, None, None)


@pytest.mark.parametrize("cell", ["007", "T-1", "NA-7", "Nan 2", "unknown 7", "0"])
def test_ids_stay_text(tmp_path: Path, cell: str) -> None:
    [row] = usable(table(tmp_path, f"photo,turtle\n1.jpg,{cell}\n"))
    assert row.sighting.turtle == cell


def dated(*texts: str) -> str:
    return "photo;taken_on\n" + "".join(f"{number}.jpg;{text}\n" for number, text in enumerate(texts))


def test_a_column_of_dates_is_read_in_the_order_that_it_shows(tmp_path: Path) -> None:
    path = table(tmp_path, dated("03/04/2021", "25/04/2021", "2021-04-05", "1.5.2021 10:30", "6 May 2021"))
    assert [str(row.sighting.taken_on) for row in usable(path)] == [
        *("2021-04-03", "2021-04-25", "2021-04-05", "2021-05-01", "2021-05-06"),
    ]
    assert "day/month/year, as 25/04/2021 in line 3 shows" in read_manifest(path).remarks[0]
    american = table(tmp_path, dated("03/04/2021", "04/25/2021"))
    assert [str(row.sighting.taken_on) for row in usable(american)] == ["2021-03-04", "2021-04-25"]


@pytest.mark.parametrize("texts", [("03/04/2021",), ("3.4.2021",), ("25/04/2021", "04/25/2021")])
def test_dates_that_can_be_read_both_ways_cost_the_table_until_somebody_says(
    tmp_path: Path, texts: tuple[str, ...]
) -> None:
    path = table(tmp_path, dated(*texts))
    with pytest.raises(ManifestError, match="--dates dmy or --dates mdy"):
        read_manifest(path)
    first = next(iter(read_manifest(path, dates=DateOrder.DAY_FIRST)))
    assert isinstance(first, ManifestRow)
    assert first.sighting.taken_on == parse_date(texts[0], DateOrder.DAY_FIRST)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2091-07-01", "lies in the future"),
        ("1899-12-30", "spreadsheet makes of an empty cell"),
        ("44289", "Excel's number for 2021-04-03"),
        ("03/04/21", "not written YYYY-MM-DD"),
        ("31/02/2021", "not written YYYY-MM-DD"),
    ],
)
def test_days_that_cannot_be_cost_their_row(tmp_path: Path, text: str, reason: str) -> None:
    [words] = refused(table(tmp_path, dated("25/04/2021", text))).values()
    assert words.startswith("line 3: ")
    assert reason in words


def test_the_day_on_which_clocks_begin_is_no_day(tmp_path: Path) -> None:
    [row] = usable(table(tmp_path, dated("2000-01-01")))
    assert row.sighting.taken_on is None
    assert "cameras begin to count" in row.sighting.remarks[0]


@given(
    st.lists(st.dates(dt.date(1990, 1, 2), dt.date(2024, 12, 31)), min_size=1, max_size=20), st.sampled_from(DateOrder)
)
def test_no_day_is_ever_taken_for_another(days: list[dt.date], order: DateOrder) -> None:
    form = "%d/%m/%Y" if order is DateOrder.DAY_FIRST else "%m/%d/%Y"
    texts = [day.strftime(form) for day in days]
    try:
        found, _ = column_order([DatedLine(n, text) for n, text in enumerate(texts)], "t", None)
    except ManifestError:
        assert all(day.day <= 12 for day in days)
    else:
        assert [parse_date(text, found) for text in texts] == days


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
CELLS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=8)


@settings(max_examples=120)
@given(
    rows=CELLS,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_cell_arrives_in_its_column(
    rows: list[tuple[str, str, str]], delimiter: str, encoding: str, ends: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=ends)
    writer.writerow(["photo", "tide", "colour", "weather"])
    writer.writerows([f"{number}.jpg", *cells] for number, cells in enumerate(rows))
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_bytes(buffer.getvalue().encode(encoding))
    found = [row.columns for row in read_manifest(path)]
    assert [tuple(row[name] for name in ("tide", "colour", "weather")) for row in found] == [
        tuple(unicodedata.normalize("NFC", cell).strip() for cell in cells) for cells in rows
    ]


@settings(max_examples=150)
@given(content=st.binary(max_size=300) | st.text(alphabet='photo,turtle;"\n\r\t=0123 ', max_size=200).map(str.encode))
def test_no_file_raises_anything_but_a_sentence(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        rows = list(read_manifest(path))
    except ManifestError as error:
        assert str(error).endswith((".", ")."))
    else:
        assert all(row.number > 0 for row in rows)


def test_files_are_found_as_other_computers_write_their_names(tmp_path: Path) -> None:
    for name in ("season/T1/IMG_1.JPG", "season/T2/IMG_2.jpg", "Café/a.jpg", "twice/a.jpg", "twice/A.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = PathFinder(tmp_path)
    assert files.find("season\\T1\\IMG_1.JPG") == tmp_path / "season/T1/IMG_1.JPG"
    assert files.find("Season/t2/img_2.JPG") == tmp_path / "season/T2/IMG_2.jpg"
    assert files.find(unicodedata.normalize("NFD", "Café/a.jpg")) == tmp_path / "Café/a.jpg"
    assert files.find("twice/a.jpg") == tmp_path / "twice/a.jpg"
    assert files.find("twice/a.JPG") == tmp_path / "twice/a.JPG"  # nobody can say which is meant
    assert files.find("../" + tmp_path.name + "/SEASON/T1/img_1.jpg").samefile(tmp_path / "season/T1/IMG_1.JPG")
    assert files.find("C:\\photos\\a.jpg") == tmp_path / "C:\\photos\\a.jpg"


def test_a_photo_twice_is_a_conflict_where_it_shall_be_two_turtles(tmp_path: Path) -> None:
    reasons = refused(table(tmp_path, "photo,turtle\na.jpg,T1\n./a.jpg,T1\na.jpg,T2\n"))
    assert "same photo as line 2; the first one counts" in reasons[3]
    assert "says T2 of the same photo and head as line 2, which says T1" in reasons[4]
    boxed = usable(table(tmp_path, "photo,turtle,x,y,w,h\na.jpg,T8,0,0,9,9\na.jpg,T9,20,0,9,9\n"))
    assert [row.sighting.turtle for row in boxed] == ["T8", "T9"]


def test_a_row_whose_role_is_an_error_is_not_passed_over(tmp_path: Path) -> None:
    path = table(tmp_path, "photo,role\n1.jpg,gallery\n2.jpg,query\n3.jpg,#REF!\n")
    assert [row.number for row in read_manifest(path, ["gallery"])] == [2, 4]
    assert list(refused(path)) == [4]
