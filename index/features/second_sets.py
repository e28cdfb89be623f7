"""Features that further extractors found in the stored working images, beside those of the catalogue's own."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from index.features.environment import SECOND, THUMBNAILS, Databases, Environment
from index.features.packing import pack_features, unpack_features
from index.files import OnStep
from index.types import LocalFeatures

REMEMBERED = 512
"""Feature sets that stay in memory until they are written, or asked for again."""


class SecondSets:
    """By extractor and photo (sha256); all of it can be computed again, so a missing or damaged one is just unknown."""

    def __init__(self, environment: Environment, on_step: OnStep) -> None:
        self._environment = environment
        self._on_step = on_step
        self._remembered: OrderedDict[tuple[str, str], LocalFeatures] = OrderedDict()
        self._unwritten: set[tuple[str, str]] = set()

    def get(self, extractor: str, digest: str) -> LocalFeatures | None:
        """What a further extractor found in a photo's stored working image; None where that is not known.

        Whatever was found in other pixels than those that are stored now is as good as unknown, and so is a damaged
        record, because all of this can be computed again.
        """
        name = (extractor, digest)
        if name in self._remembered:
            self._remembered.move_to_end(name)
            return self._remembered[name]
        key = bytes.fromhex(digest)
        with self._environment.reading() as (transaction, databases):
            if SECOND not in databases:
                return None
            record = transaction.get(key + extractor.encode(), db=databases[SECOND])
            thumbnail = transaction.get(key, db=databases[THUMBNAILS])
            if record is None or thumbnail is None or bytes(record[:_MARK]) != _mark(thumbnail):
                return None
            found = unpack_features(bytes(record[_MARK:]))
        if found is not None:
            self._remember(name, found)
        return found

    def learn(self, extractor: str, digest: str, features: LocalFeatures) -> None:
        """Remember what a further extractor found, until `write`."""
        self._remember((extractor, digest), features)
        self._unwritten.add((extractor, digest))

    def _remember(self, name: tuple[str, str], features: LocalFeatures) -> None:
        self._remembered[name] = features
        while len(self._remembered) > REMEMBERED:
            self._unwritten.discard(self._remembered.popitem(last=False)[0])

    @property
    def has_learnt(self) -> bool:
        """Whether there is something to write."""
        return bool(self._unwritten)

    def write(self) -> None:
        """Store and sync what was learnt. Raises StorageFull."""
        records = [(digest, extractor, self._remembered[extractor, digest]) for extractor, digest in self._unwritten]
        self._unwritten.clear()
        self.put(records)

    def put(self, found: Sequence[tuple[str, str, LocalFeatures]]) -> None:
        """Store and sync what further extractors found: sha256, extractor, features. Raises StorageFull."""
        records = [(bytes.fromhex(digest), extractor.encode(), pack_features(one)) for digest, extractor, one in found]

        def write(transaction: Any, databases: Databases) -> None:
            for digest, extractor, features in records:
                thumbnail = transaction.get(digest, db=databases[THUMBNAILS])
                if thumbnail is not None:
                    transaction.put(digest + extractor, _mark(thumbnail) + features, db=databases[SECOND])

        if records:
            self._environment.write(write)
            self._on_step("second features written")

    def digests(self) -> dict[str, set[str]]:
        """Photos (sha256) by the further extractors whose features of them are stored."""
        found: dict[str, set[str]] = {}
        with self._environment.reading() as (transaction, databases):
            if SECOND in databases:
                for key in transaction.cursor(db=databases[SECOND]).iternext(values=False):
                    found.setdefault(bytes(key[32:]).decode(), set()).add(bytes(key[:32]).hex())
        return found

    def forget_stale(self) -> int:
        """Delete further features that were found in other pixels than the stored ones, or damaged; says how many."""
        with self._environment.reading() as (transaction, databases):
            if SECOND not in databases:
                return 0
            stale = []
            for key, record in transaction.cursor(db=databases[SECOND]):
                thumbnail = transaction.get(bytes(key[:32]), db=databases[THUMBNAILS])
                if (
                    thumbnail is None
                    or bytes(record[:_MARK]) != _mark(thumbnail)
                    or unpack_features(bytes(record[_MARK:])) is None
                ):
                    stale.append(bytes(key))

        def write(transaction: Any, databases: Databases) -> None:
            for key in stale:
                transaction.delete(key, db=databases[SECOND])

        if stale:
            self._environment.write(write)
        return len(stale)


def delete_second(transaction: Any, databases: Databases, digest: bytes) -> None:
    """Delete all further features of a photo (its sha256 as bytes) within a transaction."""
    cursor, found = transaction.cursor(db=databases[SECOND]), []
    there = cursor.set_range(digest)
    while there and bytes(cursor.key()[:32]) == digest:
        found.append(bytes(cursor.key()))
        there = cursor.next()
    for key in found:
        transaction.delete(key, db=databases[SECOND])


_MARK = 8


def _mark(thumbnail: bytes) -> bytes:
    """Names the pixels that further features were found in."""
    return hashlib.blake2b(thumbnail, digest_size=_MARK).digest()
