import datetime as dt
from pathlib import Path

import pytest

from index.errors import ManifestError
from index.exchange.manifest import ManifestRow, RefusedRow, read_manifest, read_roles
from index.exchange.tables.dates import parse_date
from index.exchange.tables.sides import parse_side
from index.types import HeadBox, Side


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "photos.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_row_carries_everything_that_is_known(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "photo,turtle,side,taken_on,encounter,species,site,observer,latitude,longitude,x,y,w,h,role,tide\n"
        "a/b.jpg,T017,left,2019-07-01,E1,Caretta caretta,Laganas,Ana,37.7,20.9,1,2,30,40,gallery,low\n",
    )
    [row] = read_manifest(path)
    assert isinstance(row, ManifestRow)
    known = row.sighting
    assert (row.number, row.role) == (2, "gallery")
    assert known.path == str(tmp_path / "a/b.jpg")
    assert (known.turtle, known.side, known.taken_on) == ("T017", Side.LEFT, dt.date(2019, 7, 1))
    assert (known.encounter, known.species, known.site, known.observer) == ("E1", "Caretta caretta", "Laganas", "Ana")
    assert (known.latitude, known.longitude, known.box) == (37.7, 20.9, HeadBox(1, 2, 30, 40))
    assert known.notes == {"tide": "low"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_spreadsheet_delimiter_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    text = f"Photo{delimiter}Turtle\na.jpg{delimiter}T1\n"
    [row] = read_manifest(written(tmp_path, text, "utf-8-sig"))
    assert isinstance(row, ManifestRow)
    assert row.sighting.turtle == "T1"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("b.jpg,up,,,", "none of left, right"),
        ("b.jpg,left,July 2019,,", "not written YYYY-MM-DD"),
        ("b.jpg,left,2019-02-30,,", "not written YYYY-MM-DD"),
        ("b.jpg,left,,95,", "outside -90 to 90"),
        ("b.jpg,left,,north,", "not a number"),
        ("b.jpg,left,,nan,", "not a number"),
        ("b.jpg,left,,,7", "all of x, y, w, h"),
        (",left,,,", "names no photo"),
        ("a.jpg,left,,,", "same photo as line 2"),
        ("a\0b.jpg,left,,,", "cannot be the name of a file"),
    ],
)
def test_one_bad_row_costs_only_itself(tmp_path: Path, cells: str, reason: str) -> None:
    path = written(tmp_path, f"photo,side,taken_on,latitude,x\na.jpg,left,,,\n{cells}\nc.jpg,right,,,\n")
    first, bad, last = read_manifest(path)
    assert isinstance(first, ManifestRow)
    assert isinstance(last, ManifestRow)
    assert isinstance(bad, RefusedRow)
    assert bad.number == 3
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (f"{'x' * 121},,,,", "cannot be a turtle's id"),
        ("bell\a,,,,", "cannot be a turtle's id"),
        ("T1,inf,1,2,3", "x is 'inf', not a number"),
        ("T1,1,nan,2,3", "y is 'nan', not a number"),
        ("T1,1,2,1e400,3", "w is '1e400', not a number"),
        ("T1,1e308,1,1e308,3", "farther out than any photo"),
    ],
)
def test_ids_and_boxes_that_cannot_be_kept_cost_their_row(tmp_path: Path, cells: str, reason: str) -> None:
    path = written(tmp_path, f"photo,turtle,x,y,w,h\na.jpg,T1,,,,\nb.jpg,{cells}\nc.jpg,T1,,,,\n")
    first, bad, last = read_manifest(path)
    assert isinstance(first, ManifestRow)
    assert isinstance(last, ManifestRow)
    assert isinstance(bad, RefusedRow)
    assert bad.reason.startswith("line 3: ")
    assert reason in bad.reason
    assert bad.reason.endswith(".")
    assert not bad.reason.endswith("..")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column named photo"),
        ("scan,turtle\na.jpg,T1\n", "no column named photo"),
        ("photo,photo\na.jpg,b.jpg\n", "two columns of one name"),
        ("photo,turtle\na.jpg,T1\n", "no column named role"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        list(read_manifest(written(tmp_path, text), roles=["gallery"]))


def test_a_manifest_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="UTF-8"):
        list(read_manifest(written(tmp_path, "photo\nsch\x81ldkr\x8dte.jpg\n", "latin-1")))
    with pytest.raises(ManifestError, match="no manifest"):
        list(read_manifest(tmp_path / "nothing.csv"))


def test_the_roles_of_a_manifest_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "photo,role\na.jpg,new\nb.jpg,\na.jpg,known\nc.jpg,new\n")
    assert read_roles(path) == ["known", "new"]
    assert read_roles(written(tmp_path, "photo\na.jpg\n")) == []


def test_roles_select_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "photo,role\na.jpg,gallery\nb.jpg,known\nc.jpg,new\n")
    kept = [row.sighting.path for row in read_manifest(path, ["known", "new"]) if isinstance(row, ManifestRow)]
    assert kept == [str(tmp_path / "b.jpg"), str(tmp_path / "c.jpg")]


@pytest.mark.parametrize(
    "text",
    [
        *("2019-07-011", "2019-07-01 to 2019-07-05", "2019-07-01x", "2019-07-01-05", "2019-07-01 late", "2019-07"),
        *("2019-13-01", "2019-07/01", "2019-07-01T", "2019-07-0110:22", "01.07.2019", ""),
    ],
)
def test_what_is_more_or_less_than_a_date_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not written YYYY-MM-DD"):
        parse_date(text)


def test_dates_and_sides_as_people_write_them() -> None:
    for text in (
        *("2019-07-01", "2019:07:01", "2019/07/01", "20190701", " 2019-07-01 ", "2019:07:01 10:22:03"),
        *("2019-07-01T10:22", "2019-07-01 9:22 PM", "2019-07-01T10:22:03.25+02:00", "2019-07-01 10:22:03Z"),
    ):
        assert parse_date(text) == dt.date(2019, 7, 1)
    assert parse_side("L") is parse_side(" Left ") is Side.LEFT


def test_a_box_is_finite(tmp_path: Path) -> None:
    [row] = read_manifest(written(tmp_path, "photo,x,y,w,h\na.jpg,inf,2,30,40\n"))
    assert isinstance(row, RefusedRow)
    assert "x is 'inf', not a number" in row.reason
