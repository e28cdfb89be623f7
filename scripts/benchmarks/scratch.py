"""Where a benchmark makes its catalogues."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(within: Path | None = None, kept: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards, or the one that is to be kept.

    Parameters
    ----------
    within : Path or None
        Where it is made; None takes the system's place for such folders.
    """
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="turtleidx-", dir=within, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
