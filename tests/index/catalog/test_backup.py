"""Backups come back whole, and a bad or malicious archive harms nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.backup import CONTENTS, restore_backup, write_backup
from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.catalog.page_folders import is_kept_by_page, page_files
from index.curation.curator import Curator
from index.errors import CatalogDamaged, CatalogExists, CatalogTooNew
from index.types import GalleryFilter
from tests.index.making import photo, vector

ALL = GalleryFilter(identified=False)


@pytest.fixture
def archive(catalog: Catalog, tmp_path: Path) -> Path:
    catalog.enroll([photo(n, f"T{n:03d}") for n in range(4)], "Ana")
    Curator(catalog, "Ben").remove_photos([2])
    return write_backup(catalog, tmp_path / "turtles.zip").path


def test_a_backup_comes_back_whole(catalog: Catalog, archive: Path, tmp_path: Path) -> None:
    restored = restore_backup(archive, tmp_path / "elsewhere" / "again.catalog")
    before, after = Browser(catalog), Browser(restored)
    assert after.turtles() == before.turtles()
    assert after.photos() == before.photos()
    assert after.history() == before.history()
    assert check_catalog(restored).problems == ()
    assert restored.shortlist(vector(3), 1, ALL).photos[0].turtle == "T003"
    np.testing.assert_array_equal(restored.vectors(restored.photos(ALL)), catalog.vectors(catalog.photos(ALL)))
    Curator(restored, "Ana").undo()
    assert len(restored.photos(ALL)) == 4
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_backup_is_not_restored_over_something(archive: Path, catalog: Catalog) -> None:
    with pytest.raises(CatalogExists):
        restore_backup(archive, catalog.path)


@pytest.mark.parametrize("damage", ["missing", "not a zip", "truncated", "changed", "without contents"])
def test_a_bad_archive_is_named_and_leaves_nothing(archive: Path, tmp_path: Path, damage: str) -> None:
    bad = tmp_path / "bad.zip"
    if damage == "not a zip":
        bad.write_bytes(b"PK\3\4 and then nothing")
    elif damage == "truncated":
        bad.write_bytes(archive.read_bytes()[:-500])
    elif damage != "missing":
        with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(bad, "w") as changed:
            for name in whole.namelist():
                if damage == "changed" or name != CONTENTS:
                    content = whole.read(name)
                    changed.writestr(name, content[:-1] + b"x" if name == "registry.duckdb" else content)
    with pytest.raises(CatalogDamaged, match=r"bad\.zip"):
        restore_backup(bad, tmp_path / "new.catalog")
    assert not [path for path in tmp_path.iterdir() if "new.catalog" in path.name]


def test_paths_that_lead_elsewhere_are_not_followed(archive: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(evil, "w") as crafted:
        for name in whole.namelist():
            content = whole.read(name)
            if name == CONTENTS:
                contents = json.loads(content)
                contents["files"]["../escaped"] = {"bytes": 4, "sha256": "00"}
                content = json.dumps(contents).encode()
            crafted.writestr(name, content)
        for name in ("../escaped", "/turtleidx-escaped", "..\\escaped", "features.lmdb/../../escaped"):
            crafted.writestr(name, "evil")
    restored = restore_backup(evil, tmp_path / "safe" / "new.catalog")
    assert len(restored.photos(ALL)) == 3
    found = {path.name for path in tmp_path.rglob("*")}
    assert not {name for name in found if "escaped" in name}


def test_an_archive_of_a_newer_format_is_refused(archive: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(newer, "w") as crafted:
        crafted.writestr(CONTENTS, json.dumps({"format": 99, "files": {}}))
    with pytest.raises(CatalogTooNew, match="update turtleidx"):
        restore_backup(newer, tmp_path / "new.catalog")


def page_leaves(catalog: Catalog) -> Path:
    """A photo that came in by the review page, a begun import, an answer that waits; and what nobody expects there."""
    kept = catalog.path / "photos" / "2026-11-29-0123abcd" / "00001-IMG_1.jpg"
    draft = catalog.path / "incoming" / ("0" * 32) / "draft.json"
    waiting = catalog.path / "outbox" / "0001-key.json"
    for path in (kept, draft, waiting, kept.with_name("..odd"), kept.with_name("stray.jpg")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())
    (kept.parent / "link.jpg").symlink_to("/etc/hostname")
    made = photo(9, "T009")
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    catalog.enroll([replace(made, sha256=digest, sighting=replace(made.sighting, path=str(kept)))], "Ana")
    return kept


def test_what_the_review_page_keeps_comes_back_too(catalog: Catalog, tmp_path: Path) -> None:
    kept = page_leaves(catalog)
    backup = write_backup(catalog, tmp_path / "turtles.zip").path
    restored = restore_backup(backup, tmp_path / "other" / "again.catalog")
    there = restored.path / "photos" / kept.parent.name / kept.name
    assert there.read_bytes() == kept.read_bytes()
    assert {path.name for path in there.parent.iterdir()} == {kept.name, "stray.jpg"}
    assert (restored.path / "incoming" / ("0" * 32) / "draft.json").is_file()
    assert (restored.path / "outbox" / "0001-key.json").is_file()
    [found] = Browser(restored).photos(turtle="T009")
    assert found.path == there.as_posix()
    lost = check_catalog(restored, originals=True).originals
    assert lost is not None
    assert lost.missing == ()


def test_check_says_what_the_review_page_keeps(catalog: Catalog) -> None:
    assert check_catalog(catalog).page == ()
    page_leaves(catalog)
    told = " ".join(check_catalog(catalog).page)
    for part in ("1 imports", "1 answers", "2 photos", "1 files there belong to no photo"):
        assert part in told
    assert check_catalog(catalog).problems == ()
    (catalog.path / "outbox" / "0002-key.unreadable").write_text("{")
    assert "cannot be read" in check_catalog(catalog).problems[0]


@pytest.mark.parametrize("place", ["other/turtles.catalog", "season.catalog"])
def test_photos_that_came_in_by_the_page_belong_to_their_catalogue_wherever_it_lies(
    catalog: Catalog, tmp_path: Path, place: str
) -> None:
    page_leaves(catalog)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    moved = Catalog.open(catalog.path.rename(tmp_path / place))
    assert [Path(name).name for name in page_files(moved).strays] == ["stray.jpg"]


@pytest.mark.parametrize(
    "name", ["photos/../../x", "photos/a/../b", "outbox/..", "incoming/a/.hidden", "photos/a/b/c", "x/a"]
)
def test_only_names_that_the_page_gives_are_its_files(name: str) -> None:
    assert not is_kept_by_page(name)
