"""The LMDB environment of a feature store: opened for each operation, grown when it is full, its errors named.

The only door to LMDB.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from index.errors import CatalogDamaged
from index.files import full_disk_named, is_full, replacing, storage_full

FIRST_MAP = 16 << 20  # Windows allocates the whole map at once, so it starts modest
MOST_GROWTH = 1 << 30
FEATURES, THUMBNAILS, PAIRS, PENDING = DATABASES = (b"features", b"thumbnails", b"pairs", b"pending")
SECOND = b"second"
"""What further extractors found; catalogues of earlier versions have no such database until something is kept."""

Databases = Mapping[bytes, Any]

_ONE_AT_A_TIME = threading.RLock()  # LMDB forbids opening one environment twice in a process


class Environment:
    """The features.lmdb folder of one catalogue.

    It is opened for each operation (under a millisecond), so that processes never hold pages of each other, and
    forked workers never share one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make an empty one."""
        self.path.mkdir()
        with full_disk_named(self.path), _ONE_AT_A_TIME:
            environment = lmdb.open(str(self.path), map_size=FIRST_MAP, max_dbs=8)
            for name in (*DATABASES, SECOND):
                environment.open_db(name)
            environment.close()

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """LMDB's own handle, one at a time in this process. Raises CatalogDamaged, StorageFull."""
        with _ONE_AT_A_TIME:
            environment = None
            try:
                environment = self._open()
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

    def _open(self) -> Any:
        data = self.path / "data.mdb"
        writable = os.access(data, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
        while True:
            before = self._status(data)
            environment = lmdb.open(
                str(self.path),
                map_size=max(before.st_size, FIRST_MAP),
                max_dbs=8,
                readonly=not writable,
                lock=writable,
                create=False,
            )
            least = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
            now = self._status(data)
            if not os.path.samestat(before, now):  # another process has just put a compacted file in its place
                environment.close()
                continue
            if least > now.st_size:
                environment.close()
                raise lmdb.CorruptedError("shorter than its pages")  # reading past its end would kill the process
            return environment

    def _status(self, data: Path) -> os.stat_result:
        try:
            return data.stat()
        except OSError:
            raise CatalogDamaged(f"{data} is missing; restore a backup, or run `turtleidx reindex`.") from None

    @contextmanager
    def reading(self) -> Iterator[tuple[Any, Databases]]:
        """One consistent view: a transaction and the handles of its databases."""
        with self.opened() as environment, environment.begin() as transaction:
            yield transaction, _databases(environment, transaction, create=False)

    def write(self, write: Callable[[Any, Databases], None]) -> None:
        """Make changes in one synced transaction, again with a larger map where it is full. Raises StorageFull."""
        with self.opened() as environment:
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

    def compact(self) -> None:
        """Rewrite it without gaps. Whoever reads it meanwhile goes on with the file of before. Raises StorageFull."""
        # processes that read keep the lock file alive, with the number of the last transaction in it, and whoever comes
        # then takes the first or the second beginning of the file by whether that is even or odd: a copy has its second
        with self.reading() as (transaction, _):
            odd = transaction.id() % 2
        if not odd:
            self.write(_change_nothing)
        with replacing(self.path / "data.mdb") as temporary:
            self.copy(temporary)

    def copy(self, target: Path) -> None:
        """Write a consistent copy without gaps to a new file. Raises StorageFull."""
        with full_disk_named(target), self.opened() as environment, target.open("wb") as file:
            environment.copyfd(file.fileno(), compact=True)


def _change_nothing(transaction: Any, databases: Databases) -> None:
    """A transaction that writes pages, so that it counts."""
    transaction.put(b"0", b"", db=databases[PENDING])
    transaction.delete(b"0", db=databases[PENDING])


def _databases(environment: Any, transaction: Any, *, create: bool) -> Databases:
    opened = {name: environment.open_db(name, txn=transaction, create=False) for name in DATABASES}
    with contextlib.suppress(lmdb.NotFoundError):
        opened[SECOND] = environment.open_db(SECOND, txn=transaction, create=create)
    return opened
