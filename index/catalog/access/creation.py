"""New catalogues, made beside their place by each process for itself, so that of several at once one wins."""

from __future__ import annotations

import contextlib
import glob
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import CatalogExists
from index.files import full_disk_named, sync_folder

LEFT_BEHIND = 3600
"""Seconds after which an unfinished new catalogue is that of a killed process; making one takes less than one."""


@contextmanager
def drafting(path: Path, sign: str) -> Iterator[Path]:
    """A folder that becomes the catalogue at `path` in one step. Raises CatalogExists, StorageFull.

    Parameters
    ----------
    sign : str
        The file by which a catalogue is known.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if time.time() - left.stat().st_mtime > LEFT_BEHIND:
            shutil.rmtree(left, ignore_errors=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with full_disk_named(path):
            draft.mkdir(parents=True)
            yield draft
            with contextlib.suppress(OSError):
                path.rmdir()
            try:
                draft.rename(path)
            except OSError:
                if (path / sign).is_file():
                    raise CatalogExists(f"{path} was made by another process at the same moment.") from None
                raise
            sync_folder(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
