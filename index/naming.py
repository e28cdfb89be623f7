"""Names that can be kept: ids of turtles, paths of files, and the account of whoever asks."""

from __future__ import annotations

import getpass
import os
import re
import unicodedata
from pathlib import Path

from index.errors import InputError

LONGEST_ID = 120

NEXT_FREE = "new"
"""What people write for a turtle that is not there yet: it gets the next free id, and none is called so."""

_NO_TEXT = re.compile("[\ud800-\udfff]")


def composed(name: str) -> str:
    """A name in the one form of Unicode that names are kept and compared in (NFC): each letter with its accents."""
    return unicodedata.normalize("NFC", name)


def checked_id(name: str) -> str:
    """A turtle's id as it may stand in tables and file names of others, `composed`. Raises InputError."""
    name = composed(name)
    if not name.strip() or name != name.strip() or len(name) > LONGEST_ID or not name.isprintable():
        raise InputError(
            f"{name!r} cannot be a turtle's id: use 1 to {LONGEST_ID} printable characters without blanks at the ends."
        )
    if name.lower() == NEXT_FREE:
        raise InputError(f"{name!r} stands for the next free id and can be no id itself: choose another one.")
    return name


def checked_path(path: str | Path) -> str:
    """A path whose whole name, its folders' names too, is text that a registry can keep. Raises InputError."""
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a file.")
    if _NO_TEXT.search(os.path.normpath(Path(path).absolute())):
        raise InputError(f"{shown(path)} has a name, its own or a folder's, that is not UTF-8 text: rename it.")
    return str(path)


def whole_path(path: Path) -> Path:
    """A path from the root on, without `..`; links keep the names that were chosen. Raises InputError as above."""
    whole = path.absolute()
    if ".." in whole.parts:
        end = len(whole.parts) - whole.parts[::-1].index("..")
        folder, rest = Path(*whole.parts[:end]), whole.parts[end:]
        plain = Path(os.path.normpath(folder))
        # behind a link, `..` leads to the folder above its target
        elsewhere = folder.is_dir() and not (plain.is_dir() and plain.samefile(folder))
        whole = (folder.resolve() if elsewhere else plain).joinpath(*rest)
    return Path(checked_path(whole))


def shown(name: str | Path) -> str:
    """A name as it can be printed, with a mark in the place of bytes that are not text."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", str(name))


def account() -> str:
    """The name of the account that runs the program, its number where it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
