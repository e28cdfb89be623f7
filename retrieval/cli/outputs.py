"""Where pictures and pages may be written: found out before the work, and never over a photo."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from index.catalog import Catalog
from index.errors import InputError

PAGE = b"<!doctype html"
"""How our pages begin."""


def picture_files(target: Path, photos: Sequence[Path], catalog: Catalog) -> list[Path]:
    """Where the pictures of photos go: that of one to `target`, those of several into that folder. Raises InputError.

    Parameters
    ----------
    photos : sequence of Path
        What is asked about; of files that are there, only earlier match pictures are written over, unless they were
        themselves asked about or enrolled.
    """
    if len(photos) == 1:
        if target.is_dir():
            raise InputError(f"{target} is a folder: name a file for the match picture of one photo.")
        from retrieval.images import check_ending

        check_ending(target)
        pictures, folder = [target], target.absolute().parent
    else:
        if target.exists() and not target.is_dir():
            raise InputError(f"{target} is a file: name a folder for the match pictures of several photos.")
        pictures = [target / f"{number:04d}-{photo.stem}.png" for number, photo in enumerate(photos, start=1)]
        folder = target.absolute()
    check_folder(folder)
    asked = {_identity(path) for path in photos if path.is_file()}
    for picture in pictures:
        if picture.is_file() and (_identity(picture) in asked or _is_enrolled(picture, catalog)):
            raise InputError(f"{picture} is a photo: choose another name for the match picture.")
        _check_earlier(picture)
    return pictures


def check_picture_folder(folder: Path, pattern: str) -> None:
    """Raises InputError unless match pictures can be written to a folder under all names that a glob pattern fits."""
    check_folder(folder)
    for there in folder.glob(pattern):
        _check_earlier(there)


def check_page(target: Path) -> None:
    """Raises InputError unless a page can be written to a file; only another page is written over."""
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise InputError(f"The report cannot be written to {target}: name a file in a folder that exists.")
    check_folder(target.absolute().parent)
    if target.exists():
        with target.open("rb") as file:
            begin = file.read(len(PAGE))
        if begin and begin.lower() != PAGE:
            raise InputError(f"{target} is there and is no report: choose another name.")


def in_file_name(name: str) -> str:
    """An id as part of a file's name on every system."""
    return re.sub(r'[\\/:*?"<>|]', "_", name)


def check_folder(folder: Path) -> None:
    """Raises InputError unless files can be written to a folder, which may be new."""
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"Nothing can be written to {folder}: choose another folder.")


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _check_earlier(picture: Path) -> None:
    from retrieval.images import is_match_picture

    if not picture.exists():
        return
    if not picture.is_file() or (picture.stat().st_size and not is_match_picture(picture)):
        raise InputError(f"{picture} is there and does not say that it is a match picture: choose another name.")


def _is_enrolled(path: Path, catalog: Catalog) -> bool:
    from retrieval.images import file_sha256  # image libraries take a moment to import

    return path.stat().st_size > 0 and bool(catalog.enrolled([file_sha256(path)]))
