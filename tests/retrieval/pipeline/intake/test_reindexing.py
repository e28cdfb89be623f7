"""`turtleidx reindex` on drawn photos: another extractor, lost and changed originals."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from index.catalog.catalog import Catalog
from index.types import GalleryFilter, Sighting
from retrieval.engine.engine import Engine
from retrieval.engine.options import NEAREST, EngineOptions
from retrieval.features.sift import SiftExtractor
from retrieval.images.inputs import from_paths
from retrieval.images.photos import READER
from retrieval.pipeline.intake import enroll
from synthetic.samples import SampleSet
from tests.retrieval.drawn import copied
from tests.retrieval.shelling import Shell


@pytest.fixture(scope="module")
def drawn(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos each of two turtles."""
    folder = copied(samples, tmp_path_factory.mktemp("drawn"), ("T001", "T002")).folder
    for third in folder.glob("*/left-3.jpg"):
        third.unlink()
    return folder


@pytest.fixture
def own(drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    photos = Path(shutil.copytree(drawn, tmp_path / "photos"))
    shell = Shell(tmp_path / "turtles.catalog", capsys, monkeypatch)
    assert shell("enroll", photos, "--no-fit", "--side", "left").code == 0
    return shell


def test_another_extractor_reads_every_original_again(own: Shell) -> None:
    photo = own.catalog.parent / "photos" / "T001" / "left-1.jpg"
    assert own("reindex", "--extractor", "sift-128-240", "--dry-run").code == 0
    [done] = own("reindex", "--extractor", "sift-128-240", "--json").records
    assert (done["read"], done["refused"], done["extractor"]) == (4, [], "sift-128-240-v3")
    [info] = own("info", "--json").records
    assert (info["extractor"], info["health"]) == ("sift-128-240-v3", [])
    [answer] = own("query", photo, "--json").records
    assert answer["compared"]["photos"] == 3
    assert own("reindex", "--json").records[0]["read"] == 0


def test_a_dry_run_tells_what_is_read_then(own: Shell) -> None:
    (own.catalog.parent / "photos" / "T002" / "left-1.jpg").unlink()
    [looked] = own("reindex", "--extractor", "sift-128-240", "--dry-run", "--json").records
    assert (looked["read"], looked["dry_run"], len(looked["refused"])) == (3, True, 1)
    assert "left-1.jpg does not exist" in looked["refused"][0]["reason"]
    told = own("reindex", "--extractor", "sift-128-240", "--dry-run")
    assert "3 photos would be read again with sift-128-240-v3" in told.out
    assert "nothing was changed" in told.err
    assert own("info", "--json").records[0]["extractor"] != "sift-128-240-v3"
    done = own("reindex", "--extractor", "sift-128-240", "--yes", "--json")
    assert done.records == [looked | {"dry_run": False}]
    assert own("reindex", "--dry-run", "--json").records[0] == looked | {"read": 0}


def test_a_catalogue_of_an_earlier_versions_keypoints_says_so_and_is_read_again(own: Shell) -> None:
    class Earlier(SiftExtractor):
        VERSION = 1

    folder = own.catalog.parent / "photos"
    own.catalog = own.catalog.with_name("older.catalog")
    engine = replace(Engine.load(options=EngineOptions(matcher=NEAREST)), extractor=Earlier())
    catalog = Catalog.create(own.catalog, engine.recipe)
    enroll(catalog, from_paths([folder], Sighting(""), by_folder=True), engine, "Ben")
    for command in ("query", "enroll"):
        refused = own(command, folder / "T001" / "left-1.jpg")
        assert refused.code == 1
        assert (
            "sift-512-320-v1 and words-1, not with sift-512-320-v3 and words-1: run `turtleidx reindex`" in refused.err
        )
    assert own("turtles", "list", "--json").code == 0
    [done] = own("reindex", "--json").records
    assert (done["read"], done["extractor"]) == (4, "sift-512-320-v3")
    assert own("query", folder / "T001" / "left-1.jpg").code == 0


def test_lost_and_changed_originals_are_named_and_wait(own: Shell) -> None:
    folder = own.catalog.parent / "photos"
    moved = folder.parent / "moved"
    moved.mkdir()
    (folder / "T001" / "left-1.jpg").rename(moved / "a.jpg")
    shutil.copy(folder / "T002" / "left-1.jpg", folder / "T002" / "left-2.jpg")
    asked = own("reindex", "--extractor", "sift-128-240", answer="n\n")
    assert (asked.code, "left-1.jpg does not exist" in asked.err) == (1, True)
    assert Catalog.open(own.catalog).recipe.extractor == "sift-512-320-v3"
    done = own("reindex", "--extractor", "sift-128-240", "--yes")
    assert done.code == 3
    assert "left-2.jpg has changed since it was enrolled" in done.err
    assert len(Catalog.open(own.catalog).photos(GalleryFilter(identified=False))) == 2
    assert own("check").code == 3
    assert own("photos", "relocate", moved).code == 0
    mended = own("reindex", "--json")
    assert (mended.code, mended.records[0]["read"]) == (3, 1)
    assert len(Catalog.open(own.catalog).photos(GalleryFilter(identified=False))) == 3


def test_a_catalogue_that_moved_with_its_photos_finds_them(own: Shell, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(own.catalog, elsewhere / own.catalog.name)
    shutil.move(tmp_path / "photos", elsewhere / "photos")
    own.catalog = elsewhere / own.catalog.name
    assert own("reindex", "--extractor", "sift-64-160", "--json").records[0]["read"] == 4


@pytest.mark.parametrize("damage", ["missing", "garbage", "truncated"])
def test_a_feature_store_that_cannot_be_read_is_filled_again(own: Shell, damage: str) -> None:
    data = own.catalog / "features.lmdb" / "data.mdb"
    whole = data.read_bytes()
    data.unlink()
    if damage != "missing":
        data.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else bytes(len(whole)))
    told = own("check")
    assert (told.code, "turtleidx reindex" in told.err) == (1, True)
    assert own("reindex", "--dry-run").code == 0
    assert own("reindex", "--json").records[0]["read"] == 4
    assert own("check").code == 0
    assert len(list(own.catalog.glob("features.lmdb.damaged-*"))) == 1


def test_what_an_earlier_reader_got_wrong_is_named_and_only_that_is_read_again(own: Shell) -> None:
    folder = own.catalog.parent / "photos" / "T001"
    with Image.open(folder / "left-1.jpg") as image:
        cut = image.convert("RGBA")
    cut.putalpha(Image.linear_gradient("L").resize(cut.size))
    cut.save(folder / "cut.png")
    assert own("enroll", folder / "cut.png", "--turtle", "T001", "--no-fit").code == 0
    catalog = Catalog.open(own.catalog)
    with catalog.writing("test"), catalog.transaction("as before", "Ana") as transaction:
        transaction.run("UPDATE photos SET reader = 1, reading = 1, content = NULL")
        transaction.journal.put("settings", [{"name": "any", "value": "change"}])
    checked = own("check", "--json")
    [problem] = checked.records[0]["problems"]
    assert "cut.png was read otherwise by an earlier version: run `turtleidx reindex`" in problem
    assert checked.code == 3
    assert own("reindex", "--json").records[0]["read"] == 1
    assert own("check", "--json").records[0]["problems"] == []
    with catalog.reading() as session:
        assert session.rows("SELECT count(*), min(reader), count(content) FROM photos") == [(5, READER, 5)]
