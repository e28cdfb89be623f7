"""The registry file: connections, transactions and migrations. The door to DuckDB.

DuckDB admits either one writing process or many readers. So the file is opened for each transaction and closed
at once, readers do the same, and both try again for a moment while the other has it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import numpy as np

from index.errors import CatalogBusy, CatalogDamaged, CatalogMissing, CatalogReadOnly, CatalogTooNew, InputError
from index.files import OnStep, is_full, no_steps, replacing, storage_full
from index.naming import whole_path
from index.registry.connections import of_process
from index.registry.journal import Journal
from index.registry.schema import MIGRATIONS
from index.registry.session import Session
from index.types import Descriptor, Recipe

INTERRUPTED = "Query interrupted"
"""What DuckDB raises, as a RuntimeError, when Ctrl-C meets it at work."""

_TAKEN = ("lock on file", "being used by another process", "different configuration")
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_BROKEN = (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException, duckdb.CatalogException)


class Transaction(Session):
    """One change of the registry, that is one event: all of it is kept or nothing.

    Rows are only changed through `journal`, which remembers what was there before.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self.event = self.number("SELECT max(id) FROM events") + 1
        self.token = uuid.uuid4().hex
        self.at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        self._counters: dict[str, int] = {}
        self._known: dict[str, int] = {}
        self.journal = Journal(self, self.event)

    def take_ids(self, counter: str, count: int) -> range:
        """Ids that were never used before, even for rows that are gone."""
        if not self._known:
            self._known = {
                str(name): int(following) for name, following in self.rows("SELECT name, next FROM counters")
            }
        if counter not in self._counters:
            self._counters[counter] = self._known.get(counter, 1)
        first = self._counters[counter]
        self._counters[counter] = first + count
        return range(first, first + count)

    def save_counters(self) -> None:
        """Store how far ids were taken."""
        if self._counters:
            names, following = list(self._counters), list(self._counters.values())
            self.run("DELETE FROM counters WHERE name IN (SELECT unnest(?::VARCHAR[]))", names)
            self.run("INSERT INTO counters SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])", names, following)

    def add_vectors(self, photos: Sequence[int], vectors: Descriptor) -> None:
        """Store global descriptors [n, d] of photos."""
        if not len(vectors):
            return
        blobs = np.empty(len(vectors), object)
        blobs[:] = [pack_descriptor(row) for row in vectors]
        columns = {"photo": np.asarray(photos, np.int64), "vector": blobs}
        self.run_on(columns, f"INSERT INTO descriptors SELECT photo, {self.event}, vector FROM given")


