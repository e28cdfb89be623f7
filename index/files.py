"""Files that survive a crash: replaced whole or not at all, and a full disk told from other failures."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import OutputTaken, StorageFull

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

OnStep = Callable[[str], None]
"""Called when a write has reached a named step; crash tests stop the process there."""


def no_steps(step: str) -> None:
    """Watch nothing."""


def is_full(error: BaseException) -> bool:
    """Whether the disk, a quota or a file-size limit is what stopped a write."""
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return True
    words = str(error).lower()
    return any(os.strerror(code).lower() in words for code in NO_SPACE) or "not enough space" in words


def storage_full(path: Path) -> StorageFull:
    """The error for a disk that is full."""
    return StorageFull(
        f"The disk that holds {path} is full; nothing of the unfinished batch was kept: "
        "free some space and run the command again."
    )


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn an operating-system error about space into StorageFull."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise storage_full(path) from error
        raise


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system can (Windows keeps them durable by itself)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_foreign(target: Path, kind: str, is_ours: Callable[[Path], bool], *, overwrite: bool = False) -> None:
    """Raises OutputTaken where an output would replace something else than an earlier one of its kind.

    Parameters
    ----------
    kind : str
        What is to be written, with its article, as it stands in the sentence.
    is_ours : callable
        Whether a file is an earlier output of that kind; an empty file need not be.
    overwrite : bool
        Any ordinary file may be replaced.
    """
    if not target.exists():
        return
    if not target.is_file():
        what = "a folder" if target.is_dir() else "not an ordinary file"
        raise OutputTaken(f"{target} is {what}: name a file for {kind}.")
    if not overwrite and target.stat().st_size and not is_ours(target):
        raise OutputTaken(
            f"{target} is there already and is not {kind} that turtleidx wrote: name another file, or give --overwrite."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is written there replaces `path` at once, or not at all."""
    temporary = path.with_name(f"{path.name}.partial")
    try:
        with full_disk_named(path):
            yield temporary
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
