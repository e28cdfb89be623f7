"""Records of photos taken from one feature store to another as they are: features, thumbnails, further features.

Shares the door to LMDB with `index.features`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from index.features.environment import FEATURES, SECOND, THUMBNAILS, Databases
from index.features.packing import unpack_features, unpack_thumbnail
from index.features.store import FeatureStore

AT_ONCE = 256
"""Records in memory at a time: 40 MB."""


@dataclass(frozen=True, slots=True)
class _Record:
    features: bytes
    thumbnail: bytes
    second: tuple[tuple[bytes, bytes], ...]


def copy_records(source: FeatureStore, target: FeatureStore, digests: Sequence[str]) -> list[str]:
    """Store and sync in `target` what `source` holds of photos (sha256) of one extractor; gives those that it lacks.

    A damaged record counts as lacking. What further extractors found goes along. Raises CatalogDamaged, StorageFull.
    """
    lacking: list[str] = []
    for first in range(0, len(digests), AT_ONCE):
        part = digests[first : first + AT_ONCE]
        found = _read(source, part)
        lacking += [digest for digest in part if digest not in found]
        if found:
            _write(target, found)
    return lacking


def damaged_records(store: FeatureStore, digests: Sequence[str]) -> list[str]:
    """Which of these photos have no intact features and thumbnail in a store. Raises CatalogDamaged."""
    damaged: list[str] = []
    for first in range(0, len(digests), AT_ONCE):
        part = digests[first : first + AT_ONCE]
        found = _read(store, part)
        damaged += [digest for digest in part if digest not in found]
    return damaged


def _read(store: FeatureStore, digests: Sequence[str]) -> dict[str, _Record]:
    found = {}
    suffix = store.extractor.encode()
    with store.environment.reading() as (transaction, databases):
        for digest in digests:
            key = bytes.fromhex(digest)
            features = transaction.get(key + suffix, db=databases[FEATURES])
            thumbnail = transaction.get(key, db=databases[THUMBNAILS])
            if features is None or thumbnail is None:
                continue
            if unpack_features(features) is not None and unpack_thumbnail(thumbnail) is not None:
                found[digest] = _Record(bytes(features), bytes(thumbnail), _second(transaction, databases, key))
    return found


def _second(transaction: Any, databases: Databases, digest: bytes) -> tuple[tuple[bytes, bytes], ...]:
    if SECOND not in databases:
        return ()
    cursor = transaction.cursor(db=databases[SECOND])
    found = []
    there = cursor.set_range(digest)
    while there and bytes(cursor.key()[:32]) == digest:
        found.append((bytes(cursor.key()), bytes(cursor.value())))
        there = cursor.next()
    return tuple(found)


def _write(store: FeatureStore, records: dict[str, _Record]) -> None:
    suffix = store.extractor.encode()

    def write(transaction: Any, databases: Databases) -> None:
        put = transaction.put
        for digest, record in records.items():
            key = bytes.fromhex(digest)
            put(key + suffix, record.features, db=databases[FEATURES])
            put(key, record.thumbnail, db=databases[THUMBNAILS])
            for name, second in record.second:
                put(name, second, db=databases[SECOND])

    store.environment.write(write)
