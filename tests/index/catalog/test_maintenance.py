"""Checks find what was broken on purpose and repair what is derived; compacting forgets for good."""

from __future__ import annotations

import lmdb
import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.errors import Conflict
from index.types import GalleryFilter
from index.vectors.index import VectorIndex
from tests.index.making import photo, vector

ALL = GalleryFilter(identified=False)


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.enroll([photo(n, f"T{n:03d}") for n in range(6)], "Ana")
    return catalog


def test_a_whole_catalogue_has_nothing_to_report(filled: Catalog) -> None:
    report = check_catalog(filled)
    assert (report.problems, report.repaired, report.photos) == ((), (), 6)


def test_a_wrong_vector_file_is_built_anew(filled: Catalog) -> None:
    held = filled.searcher._held
    filled.searcher._vectors()
    wrong = VectorIndex(16)
    wrong.add(np.arange(1, 7), np.stack([vector(n + 50) for n in range(6)]))
    wrong.save(filled.path / "vectors.faiss", held)  # whole, of the right state, but not the registry's vectors
    assert len(check_catalog(Catalog.open(filled.path)).repaired) == 1
    reopened = Catalog.open(filled.path)
    assert check_catalog(reopened).repaired == ()
    assert reopened.shortlist(vector(3), 1, ALL).photos[0].turtle == "T003"


def test_damaged_missing_and_orphan_features_are_told_apart(filled: Catalog) -> None:
    with lmdb.open(str(filled.path / "features.lmdb"), max_dbs=8) as environment:
        features, thumbnails = environment.open_db(b"features"), environment.open_db(b"thumbnails")
        suffix = filled.recipe.extractor.encode()
        with environment.begin(write=True) as transaction:
            for number, key, cut in ((1, bytes.fromhex(photo(1).sha256), 3), (0, bytes(32), 0)):
                record = transaction.get(bytes.fromhex(photo(number).sha256) + suffix, db=features)
                assert record is not None
                transaction.put(key + suffix, record[: len(record) - cut], db=features)
            transaction.delete(bytes.fromhex(photo(2).sha256), db=thumbnails)
    report = check_catalog(filled)
    assert [("damaged" in p, "missing" in p) for p in report.problems] == [(True, False), (False, True)]
    assert report.repaired == ("1 feature records without a photo were deleted.",)
    assert check_catalog(filled).repaired == ()


def test_broken_rows_are_named(filled: Catalog) -> None:
    with filled.writing("test"), filled.transaction("break", "Ana") as transaction:
        transaction.run("DELETE FROM encounters WHERE id = 2")
        transaction.run("UPDATE turtles SET id = 'T000' WHERE key = 4")
        transaction.run("DELETE FROM descriptors WHERE photo = 6")
        transaction.journal.put("settings", [{"name": "any", "value": "change"}])
    problems = check_catalog(filled).problems
    assert "Photo 2 has no encounter." in problems
    assert "Turtle 4 shares its id with another turtle." in problems
    assert "Photo 6 has no global descriptor." in problems


def test_compact_forgets_removed_photos_for_good(filled: Catalog) -> None:
    curator = Curator(filled, "Ana")
    removed = curator.remove_photos([1, 2]).event
    assert filled.shortlist(vector(0), 1, ALL).photos[0].turtle != "T000"
    report = compact_catalog(filled, "Ana")
    assert report.photos == 2
    assert report.bytes_after < report.bytes_before
    reopened = Catalog.open(filled.path)
    assert check_catalog(reopened).problems == ()
    assert len(reopened.photos(ALL)) == 4
    assert reopened.shortlist(vector(4), 1, ALL).photos[0].turtle == "T004"
    assert len(Browser(reopened).photos(removed=True)) == 2  # the record that they were there stays
    curator = Curator(reopened, "Ana")
    with pytest.raises(Conflict, match="compact"):
        curator.restore_photos([1])
    with pytest.raises(Conflict, match="compact"):
        curator.undo(removed)
    with pytest.raises(Conflict, match="for good"):
        curator.undo(4)  # compacting itself
    (outcome,) = reopened.enroll([photo(0, "T000")], "Ana")
    assert not outcome.already_there
    assert reopened.shortlist(vector(0), 1, ALL).photos[0].turtle == "T000"
    assert check_catalog(reopened).problems == ()


def test_a_check_between_undo_and_its_undo_loses_nothing(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "T001"), photo(2)], "Ana")
    curator = Curator(catalog, "Ana")
    undone = curator.undo().event
    assert check_catalog(catalog).repaired == ()
    curator.undo(undone)
    assert check_catalog(catalog).problems == ()
    assert len(catalog.features(catalog.photos(GalleryFilter(identified=False)))) == 2