class Registry:
    """The registry.duckdb of one catalogue.

    Parameters
    ----------
    patience : float
        Seconds that reading or writing waits for other processes to let go of the file.
    migrations : sequence of str
        SQL scripts; the number of the last one is the version of the schema.
    """

    def __init__(
        self,
        path: Path,
        on_step: OnStep = no_steps,
        *,
        patience: float = 20.0,
        migrations: Sequence[str] = MIGRATIONS,
    ) -> None:
        self.path = whole_path(path)
        self._on_step = on_step
        self._patience = patience
        self._migrations = migrations
        self._current: Transaction | None = None
        self._writer: int | None = None
        self._one_at_a_time = threading.Lock()

    def signature(self) -> tuple[int, ...]:
        """Something that differs whenever another process has changed the file."""
        marks: list[int] = []
        for path in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            with contextlib.suppress(OSError):
                status = path.stat()
                marks += [status.st_mtime_ns, status.st_size, status.st_ino]
        return tuple(marks)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read one consistent state; inside a transaction, its own. Other threads read what was committed before."""
        if self._current is not None and self._writer == threading.get_ident():
            yield self._current
            return
        if not self.path.is_file():
            raise CatalogMissing(
                f"There is no registry at {self.path}: give the folder of a catalogue, or restore a backup."
            )
        with self._connected(read_only=True) as connection:
            connection.execute("BEGIN")
            yield Session(connection)

    @contextmanager
    def transaction(
        self,
        action: str,
        who: str,
        command: str,
        why: str = "",
        undoes: int | None = None,
        *,
        dry_run: bool = False,
    ) -> Iterator[Transaction]:
        """Change the registry as one event; without a journalled change no event is recorded. Raises StorageFull.

        A dry run takes everything back at the end. Another thread's transaction is waited for.
        """
        if self._current is not None and self._writer == threading.get_ident():
            raise RuntimeError("a transaction is open already")
        with self._one_at_a_time, self._connected(read_only=False) as connection:
            connection.execute("BEGIN")
            self._current, self._writer = Transaction(connection), threading.get_ident()
            try:
                yield self._current
                if dry_run:
                    connection.execute("ROLLBACK")
                    return
                self._finish(self._current, (action, who, command, why, undoes))
            except BaseException:
                with contextlib.suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._current, self._writer = None, None
        self._on_step("registry committed")

    def _finish(self, transaction: Transaction, event: tuple[str, str, str, str, int | None]) -> None:
        action, who, command, why, undoes = event
        if transaction.journal.changes:
            transaction.run(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(transaction.event, transaction.at, who, action, command, why, undoes, transaction.token),
            )
        transaction.save_counters()
        self._on_step("registry written")
        transaction.run("COMMIT")

    def version(self) -> int:
        """The schema's version. Raises CatalogTooNew when this program does not know it."""
        with self.reading() as session:
            version = session.number("SELECT max(version) FROM migrations")
        if version > len(self._migrations):
            raise CatalogTooNew(
                f"{self.path.parent} was made by a newer turtleidx (schema {version}, this one knows "
                f"{len(self._migrations)}); update turtleidx."
            )
        return version

    def migrate(self) -> None:
        """Bring the schema up to date, one commit for each step; makes the file when it is not there."""
        with self._connected(read_only=False) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER, made_at TIMESTAMP)")
            done = Session(connection).number("SELECT max(version) FROM migrations")
            for version, script in list(enumerate(self._migrations, 1))[done:]:
                connection.execute("BEGIN")
                connection.execute(script)
                connection.execute(
                    "INSERT INTO migrations VALUES (?, ?)", [version, dt.datetime.now(dt.UTC).replace(tzinfo=None)]
                )
                connection.execute("COMMIT")

    def copy(self, target: Path) -> None:
        """Write a consistent copy without gaps to a new file; nobody may be writing."""
        target.unlink(missing_ok=True)
        with self._connected(read_only=True) as original, Registry(target)._connected(read_only=False) as made:
            source, copy = (one.execute("SELECT current_database()").fetchall()[0][0] for one in (original, made))
            made.execute(f"COPY FROM DATABASE {source} TO {copy}")

    def set_aside(self, keep: int = 3) -> Path:
        """Copy the file into `backups` beside it, where the newest few are kept; nobody may be writing."""
        folder = self.path.with_name("backups")
        folder.mkdir(exist_ok=True)
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
        copy = folder / f"registry-{stamp}-v{self.version()}.duckdb"
        self.copy(copy)
        for old in sorted(folder.glob("registry-*.duckdb"))[:-keep]:
            old.unlink()
        return copy

    def compact(self) -> None:
        """Give the space of deleted rows back to the disk."""
        with replacing(self.path) as temporary:
            self.copy(temporary)

    @property
    def current_version(self) -> int:
        """The version that `migrate` leads to."""
        return len(self._migrations)

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with ExitStack() as stack:
                yield self._connect(stack, read_only)
        except (duckdb.InterruptException, RuntimeError) as error:
            if isinstance(error, duckdb.InterruptException) or str(error) == INTERRUPTED:
                raise KeyboardInterrupt from error
            raise
        except duckdb.Error as error:
            if is_full(error):
                raise storage_full(self.path) from error
            if "surrogate" in str(error):
                raise InputError("A text with bytes that are not UTF-8 can be neither kept nor found.") from error
            if isinstance(error, _BROKEN) or "orrupt" in str(error):
                raise CatalogDamaged(f"{self.path} cannot be read ({_first_line(error)}); restore a backup.") from error
            raise

    def _connect(self, stack: ExitStack, read_only: bool) -> duckdb.DuckDBPyConnection:
        give_up, wait = time.monotonic() + self._patience, 0.01
        while True:
            try:
                return stack.enter_context(of_process(os.getpid()).connected(self.path, read_only=read_only))
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if any(os.strerror(code) in str(error) for code in _WITHOUT_LOCKS):
                    raise CatalogReadOnly(
                        f"{self.path} lies on a drive that keeps no locks: copy the catalogue's folder to a disk of "
                        "this computer and work there."
                    ) from error
                if not any(words in str(error) for words in _TAKEN):
                    raise
                if time.monotonic() > give_up:
                    raise CatalogBusy(
                        f"{self.path} has been in use by another process for "
                        f"{self._patience:.0f} seconds; try again when it is done."
                    ) from error
            time.sleep(wait)
            wait = min(wait * 1.5, 0.1)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def pack_descriptor(descriptor: Descriptor) -> bytes:
    """Write a global descriptor [d]: vectors in float32, signatures as they are."""
    signature = descriptor.dtype == np.uint8
    return np.ascontiguousarray(descriptor, None if signature else "<f4").tobytes()


def unpack_descriptors(blobs: Iterable[bytes], recipe: Recipe) -> Descriptor:
    """Read global descriptors, [n, d]. Raises CatalogDamaged where one has another length."""
    every, size = list(blobs), descriptor_bytes(recipe)
    if wrong := sum(len(one) != size for one in every):
        raise CatalogDamaged(
            f"The global descriptors of {wrong} photos are damaged; `turtleidx reindex` reads their originals again."
        )
    return np.frombuffer(b"".join(every), np.uint8 if recipe.votes else "<f4").reshape(-1, recipe.dimension)


def descriptor_bytes(recipe: Recipe) -> int:
    """Length of a global descriptor's record."""
    return recipe.dimension * (1 if recipe.votes else 4)
