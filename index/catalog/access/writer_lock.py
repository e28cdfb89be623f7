"""One writing process at a time, known by name to the others."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import CatalogBusy, CatalogReadOnly
from index.times import local

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_NAME = "writer.lock"
HOLDER_NAME = "writer.json"
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def read_only_sentence(folder: Path, error: Exception) -> str:
    """Why a catalogue cannot be written, and what can be done."""
    code = error.errno if isinstance(error, OSError) else None
    if code in _FORBIDDEN:
        return (
            f"{folder} may be read but not written ({os.strerror(code)}): look and query as you like; to change it, "
            "ask for the right to write there, or copy the folder."
        )
    return (
        f"{folder} lies on a drive that keeps no locks ({error}), so that two people could write at once: copy the "
        "folder to a disk of this computer and work there."
    )


def _nothing() -> None:
    """Nothing has to be prepared."""


class WriterLock:
    """The right to change a catalogue, held for a whole command; entering again while holding it is free.

    Threads of one process hold it together: the last one to leave gives it back.

    The holder's name stands in a file of its own, because a locked file cannot be read on Windows.
    """

    def __init__(self, folder: Path, patience: float = 0.5) -> None:
        self._folder = folder
        self._patience = patience
        self._depth = 0
        self._entering = threading.RLock()

    @cached_property
    def _lock(self) -> FileLock:
        from filelock import FileLock  # imports asyncio, and readers take no lock

        return FileLock(self._folder / LOCK_NAME, timeout=self._patience, thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._depth > 0

    @contextmanager
    def holding(self, command: str, prepare: Callable[[], None] = _nothing, *, at_once: bool = False) -> Iterator[bool]:
        """Hold the lock; yields True on the outermost entry. Raises CatalogBusy naming the other writer.

        Parameters
        ----------
        prepare : callable
            What the outermost entry does first, before any other thread may write.
        at_once : bool
            Whether to give up at once where another process holds it.
        """
        with self._entering:
            outermost = self._depth == 0
            if outermost:
                try:
                    self._lock.acquire(timeout=0 if at_once else None)
                except TimeoutError:
                    raise CatalogBusy(self._busy_sentence()) from None
                except (OSError, NotImplementedError) as error:
                    if isinstance(error, OSError) and error.errno not in (*_FORBIDDEN, *_WITHOUT_LOCKS):
                        raise
                    raise CatalogReadOnly(read_only_sentence(self._folder, error)) from error
                self._write_holder(command)
            self._depth += 1
            try:
                if outermost:
                    prepare()
            except BaseException:
                self._leave()
                raise
        try:
            yield outermost
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._entering:
            self._depth -= 1
            if not self._depth:
                with contextlib.suppress(OSError):
                    (self._folder / HOLDER_NAME).unlink(missing_ok=True)
                self._lock.release()

    def _write_holder(self, command: str) -> None:
        since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}
        with contextlib.suppress(OSError):  # only a courtesy to others; a full disk shows up in the stores
            (self._folder / HOLDER_NAME).write_text(json.dumps(holder), encoding="utf-8")

    def _busy_sentence(self) -> str:
        try:
            holder = json.loads((self._folder / HOLDER_NAME).read_text(encoding="utf-8"))
            since = local(dt.datetime.fromisoformat(holder["since"]))
            who = f"process {holder['pid']} on {holder['host']}, running “{holder['command']}” since {since}"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"
        return f"{self._folder} is being written by {who}; wait until it has finished, then run the command again."
