"""The feature store grows, repairs and refuses; what it cannot read it says."""

from __future__ import annotations

from pathlib import Path

import lmdb
import numpy as np
import pytest

from index.errors import CatalogDamaged
from index.features.environment import FIRST_MAP
from index.features.store import FeatureStore
from tests.index.making import features, photo


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore.create(tmp_path / "features.lmdb", "sift-64-480")


def test_records_come_back_and_misses_are_none(store: FeatureStore) -> None:
    store.put([photo(1), photo(2)])
    found, missing = store.features([photo(1).sha256, photo(3).sha256])
    assert found is not None
    np.testing.assert_array_equal(found.xy, features(1).xy)
    assert missing is None
    assert store.thumbnail(photo(2).sha256) == photo(2).thumbnail
    assert store.digests() == {photo(1).sha256, photo(2).sha256}
    assert store.count() == 2


def test_another_extractor_has_its_own_features(store: FeatureStore) -> None:
    store.put([photo(1)])
    other = FeatureStore(store.path, "disk-64-480")
    assert other.features([photo(1).sha256]) == [None]
    assert other.digests() == set()


def test_the_store_grows_by_itself(store: FeatureStore) -> None:
    big = photo(1).__class__(**{**{f: getattr(photo(1), f) for f in photo(1).__slots__}, "thumbnail": bytes(FIRST_MAP)})
    reader = FeatureStore(store.path, store.extractor)
    assert reader.thumbnail(big.sha256) is None
    store.put([big])
    assert reader.thumbnail(big.sha256) == big.thumbnail


def test_a_batch_counts_as_unfinished_until_settled(store: FeatureStore) -> None:
    store.put([photo(1), photo(2)])
    assert set(store.pending()) == {photo(1).sha256, photo(2).sha256}
    store.settle({photo(2).sha256})
    assert store.pending() == []
    assert store.digests() == {photo(1).sha256}


def test_a_flipped_bit_in_the_file_is_named(store: FeatureStore) -> None:
    store.put([photo(1)])
    data = store.path / "data.mdb"
    content = bytearray(data.read_bytes())
    content[content.index(features(1).descriptors.tobytes()[:64])] ^= 1
    data.write_bytes(content)
    with pytest.raises(CatalogDamaged, match="damaged"):
        store.features([photo(1).sha256])


def test_a_truncated_file_is_named_instead_of_killing_the_process(store: FeatureStore) -> None:
    store.put([photo(n) for n in range(40)])
    data = store.path / "data.mdb"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    with pytest.raises(CatalogDamaged, match=r"features\.lmdb"):
        store.features([photo(39).sha256])


@pytest.mark.parametrize("content", [b"", b"not a store" * 4096])
def test_a_file_of_another_kind_is_named(store: FeatureStore, content: bytes) -> None:
    (store.path / "data.mdb").write_bytes(content)
    with pytest.raises(CatalogDamaged, match=r"features\.lmdb"):
        store.features([photo(1).sha256])


def test_a_missing_file_is_named(store: FeatureStore) -> None:
    (store.path / "data.mdb").unlink()
    with pytest.raises(CatalogDamaged, match="missing"):
        store.digests()


def test_a_broken_cache_record_is_only_a_miss(store: FeatureStore) -> None:
    pair = (photo(1).sha256, photo(2).sha256)
    store.put_confidences(b"recipe", [pair], [np.ones(3, np.float32)])
    with lmdb.open(str(store.path), max_dbs=8) as environment:
        pairs = environment.open_db(b"pairs")
        with environment.begin(write=True, db=pairs) as transaction:
            for key, value in list(transaction.cursor()):
                transaction.put(key, value[:-1])
    assert store.confidences(b"recipe", [pair]) == [None]
