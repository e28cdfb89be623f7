"""Whether the files that photos were enrolled from are still where the catalogue says, with the bytes that they had.

A catalogue works without its originals until it has to read them again; a disk that is lost should be noticed before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from index.catalog.catalog import Catalog
from index.types import Progress

SAMPLE = 500
"""Originals that are looked for where all of them would take too long."""

WAY_OUT = "`turtleidx photos relocate FOLDER` finds them by their bytes where they were moved to"


@dataclass(frozen=True, slots=True)
class Originals:
    """What became of the files.

    Attributes
    ----------
    looked_for : int
    missing, changed : tuple of str
        Paths of files that are not there, and of those whose bytes are others.
    """

    looked_for: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]

    def sentences(self) -> list[str]:
        """One for each kind of trouble."""
        told = []
        if self.missing:
            told.append(
                f"{len(self.missing)} of {self.looked_for} originals are not where the catalogue says, "
                f"{self.missing[0]} for one: {WAY_OUT}."
            )
        if self.changed:
            told.append(
                f"{len(self.changed)} of {self.looked_for} originals were changed since they were enrolled, "
                f"{self.changed[0]} for one: bring the unchanged files back, or enroll the changed ones as new photos."
            )
        return told


def sampled_originals(catalog: Catalog) -> Originals:
    """Look for some of the files, by name alone."""
    sql = f"SELECT path, relative, sha256 FROM photos WHERE NOT removed ORDER BY hash(id) LIMIT {SAMPLE}"
    with catalog.reading() as session:
        rows = session.rows(sql)
    return _looked_for(rows, catalog.path.parent, read=False)


def every_original(catalog: Catalog, progress: Progress | None = None) -> Originals:
    """Look for all files and read them."""
    sql = "SELECT path, relative, sha256 FROM photos WHERE NOT removed ORDER BY id"
    with catalog.reading() as session:
        rows = session.rows(sql)
    return _looked_for(rows, catalog.path.parent, read=True, progress=progress)


def _looked_for(
    rows: Sequence[tuple[str, str | None, str]], base: Path, *, read: bool, progress: Progress | None = None
) -> Originals:
    missing, changed = [], []
    for path, relative, sha256 in rows:
        places = [Path(path), *([base / relative] if relative else [])]
        found = next((place for place in places if _is_file(place)), None)
        if found is None:
            missing.append(str(path))
        elif read and _digest(found) != sha256:
            changed.append(str(path))
        if progress:
            progress(1)
    return Originals(len(rows), tuple(missing), tuple(changed))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a disk that does not answer
        return False


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
