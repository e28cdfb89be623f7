"""Features of further extractors stand beside the first ones, follow the stored pixels, and can always be missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lmdb
import numpy as np
import pytest

from index.catalog.backup import restore_backup, write_backup
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.exchange.catalog_join import join
from index.features.environment import SECOND
from index.features.store import FeatureStore
from index.types import LocalFeatures
from tests.index.making import RECIPE, features, photo

OTHER = "aliked-64-480-v2"


def further(seed: int) -> LocalFeatures:
    """Keypoints with a learned extractor's kind of descriptors."""
    found = features(seed + 1000)
    return replace(found, descriptors=np.random.default_rng(seed).random((len(found), 32)).astype(np.float16))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = FeatureStore.create(tmp_path / "features.lmdb", "sift-64-480")
    made.put([photo(1), photo(2)])
    made.second.put([(photo(1).sha256, OTHER, further(1))])
    return made


@pytest.fixture
def filled(tmp_path: Path) -> Catalog:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    catalog.enroll([photo(n, f"T{n:03d}") for n in range(4)], "Ana")
    catalog.feature_store.second.put([(photo(n).sha256, OTHER, further(n)) for n in range(3)])
    return catalog


def fresh(store: FeatureStore) -> FeatureStore:
    """As another process sees it."""
    return FeatureStore(store.path, store.extractor)


def test_they_come_back_and_misses_are_none(store: FeatureStore) -> None:
    found = fresh(store).second.get(OTHER, photo(1).sha256)
    assert found is not None
    np.testing.assert_array_equal(found.descriptors, further(1).descriptors)
    assert fresh(store).second.get(OTHER, photo(2).sha256) is None
    assert fresh(store).second.get("disk-64-480-v2", photo(1).sha256) is None
    assert store.second.digests() == {OTHER: {photo(1).sha256}}
    assert store.digests() == {photo(1).sha256, photo(2).sha256}


def test_a_photo_knows_its_image_and_keeps_what_is_found_in_it(store: FeatureStore) -> None:
    [found] = fresh(store).features([photo(2).sha256])
    assert found is not None
    assert found.source is not None
    assert found.source.image() == photo(2).thumbnail
    assert found.source.beside(OTHER) is None
    found.source.keep(OTHER, further(2))
    assert found.source.beside(OTHER) is not None
    assert fresh(store).second.get(OTHER, photo(2).sha256) is None


def test_what_was_learnt_is_written_when_the_catalogue_may_be(filled: Catalog) -> None:
    reader = Catalog.open(filled.path)
    reader.feature_store.second.learn(OTHER, photo(3).sha256, further(3))
    reader.write_learnt()
    assert not reader.feature_store.second.has_learnt
    assert Catalog.open(filled.path).feature_store.second.get(OTHER, photo(3).sha256) is not None


def test_while_another_process_writes_it_stays_in_memory(filled: Catalog) -> None:
    reader = Catalog.open(filled.path)
    reader.feature_store.second.learn(OTHER, photo(3).sha256, further(3))
    with filled.writing("enroll"):
        reader.write_learnt()
    assert reader.feature_store.second.get(OTHER, photo(3).sha256) is not None
    assert Catalog.open(filled.path).feature_store.second.get(OTHER, photo(3).sha256) is None
    reader.write_learnt()
    assert Catalog.open(filled.path).feature_store.second.get(OTHER, photo(3).sha256) is not None


def test_other_pixels_make_them_unknown(store: FeatureStore) -> None:
    store.put_beside([replace(photo(1), thumbnail=b"other pixels")])
    assert fresh(store).second.get(OTHER, photo(1).sha256) is None
    assert fresh(store).second.forget_stale() == 1
    assert fresh(store).second.digests() == {}


def test_a_damaged_one_is_as_good_as_missing_and_check_takes_it_away(filled: Catalog) -> None:
    with lmdb.open(str(filled.path / "features.lmdb"), max_dbs=8) as environment:
        second = environment.open_db(SECOND)
        with environment.begin(write=True) as transaction:
            key = bytes.fromhex(photo(0).sha256) + OTHER.encode()
            record = bytearray(transaction.get(key, db=second) or b"")
            record[-1] ^= 1
            transaction.put(key, bytes(record), db=second)
    reopened = Catalog.open(filled.path)
    assert reopened.feature_store.second.get(OTHER, photo(0).sha256) is None
    report = check_catalog(reopened)
    assert report.problems == ()
    assert len(report.repaired) == 1
    assert (report.photos, report.second) == (4, 2)


def test_a_missing_set_is_no_problem(filled: Catalog) -> None:
    report = check_catalog(filled)
    assert (report.problems, report.repaired, report.photos, report.second) == ((), (), 4, 3)


def test_compacting_deletes_them_with_their_photo(filled: Catalog) -> None:
    Curator(filled, "Ana").remove_photos([1])
    compact_catalog(filled, "Ana")
    assert Catalog.open(filled.path).feature_store.second.digests() == {OTHER: {photo(1).sha256, photo(2).sha256}}


def test_a_backup_has_them(filled: Catalog, tmp_path: Path) -> None:
    write_backup(filled, tmp_path / "turtles.backup")
    restored = restore_backup(tmp_path / "turtles.backup", tmp_path / "again.catalog")
    assert restored.feature_store.second.digests() == filled.feature_store.second.digests()
    assert restored.feature_store.second.get(OTHER, photo(2).sha256) is not None


def test_a_join_brings_them(filled: Catalog, tmp_path: Path) -> None:
    main = Catalog.create(tmp_path / "main.catalog", RECIPE)
    main.enroll([photo(0, "T000")], "Ana")
    join(main, filled, "Ana")
    assert Catalog.open(main.path).feature_store.second.digests() == {OTHER: {photo(1).sha256, photo(2).sha256}}


def test_a_catalogue_of_an_earlier_version_gets_its_database_with_the_first_set(filled: Catalog) -> None:
    path = str(filled.path / "features.lmdb")
    with lmdb.open(path, max_dbs=8) as environment, environment.begin(write=True) as transaction:
        transaction.drop(environment.open_db(SECOND, txn=transaction))
    earlier = Catalog.open(filled.path)
    assert earlier.feature_store.second.digests() == {}
    assert earlier.feature_store.second.get(OTHER, photo(1).sha256) is None
    assert check_catalog(earlier).second == 0
    earlier.feature_store.second.put([(photo(1).sha256, OTHER, further(1))])
    assert Catalog.open(filled.path).feature_store.second.get(OTHER, photo(1).sha256) is not None


def test_directed_pairs_have_two_comparisons(filled: Catalog) -> None:
    pair, turned = (photo(0).sha256, photo(1).sha256), (photo(1).sha256, photo(0).sha256)
    some = np.array([0.5, 0.25], np.float32)
    for directed in (False, True):
        cache = filled.pair_cache(f"matcher {directed}", directed=directed)
        cache.put([pair], [some])
        assert (cache.get([turned])[0] is None) == directed
        assert cache.get([pair])[0] is not None
