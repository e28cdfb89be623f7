"""Local features, thumbnails and cached pair confidences, by content hash.

Each record carries its own length and checksum; pickle is never read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from index.errors import CatalogDamaged
from index.features.environment import FEATURES, PAIRS, PENDING, SECOND, THUMBNAILS, Databases, Environment
from index.features.packing import (
    pack_confidences,
    pack_features,
    pack_thumbnail,
    unpack_confidences,
    unpack_features,
    unpack_thumbnail,
)
from index.features.second_sets import SecondSets, delete_second
from index.files import OnStep, no_steps
from index.types import Float32, LocalFeatures, PreparedPhoto

Read = TypeVar("Read")

_Record = tuple[bytes, bytes, bytes, bool]
"""Digest, features, thumbnail, and whether the features may take the place of others."""


class FeatureStore:
    """The features.lmdb folder of one catalogue.

    Attributes
    ----------
    environment : Environment
        LMDB's own.
    second : SecondSets
        What further extractors found.
    """

    def __init__(self, path: Path, extractor: str, on_step: OnStep = no_steps) -> None:
        self.path = path
        self.extractor = extractor
        self._on_step = on_step
        self.environment = Environment(path)
        self.second = SecondSets(self.environment, on_step)

    @classmethod
    def create(cls, path: Path, extractor: str) -> FeatureStore:
        """Make an empty store."""
        store = cls(path, extractor)
        store.environment.create()
        return store

    def put(self, photos: Sequence[PreparedPhoto], *, following: bool = False) -> None:
        """Store and sync the records of one batch; until `settle` they count as unfinished. Raises StorageFull.

        What is known of a whole photo stays where the same photo comes to wait for its head's box.

        Parameters
        ----------
        following : bool
            The batch before stays unfinished with this one, instead of being finished by it.
        """
        records = [_record(photo) for photo in photos]

        def write(transaction: Any, databases: Databases) -> None:
            if not following:
                transaction.drop(databases[PENDING], delete=False)
            self._store(transaction, databases, records)
            for digest, *_ in records:
                transaction.put(digest, b"", db=databases[PENDING])

        self.environment.write(write)
        self._on_step("features written")

    def put_beside(self, photos: Sequence[PreparedPhoto]) -> None:
        """Store and sync records of photos that are in the catalogue already, as `put` does. Raises StorageFull."""
        records = [_record(photo) for photo in photos]
        self.environment.write(lambda transaction, databases: self._store(transaction, databases, records))
        self._on_step("features staged")

    def put_query(self, key: str, features: LocalFeatures, thumbnail: bytes) -> None:
        """Store and sync what a kept query showed, unless something lies under its sighting's key. Raises StorageFull.

        That is the same, or what an earlier version kept of another head of the file.
        """
        record = (bytes.fromhex(key), pack_features(features), pack_thumbnail(thumbnail), True)

        def write(transaction: Any, databases: Databases) -> None:
            if transaction.get(self._key(record[0]), db=databases[FEATURES]) is None:
                self._store(transaction, databases, [record])

        self.environment.write(write)

    def _store(self, transaction: Any, databases: Databases, records: Sequence[_Record]) -> None:
        for digest, features, thumbnail, searched in records:
            transaction.put(self._key(digest), features, db=databases[FEATURES], overwrite=searched)
            transaction.put(digest, thumbnail, db=databases[THUMBNAILS])

    def forget_others(self) -> None:
        """Delete the features of other extractors, and pairs that were compared by them."""
        with self.environment.reading() as (transaction, databases):
            keys = (bytes(key) for key in transaction.cursor(db=databases[FEATURES]).iternext(values=False))
            foreign = [key for key in keys if key[32:] != self.extractor.encode()]

        def write(transaction: Any, databases: Databases) -> None:
            transaction.drop(databases[PAIRS], delete=False)
            for key in foreign:
                transaction.delete(key, db=databases[FEATURES])

        if foreign:
            self.environment.write(write)

    def pending(self) -> list[str]:
        """Photos (sha256) of the last batch, unless it was settled."""
        with self.environment.reading() as (transaction, databases):
            return [bytes(key).hex() for key, _ in transaction.cursor(db=databases[PENDING])]

    def settle(self, orphans: Collection[str] = ()) -> None:
        """Declare the last batch finished; the records of `orphans` (sha256) are deleted."""

        self.delete(orphans)
        self.environment.write(lambda transaction, databases: transaction.drop(databases[PENDING], delete=False))

    def delete(self, digests: Collection[str]) -> None:
        """Delete the features and thumbnails of photos (sha256)."""

        def write(transaction: Any, databases: Databases) -> None:
            for digest in map(bytes.fromhex, digests):
                transaction.delete(self._key(digest), db=databases[FEATURES])
                transaction.delete(digest, db=databases[THUMBNAILS])
                delete_second(transaction, databases, digest)

        if digests:
            self.environment.write(write)

    def copy(self, target: Path) -> None:
        """Write a consistent copy without gaps to a new file."""
        self.environment.copy(target)

    def compact(self) -> None:
        """Give the space of deleted records back to the disk."""
        self.environment.compact()

    def features(self, digests: Sequence[str]) -> list[LocalFeatures | None]:
        """Features of photos by sha256; None where there is no record. Raises CatalogDamaged for a broken one."""
        with self.environment.reading() as (transaction, databases):
            records = [transaction.get(self._key(bytes.fromhex(d)), db=databases[FEATURES]) for d in digests]
            return [
                None if r is None else replace(_whole(unpack_features(r), d, self.path), source=StoredPhoto(self, d))
                for r, d in zip(records, digests, strict=True)
            ]

    def thumbnail(self, digest: str) -> bytes | None:
        """JPEG of a photo; None where there is none. Raises CatalogDamaged for a broken record."""
        with self.environment.reading() as (transaction, databases):
            record = transaction.get(bytes.fromhex(digest), db=databases[THUMBNAILS])
            return None if record is None else _whole(unpack_thumbnail(record), digest, self.path)

    def without_thumbnail(self, digests: Collection[str]) -> set[str]:
        """Which of these photos (sha256) have no thumbnail."""
        with self.environment.reading() as (transaction, databases):
            thumbnails = transaction.cursor(db=databases[THUMBNAILS])
            return {digest for digest in digests if not thumbnails.set_key(bytes.fromhex(digest))}

    def confidences(
        self, recipe: bytes, pairs: Sequence[tuple[str, str]], *, directed: bool = False
    ) -> list[Float32 | None]:
        """Cached sorted confidences of photo pairs; None where there is no intact record.

        The order of a pair matters only where its recipe says so, see `PairCache`.
        """
        with self.environment.reading() as (transaction, databases):
            found = [transaction.get(_pair_key(recipe, pair, directed), db=databases[PAIRS]) for pair in pairs]
            return [None if record is None else unpack_confidences(record) for record in found]

    def count_missing(self, recipe: bytes, pairs: Sequence[tuple[str, str]], *, directed: bool = False) -> int:
        """How many of these pairs have no record; what is in the records is not looked at."""
        with self.environment.reading() as (transaction, databases):
            cursor = transaction.cursor(db=databases[PAIRS])
            return sum(not cursor.set_key(_pair_key(recipe, pair, directed)) for pair in pairs)

    def put_confidences(
        self,
        recipe: bytes,
        pairs: Sequence[tuple[str, str]],
        confidences: Sequence[Float32],
        *,
        directed: bool = False,
    ) -> None:
        """Cache the confidences of photo pairs."""

        def write(transaction: Any, databases: Databases) -> None:
            for pair, values in zip(pairs, confidences, strict=True):
                transaction.put(_pair_key(recipe, pair, directed), pack_confidences(values), db=databases[PAIRS])

        self.environment.write(write)

    def count(self) -> int:
        """How many feature records there are, those of kept queries and of other extractors among them."""
        with self.environment.reading() as (transaction, databases):
            return int(transaction.stat(databases[FEATURES])["entries"])

    def bytes_a_photo(self) -> dict[str, float]:
        """Mean bytes of a feature record, by extractor, the further ones too (`SecondSets`)."""
        sizes: dict[str, list[int]] = {}
        with self.environment.reading() as (transaction, databases):
            for name in (FEATURES, SECOND):
                if name in databases:
                    for key, record in transaction.cursor(db=databases[name]):
                        sizes.setdefault(bytes(key[32:]).decode(), []).append(len(record))
        return {extractor: sum(found) / len(found) for extractor, found in sizes.items()}

    def digests(self) -> set[str]:
        """Photos (sha256) with a feature record of this extractor."""
        suffix = self._key(b"")
        with self.environment.reading() as (transaction, databases):
            keys = (bytes(key) for key in transaction.cursor(db=databases[FEATURES]).iternext(values=False))
            return {key[:32].hex() for key in keys if key[32:] == suffix}

    def _key(self, digest: bytes) -> bytes:
        return digest + self.extractor.encode()


@dataclass(frozen=True, slots=True, eq=False)
class StoredPhoto:
    """A photo of a feature store, by its sha256, as `PhotoSource`."""

    store: FeatureStore
    digest: str

    def image(self) -> bytes:
        """The working image as JPEG. Raises CatalogDamaged where it is missing."""
        thumbnail = self.store.thumbnail(self.digest)
        if thumbnail is None:
            raise CatalogDamaged(f"The thumbnail of photo {self.digest[:12]} is missing: run `turtleidx reindex`.")
        return thumbnail

    def beside(self, extractor: str) -> LocalFeatures | None:
        """See `SecondSets.get`."""
        return self.store.second.get(extractor, self.digest)

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """See `SecondSets.learn`."""
        self.store.second.learn(extractor, self.digest, features)


def _record(photo: PreparedPhoto) -> _Record:
    packed = pack_features(photo.features), pack_thumbnail(photo.thumbnail)
    return bytes.fromhex(photo.key), *packed, not photo.waiting


def _pair_key(recipe: bytes, pair: tuple[str, str], directed: bool) -> bytes:
    first, second = bytes.fromhex(pair[0]), bytes.fromhex(pair[1])
    return recipe + (first + second if directed or first < second else second + first)


def _whole(value: Read | None, digest: str, path: Path) -> Read:
    if value is None:
        raise CatalogDamaged(
            f"The record of photo {digest[:12]} in {path} is damaged; run `turtleidx check` to see what is affected "
            "and `turtleidx reindex` to read the originals again."
        )
    return value
