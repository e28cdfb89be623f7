"""Photos in folders: which files are photos, in what order, and what else lies there."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from index.errors import NoPhotos
from retrieval.images.formats import RAW_ENDINGS

EXTENSIONS = (
    frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".jp2"})
    | frozenset({".heic", ".heif", ".hif", ".avif"})
    | RAW_ENDINGS
)
"""What counts as a photo in a folder."""

MACHINES = frozenset(
    {
        *("@eadir", "#recycle", "$recycle.bin", "recycler", "system volume information", "lost+found", "#snapshot"),
        *("@recycle", "@recently-snapshot", ".@__thumb", "__macosx", "thumbs", "thumbnails", "found.000"),
    }
)
"""Folders that network drives and systems make for themselves, in lower case."""


@dataclass(eq=False)
class Passed:
    """What a walk passed over.

    Attributes
    ----------
    endings : counter
        Files that are no photos, by ending in lower case; those without one under an empty text.
    machines : int
        Folders of machines.
    hidden : int
        Hidden files and folders, among them the copies that a Mac leaves on other drives.
    """

    endings: Counter[str] = field(default_factory=Counter)
    machines: int = 0
    hidden: int = 0

    def sentences(self) -> list[str]:
        """What was passed over, in words; nothing where nothing was."""
        told = []
        if self.endings:
            many = sum(self.endings.values())
            ordered = sorted(self.endings.items(), key=lambda one: (-one[1], one[0]))
            named = ", ".join(f"{number} {ending or 'without ending'}" for ending, number in ordered)
            told.append(f"{many} {'file was' if many == 1 else 'files were'} no photo: {named}.")
        if self.machines:
            many = self.machines
            told.append(
                f"{many} {'folder' if many == 1 else 'folders'} of thumbnails, bins or systems "
                f"{'was' if many == 1 else 'were'} passed over."
            )
        if self.hidden:
            many = self.hidden
            told.append(f"{many} hidden {'file or folder was' if many == 1 else 'files or folders were'} passed over.")
        return told


def find_photos(folder: Path, passed: Passed | None = None) -> Iterator[Path]:
    """Every photo below `folder`, in a stable order; hidden files and folders of machines are left out.

    Folders behind links come last, each once, and not again where the walk has been already. A folder that may not be
    looked into stands for its photos, so that whoever reads it is told.

    Raises
    ------
    NoPhotos
    """
    found = False
    told = Passed() if passed is None else passed
    for path in _files(folder, told):
        if path.suffix.lower() in EXTENSIONS or path.is_dir():
            found = True
            yield path
        else:
            told.endings[path.suffix.lower()] += 1
    if not found:
        raise NoPhotos(f"{folder} holds no photo ({', '.join(sorted(EXTENSIONS))}).")


def _files(folder: Path, passed: Passed) -> Iterator[Path]:
    """Files below a folder, first those that lie there, then those behind links to folders."""
    seen: set[Path] = set()
    linked = deque([folder])
    while linked:
        yield from _lying_in(linked.popleft(), seen, linked, passed)


def _lying_in(folder: Path, seen: set[Path], linked: deque[Path], passed: Passed) -> Iterator[Path]:
    """Files below a folder, one folder's names at a time, so that millions of photos need no memory."""
    if (real := folder.resolve()) in seen:
        return
    seen.add(real)
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_dir(), entry.is_symlink()) for entry in entries)
    except PermissionError:
        yield folder
        return
    for name, is_folder, is_link in names:
        if is_folder and name.lower() in MACHINES:
            passed.machines += 1
        elif name.startswith("."):
            passed.hidden += 1
        elif is_folder and is_link:
            linked.append(folder / name)
        elif is_folder:
            yield from _lying_in(folder / name, seen, linked, passed)
        elif (folder / name).is_file():
            yield folder / name
