"""Files that a table names, found also where it was written on another kind of computer."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


class PathFinder:
    """Finds files below a folder by names that may be written with back slashes, in another case or form of Unicode."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path:
        """The one file that is meant; where there is none, the path as it is written."""
        plain = self._folder / name
        try:
            if os.path.lexists(plain):
                return plain
            slashed = name.replace("\\", "/")
            found = self._below(Path(slashed).parts)
        except (OSError, ValueError):
            return plain
        return found or plain

    def _below(self, parts: tuple[str, ...]) -> Path | None:
        at = self._folder
        for part in parts:
            if part in ("..", ".") or part == os.sep or os.path.lexists(at / part):
                at = at / part
                continue
            alike = self._names(at).get(_folded(part), [])
            if len(alike) != 1:
                return None
            at = at / alike[0]
        return at

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            if folder.is_dir():
                for path in folder.iterdir():
                    names.setdefault(_folded(path.name), []).append(path.name)
            self._listed[folder] = names
        return self._listed[folder]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
