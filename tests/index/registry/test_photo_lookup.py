"""Photos are found by every path that leads to them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.errors import InputError
from index.types import PreparedPhoto
from tests.index.making import photo


def lying_at(path: Path, seed: int, named: str | None = None) -> PreparedPhoto:
    """A photo whose bytes are on the disk, enrolled by the name that was typed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(seed))
    made = photo(seed, "A")
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(made, sighting=replace(made.sighting, path=named or str(path)))


def test_every_way_to_write_a_path_leads_to_its_photo(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beach = tmp_path / "beach"
    catalog.enroll([lying_at(beach / "T1/1.jpg", 1), lying_at(beach / "T2/1.jpg", 2)], "Ana")
    (tmp_path / "link").symlink_to(beach)
    monkeypatch.chdir(beach)
    browser = Browser(catalog)
    for way in ("T1/1.jpg", "./T1/1.jpg", "T2/../T1/1.jpg", "../link/T1/1.jpg", str(tmp_path / "link/T1/1.jpg")):
        assert browser.photo(way).id == 1
    with pytest.raises(InputError, match="several"):
        browser.photo("1.jpg")
    monkeypatch.chdir(beach / "T2")
    assert browser.photo("1.jpg").id == 2
    assert browser.photo("1").id == 1


def test_paths_are_kept_plain_and_links_as_they_were_named(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "disk" / "deep"
    lying_at(real / "1.jpg", 1)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.chdir(tmp_path)
    typed = ["sub/../link/1.jpg", "sub/../disk/deep/2.jpg", "link/../3.jpg"]
    made = [lying_at(Path(name), seed, name) for seed, name in enumerate(typed, start=1)]
    catalog.enroll(made, "Ana")
    browser = Browser(catalog)
    expected = [tmp_path / "link/1.jpg", real / "2.jpg", tmp_path / "disk/3.jpg"]
    assert [Path(one.path) for one in browser.photos()] == expected
    for number, path in enumerate((real / "1.jpg", *expected[1:]), start=1):
        assert browser.photo(str(path)).id == number


def test_paths_that_were_kept_as_typed_are_found_with_and_without_their_files(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "photos" / "1.jpg"
    catalog.enroll([lying_at(path, 1)], "Ana")
    with catalog.writing("test"), catalog.transaction("older", "Ana") as transaction:
        typed = f"{tmp_path.as_posix()}/sub/../photos/1.jpg"
        transaction.journal.update("photos", "?::VARCHAR AS path, NULL::VARCHAR AS relative", "id = 1", typed)
    browser = Browser(catalog)
    assert browser.photo(str(path)).id == 1
    path.unlink()
    assert browser.photo(str(path)).id == 1
    assert browser.photo(typed).id == 1


def test_of_two_photos_of_one_path_the_one_that_lies_there_is_meant(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    catalog.enroll([lying_at(path, 1)], "Ana")
    catalog.enroll([lying_at(path, 2)], "Ana")
    assert Browser(catalog).photo(str(path)).id == 2
    path.unlink()
    with pytest.raises(InputError, match="several"):
        Browser(catalog).photo(str(path))
