"""One DuckDB for the whole process, to which registry files are attached while they are in use.

Starting a DuckDB takes about 40 ms, attaching a file to one that runs about 2. Shares the door to DuckDB with
`index.registry`.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(eq=False)
class _File:
    """An attached file: the name it has in SQL, how it is open, and how many connections use it."""

    name: str
    read_only: bool
    users: int = 0


class Attaching:
    """Connections to files by way of one DuckDB that stays in memory; may be used by several threads."""

    def __init__(self, process: int) -> None:
        self._spill = Path(tempfile.gettempdir()) / f"turtleidx-{process}"
        self._lock = threading.Lock()
        self._files: dict[Path, _File] = {}
        self._attached = 0
        self._start()

    @contextmanager
    def connected(self, path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose default database is the file; the last one's end lets other processes have it.

        Whoever reads may do so beside one of this process who writes. Raises duckdb.ConnectionException for writing
        while this process has the file open for reading only, and duckdb.IOException while another process has it.
        """
        with self._lock:
            file = self._files.get(path) or self._attach(path, read_only)
            if file.read_only and not read_only:
                raise duckdb.ConnectionException(f"{path} is open with a different configuration")
            connection = self._home.cursor()
            file.users += 1
        try:
            connection.execute(f"USE {file.name}")
            yield connection
        except duckdb.FatalException:
            self._start()
            raise
        finally:
            with self._lock:
                connection.close()
                file.users -= 1
                if not file.users and self._files.get(path) is file:
                    self._detach(path)

    def _start(self) -> None:
        """Begin with a new DuckDB, also after an error that has stopped the old one for good."""
        self._files = {}
        self._home = duckdb.connect(":memory:", config=_SETTINGS | {"temp_directory": str(self._spill)})

    def _attach(self, path: Path, read_only: bool) -> _File:
        self._attached += 1
        name, quoted = f"registry_{self._attached}", str(path).replace("'", "''")
        self._home.execute(f"ATTACH '{quoted}' AS {name} (TYPE duckdb{', READ_ONLY' if read_only else ''})")
        self._files[path] = _File(name, read_only)
        return self._files[path]

    def _detach(self, path: Path) -> None:
        try:
            self._home.execute(f"DETACH {self._files.pop(path).name}")
        except duckdb.Error:  # no room to tidy up: what was committed stays in the log beside the file, as in a crash
            self._start()


@cache
def of_process(process: int) -> Attaching:
    """The one of a process, by its id: a forked child leaves its parent's alone."""
    return Attaching(process)
