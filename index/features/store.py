"""Local features, thumbnails and cached pair confidences, by content hash.

The only door to LMDB. Each record carries its own length and checksum; pickle is never read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from index.errors import CatalogDamaged
from index.features.packing import (
    pack_confidences,
    pack_features,
    pack_thumbnail,
    unpack_confidences,
    unpack_features,
    unpack_thumbnail,
)
from index.files import OnStep, full_disk_named, is_full, no_steps, replacing, storage_full
from index.types import Float32, LocalFeatures, PreparedPhoto

FIRST_MAP = 16 << 20  # Windows allocates the whole map at once, so it starts modest
MOST_GROWTH = 1 << 30
FEATURES, THUMBNAILS, PAIRS, PENDING = DATABASES = (b"features", b"thumbnails", b"pairs", b"pending")
SECOND = b"second"
"""What further extractors found; catalogues of earlier versions have no such database until something is kept."""
REMEMBERED = 512
"""Further feature sets that stay in memory until they are written, or asked for again."""

Read = TypeVar("Read")

_ONE_AT_A_TIME = threading.RLock()  # LMDB forbids opening one environment twice in a process


class FeatureStore:
    """The features.lmdb folder of one catalogue.

    The environment is opened for each operation (under a millisecond), so that processes never hold
    pages of each other, and forked workers never share one.
    """

    def __init__(self, path: Path, extractor: str, on_step: OnStep = no_steps) -> None:
        self.path = path
        self.extractor = extractor
        self._on_step = on_step
        self._remembered: OrderedDict[tuple[str, str], LocalFeatures] = OrderedDict()
        self._unwritten: set[tuple[str, str]] = set()

    @classmethod
    def create(cls, path: Path, extractor: str) -> FeatureStore:
        """Make an empty store."""
        store = cls(path, extractor)
        path.mkdir()
        with full_disk_named(path), _ONE_AT_A_TIME:
            environment = lmdb.open(str(path), map_size=FIRST_MAP, max_dbs=8)
            for name in (*DATABASES, SECOND):
                environment.open_db(name)
            environment.close()
        return store

    def put(self, photos: Sequence[PreparedPhoto], *, following: bool = False) -> None:
        """Store and sync the records of one batch; until `settle` they count as unfinished. Raises StorageFull.

        Parameters
        ----------
        following : bool
            The batch before stays unfinished with this one, instead of being finished by it.
        """
        records = [(bytes.fromhex(p.key), pack_features(p.features), pack_thumbnail(p.thumbnail)) for p in photos]

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            if not following:
                transaction.drop(databases[PENDING], delete=False)
            for digest, features, thumbnail in records:
                transaction.put(self._key(digest), features, db=databases[FEATURES])
                transaction.put(digest, thumbnail, db=databases[THUMBNAILS])
                transaction.put(digest, b"", db=databases[PENDING])

        self._write(write)
        self._on_step("features written")

    def put_beside(self, photos: Sequence[PreparedPhoto]) -> None:
        """Store and sync records of photos that are in the catalogue already. Raises StorageFull."""
        self._store([(bytes.fromhex(p.key), pack_features(p.features), pack_thumbnail(p.thumbnail)) for p in photos])
        self._on_step("features staged")

    def put_query(self, sha256: str, features: LocalFeatures, thumbnail: bytes) -> None:
        """Store and sync what a kept query showed. Raises StorageFull."""
        self._store([(bytes.fromhex(sha256), pack_features(features), pack_thumbnail(thumbnail))])

    def _store(self, records: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            for digest, features, thumbnail in records:
                transaction.put(self._key(digest), features, db=databases[FEATURES])
                transaction.put(digest, thumbnail, db=databases[THUMBNAILS])

        self._write(write)

    def forget_others(self) -> None:
        """Delete the features of other extractors, and pairs that were compared by them."""
        with self._reading() as (transaction, databases):
            keys = (bytes(key) for key in transaction.cursor(db=databases[FEATURES]).iternext(values=False))
            foreign = [key for key in keys if key[32:] != self.extractor.encode()]

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            transaction.drop(databases[PAIRS], delete=False)
            for key in foreign:
                transaction.delete(key, db=databases[FEATURES])

        if foreign:
            self._write(write)

    def pending(self) -> list[str]:
        """Photos (sha256) of the last batch, unless it was settled."""
        with self._reading() as (transaction, databases):
            return [bytes(key).hex() for key, _ in transaction.cursor(db=databases[PENDING])]

    def settle(self, orphans: Collection[str] = ()) -> None:
        """Declare the last batch finished; the records of `orphans` (sha256) are deleted."""

        self.delete(orphans)
        self._write(lambda transaction, databases: transaction.drop(databases[PENDING], delete=False))

    def delete(self, digests: Collection[str]) -> None:
        """Delete the features and thumbnails of photos (sha256)."""

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            for digest in map(bytes.fromhex, digests):
                transaction.delete(self._key(digest), db=databases[FEATURES])
                transaction.delete(digest, db=databases[THUMBNAILS])
                for key in _second_keys(transaction, databases, digest):
                    transaction.delete(key, db=databases[SECOND])

        if digests:
            self._write(write)

    def copy(self, target: Path) -> None:
        """Write a consistent copy without gaps to a new file."""
        with full_disk_named(target), self._environment() as environment, target.open("wb") as file:
            environment.copyfd(file.fileno(), compact=True)

    def compact(self) -> None:
        """Give the space of deleted records back to the disk."""
        with replacing(self.path / "data.mdb") as temporary:
            self.copy(temporary)

    def features(self, digests: Sequence[str]) -> list[LocalFeatures | None]:
        """Features of photos by sha256; None where there is no record. Raises CatalogDamaged for a broken one."""
        with self._reading() as (transaction, databases):
            records = [transaction.get(self._key(bytes.fromhex(d)), db=databases[FEATURES]) for d in digests]
            return [
                None if r is None else replace(_whole(unpack_features(r), d, self.path), source=StoredPhoto(self, d))
                for r, d in zip(records, digests, strict=True)
            ]

    def thumbnail(self, digest: str) -> bytes | None:
        """JPEG of a photo; None where there is none. Raises CatalogDamaged for a broken record."""
        with self._reading() as (transaction, databases):
            record = transaction.get(bytes.fromhex(digest), db=databases[THUMBNAILS])
            return None if record is None else _whole(unpack_thumbnail(record), digest, self.path)

    def second(self, extractor: str, digest: str) -> LocalFeatures | None:
        """What a further extractor found in a photo's stored working image; None where that is not known.

        Whatever was found in other pixels than those that are stored now is as good as unknown, and so is a damaged
        record, because all of this can be computed again.
        """
        name = (extractor, digest)
        if name in self._remembered:
            self._remembered.move_to_end(name)
            return self._remembered[name]
        key = bytes.fromhex(digest)
        with self._reading() as (transaction, databases):
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
        """Remember what a further extractor found, until `write_learnt`."""
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

    def write_learnt(self) -> None:
        """Store and sync what was learnt. Raises StorageFull."""
        records = [(digest, extractor, self._remembered[extractor, digest]) for extractor, digest in self._unwritten]
        self._unwritten.clear()
        self.put_second(records)

    def put_second(self, found: Sequence[tuple[str, str, LocalFeatures]]) -> None:
        """Store and sync what further extractors found: sha256, extractor, features. Raises StorageFull."""
        records = [(bytes.fromhex(digest), extractor.encode(), pack_features(one)) for digest, extractor, one in found]

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            for digest, extractor, features in records:
                thumbnail = transaction.get(digest, db=databases[THUMBNAILS])
                if thumbnail is not None:
                    transaction.put(digest + extractor, _mark(thumbnail) + features, db=databases[SECOND])

        if records:
            self._write(write)
            self._on_step("second features written")

    def seconds(self) -> dict[str, set[str]]:
        """Photos (sha256) by the further extractors whose features of them are stored."""
        found: dict[str, set[str]] = {}
        with self._reading() as (transaction, databases):
            if SECOND in databases:
                for key in transaction.cursor(db=databases[SECOND]).iternext(values=False):
                    found.setdefault(bytes(key[32:]).decode(), set()).add(bytes(key[:32]).hex())
        return found

    def forget_stale(self) -> int:
        """Delete further features that were found in other pixels than the stored ones, or damaged; says how many."""
        with self._reading() as (transaction, databases):
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

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            for key in stale:
                transaction.delete(key, db=databases[SECOND])

        if stale:
            self._write(write)
        return len(stale)

    def confidences(
        self, recipe: bytes, pairs: Sequence[tuple[str, str]], *, directed: bool = False
    ) -> list[Float32 | None]:
        """Cached sorted confidences of photo pairs; None where there is no intact record.

        The order of a pair matters only where its recipe says so, see `PairCache`.
        """
        with self._reading() as (transaction, databases):
            found = [transaction.get(_pair_key(recipe, pair, directed), db=databases[PAIRS]) for pair in pairs]
            return [None if record is None else unpack_confidences(record) for record in found]

    def put_confidences(
        self,
        recipe: bytes,
        pairs: Sequence[tuple[str, str]],
        confidences: Sequence[Float32],
        *,
        directed: bool = False,
    ) -> None:
        """Cache the confidences of photo pairs."""

        def write(transaction: Any, databases: Mapping[bytes, Any]) -> None:
            for pair, values in zip(pairs, confidences, strict=True):
                transaction.put(_pair_key(recipe, pair, directed), pack_confidences(values), db=databases[PAIRS])

        self._write(write)

    def count(self) -> int:
        """How many feature records there are, those of kept queries and of other extractors among them."""
        with self._reading() as (transaction, databases):
            return int(transaction.stat(databases[FEATURES])["entries"])

    def digests(self) -> set[str]:
        """Photos (sha256) with a feature record of this extractor."""
        suffix = self._key(b"")
        with self._reading() as (transaction, databases):
            keys = (bytes(key) for key in transaction.cursor(db=databases[FEATURES]).iternext(values=False))
            return {key[:32].hex() for key in keys if key[32:] == suffix}

    def _key(self, digest: bytes) -> bytes:
        return digest + self.extractor.encode()

    @contextmanager
    def _environment(self) -> Iterator[Any]:
        data = self.path / "data.mdb"
        try:
            size = data.stat().st_size
        except OSError:
            raise CatalogDamaged(f"{data} is missing; restore a backup, or run `turtleidx reindex`.") from None
        writable = os.access(data, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
        with _ONE_AT_A_TIME:
            environment = None
            try:
                environment = lmdb.open(
                    str(self.path),
                    map_size=max(size, FIRST_MAP),
                    max_dbs=8,
                    readonly=not writable,
                    lock=writable,
                    create=False,
                )
                if (environment.info()["last_pgno"] + 1) * environment.stat()["psize"] > data.stat().st_size:
                    raise lmdb.CorruptedError("shorter than its pages")  # reading past its end would kill the process
                yield environment
            except lmdb.Error as error:
                if is_full(error):
                    raise storage_full(self.path) from error
                raise CatalogDamaged(
                    f"{self.path} cannot be read ({error}); restore a backup, or run `turtleidx reindex`."
                ) from error
            finally:
                if environment is not None:
                    environment.close()

    @contextmanager
    def _reading(self) -> Iterator[tuple[Any, Mapping[bytes, Any]]]:
        with self._environment() as environment, environment.begin() as transaction:
            yield transaction, _databases(environment, transaction, create=False)

    def _write(self, write: Callable[[Any, Mapping[bytes, Any]], None]) -> None:
        with self._environment() as environment:
            while True:
                try:
                    with environment.begin(write=True) as transaction:
                        write(transaction, _databases(environment, transaction, create=True))
                    return
                except lmdb.MapFullError:
                    size = environment.info()["map_size"]
                    environment.set_mapsize(size + min(size, MOST_GROWTH))
                except lmdb.Error as error:
                    if os.strerror(errno.EIO) in str(error):  # LMDB's name for a write that was cut short
                        raise storage_full(self.path) from error
                    raise


def _databases(environment: Any, transaction: Any, *, create: bool) -> Mapping[bytes, Any]:
    opened = {name: environment.open_db(name, txn=transaction, create=False) for name in DATABASES}
    with contextlib.suppress(lmdb.NotFoundError):
        opened[SECOND] = environment.open_db(SECOND, txn=transaction, create=create)
    return opened


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
        """See `FeatureStore.second`."""
        return self.store.second(extractor, self.digest)

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """See `FeatureStore.learn`."""
        self.store.learn(extractor, self.digest, features)


_MARK = 8


def _mark(thumbnail: bytes) -> bytes:
    """Names the pixels that further features were found in."""
    return hashlib.blake2b(thumbnail, digest_size=_MARK).digest()


def _second_keys(transaction: Any, databases: Mapping[bytes, Any], digest: bytes) -> list[bytes]:
    cursor, found = transaction.cursor(db=databases[SECOND]), []
    there = cursor.set_range(digest)
    while there and bytes(cursor.key()[:32]) == digest:
        found.append(bytes(cursor.key()))
        there = cursor.next()
    return found


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
