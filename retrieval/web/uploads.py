"""Files that people bring, taken into a folder under numbers for names: photos, ZIPs of them, tables about them.

What a browser or a ZIP calls a file is shown and never used as a path. A ZIP may hold anything: links, paths that lead
out of it, and more than it says.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from index.errors import InputError
from index.files import full_disk_named
from retrieval.images import EXTENSIONS

TABLES = (".csv", ".xlsx", ".tsv", ".txt")
MOST_FILES = 5_000
MOST_BYTES = 64 << 20
MOST_IN_ALL = 8 << 30
_CHUNK = 1 << 20


@dataclass(eq=False)
class Taken:
    """What was brought: photos and tables as (number with ending, what it was called), and what is neither."""

    photos: list[tuple[str, str]] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def take_in(folder: Path, files: Sequence[tuple[str, BinaryIO]], there: int) -> Taken:
    """Take files into a folder that holds so many photos. Raises InputError for too many, StorageFull."""
    taken = Taken()
    with full_disk_named(folder):
        for name, file in files:
            if PurePosixPath(name).suffix.lower() == ".zip":
                _unpack(folder, file, name, there, taken)
            else:
                _take(folder, file, name, there, taken)
    return taken


def _take(folder: Path, file: BinaryIO, name: str, there: int, taken: Taken) -> None:
    ending = PurePosixPath(name).suffix.lower()
    if ending not in EXTENSIONS and ending not in TABLES:
        if not PurePosixPath(name).name.startswith("."):
            taken.refused.append(f"{name}: no photo that can be read")
        return
    if there + len(taken.photos) >= MOST_FILES:
        raise InputError(f"That is more than {MOST_FILES} photos: import them in parts.")
    target = _free(folder, there + len(taken.photos) + len(taken.tables) + 1, ending)
    if _copied(file, target) > MOST_BYTES:
        target.unlink()
        taken.refused.append(f"{name}: larger than {MOST_BYTES >> 20} MB")
    elif ending in TABLES:
        taken.tables.append(target)
    else:
        taken.photos.append((target.name, name))


def _free(folder: Path, number: int, ending: str) -> Path:
    """The first number from this one on that no file has."""
    while (target := folder / f"{number:05d}{ending}").exists():
        number += 1
    return target


def _unpack(folder: Path, file: BinaryIO, name: str, there: int, taken: Taken) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in _members(archive, taken.refused):
                with archive.open(member) as opened:
                    _take(folder, opened, member.filename, there, taken)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        taken.refused.append(f"{name}: no ZIP that can be read ({error})")


def _members(archive: zipfile.ZipFile, refused: list[str]) -> Iterator[zipfile.ZipInfo]:
    """Members that are ordinary files of an ordinary size. Raises InputError for a bomb."""
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_IN_ALL:
        raise InputError(f"The ZIP holds more than {MOST_FILES} files or {MOST_IN_ALL >> 30} GB: import it in parts.")
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if stat.S_ISLNK(member.external_attr >> 16) or ".." in parts or member.filename.startswith(("/", "\\")):
            refused.append(f"{member.filename}: a link or a path that leads out of the ZIP")
        elif "__MACOSX" not in parts:
            yield member


def _copied(file: BinaryIO, target: Path) -> int:
    """Copy, at most a little more than one file may have; gives the bytes."""
    written = 0
    with target.open("xb") as opened:
        while chunk := file.read(_CHUNK):
            written += len(chunk)
            if written > MOST_BYTES:
                break
            opened.write(chunk)
    return written
