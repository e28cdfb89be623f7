"""What would write over a photo, or could not be written at all, is refused before the work."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.errors import InputError
from retrieval.cli.outputs import check_page, check_picture_folder, picture_files
from retrieval.images import save, save_match_picture
from tests.index.making import RECIPE, photo

GREY = np.full((24, 32, 3), 128, np.uint8)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "turtles.catalog", RECIPE)


def test_the_pictures_of_several_photos_have_names_of_their_own(catalog: Catalog, tmp_path: Path) -> None:
    asked = [Path("T1/left.jpg"), Path("T2/left.jpg")]
    into = tmp_path / "new" / "pictures"
    assert picture_files(into, asked, catalog) == [into / "0001-left.png", into / "0002-left.png"]
    assert picture_files(into / "a.JPG", asked[:1], catalog) == [into / "a.JPG"]


def test_a_picture_that_cannot_be_written_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "file.png"
    file.touch()
    asked = [Path("a.jpg"), Path("b.jpg")]
    for target, photos, reason in (
        (tmp_path / "match", asked[:1], r"use \.png or \.jpg"),
        (tmp_path / "match.py", asked[:1], r"use \.png or \.jpg"),
        (tmp_path, asked[:1], "is a folder"),
        (file, asked, "is a file"),
        (file / "a.png", asked[:1], "choose another folder"),
    ):
        with pytest.raises(InputError, match=reason):
            picture_files(target, photos, catalog)


def test_no_picture_is_written_over_a_photo(catalog: Catalog, tmp_path: Path) -> None:
    asked, original, earlier = (tmp_path / name for name in ("a.jpg", "original.jpg", "0001-a.png"))
    for path in (asked, original):
        path.write_text(path.name)
    save_match_picture(GREY, earlier)
    (tmp_path / "link.jpg").symlink_to(asked)
    sha256 = hashlib.sha256(original.read_bytes()).hexdigest()
    catalog.enroll([replace(photo(1), sha256=sha256)], "Ana")
    for target in (asked, tmp_path / "link.jpg", tmp_path / "x" / ".." / "a.jpg", original):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="is a photo"):
            picture_files(target, [asked], catalog)
    assert picture_files(earlier, [asked], catalog) == [earlier]
    with pytest.raises(InputError, match=r"0001-a\.png is a photo"):
        picture_files(tmp_path, [tmp_path / "sub" / "a.jpg", earlier], catalog)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.bmp"])
def test_a_picture_is_written_over_match_pictures_only(catalog: Catalog, tmp_path: Path, name: str) -> None:
    target, asked = tmp_path / name, [tmp_path / "b.jpg"]
    target.touch()
    assert picture_files(target, asked, catalog) == [target]
    for content in (b"a", b"\x89PNG\r\n\x1a\n", name.encode() * 100):
        target.write_bytes(content)
        with pytest.raises(InputError, match="is there and does not say that it is a match picture"):
            picture_files(target, asked, catalog)
    save(GREY, target)  # a photo that is not enrolled
    with pytest.raises(InputError, match="is there and does not say that it is a match picture"):
        picture_files(target, asked, catalog)


@pytest.mark.parametrize("ending", ["jpg", "PNG", "tif", "webp"])
def test_a_match_picture_is_known_again(catalog: Catalog, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"match.{ending}"
    save_match_picture(GREY, target)
    assert picture_files(target, [tmp_path / "b.jpg"], catalog) == [target]


def test_pictures_go_into_a_folder_beside_photos_of_other_names_only(tmp_path: Path) -> None:
    check_picture_folder(tmp_path / "new", "encounter-*.png")
    save(GREY, tmp_path / "left-1.png")
    save_match_picture(GREY, tmp_path / "encounter-7.png")
    check_picture_folder(tmp_path, "encounter-*.png")
    save(GREY, tmp_path / "encounter-8.png")
    with pytest.raises(InputError, match=r"encounter-8\.png is there and does not say that it is a match picture"):
        check_picture_folder(tmp_path, "encounter-*.png")
    with pytest.raises(InputError, match="choose another folder"):
        check_picture_folder(tmp_path / "encounter-8.png" / "in", "encounter-*.png")


def test_a_page_is_written_over_pages_only(tmp_path: Path) -> None:
    page, table = tmp_path / "page.html", tmp_path / "photos.csv"
    check_page(page)
    page.write_text("<!DOCTYPE html><html>")
    table.write_text("photo\n")
    check_page(page)
    with pytest.raises(InputError, match="is no report"):
        check_page(table)
    for target in (tmp_path, tmp_path / "none" / "page.html"):
        with pytest.raises(InputError, match="cannot be written"):
            check_page(target)
