"""Which of the photos that were brought the rows of a table name: by as much of their paths as both sides tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """What names of a table mean.

    Attributes
    ----------
    pairs : mapping
        Photos by their position, and for each the position of its name in the table.
    unclear : list of int
        Names that photos have without the folders, where it is not certain which name means which photo.
    """

    pairs: dict[int, int]
    unclear: list[int]


def named_photos(brought: Sequence[str], written: Sequence[str]) -> Named:
    """Photos and names that are each nearest to the other, and to no third one as near."""
    photos, names = _Paths(brought), _Paths(written)
    nearest = [photos.nearest(path) for path in names.all]
    pairs = {}
    for number, path in enumerate(photos.all):
        name = names.nearest(path)
        if name is not None and nearest[name] == number:
            pairs[number] = name
    told = set(pairs.values())
    unclear = [number for number, path in enumerate(names.all) if photos.called_as(path) and number not in told]
    return Named(pairs, unclear)


class _Paths:
    """Paths by all their ends."""

    def __init__(self, names: Sequence[str]) -> None:
        self.all = [_parts(name) for name in names]
        self._whole: dict[tuple[str, ...], list[int]] = {}
        self._ends: dict[tuple[str, ...], list[int]] = {}
        for number, path in enumerate(self.all):
            self._whole.setdefault(path, []).append(number)
            for start in range(len(path)):
                self._ends.setdefault(path[start:], []).append(number)

    def nearest(self, path: tuple[str, ...]) -> int | None:
        """The one that is this path, or shares the longest end with it; None for none and for several."""
        ends = (self._ends.get(path[start:]) for start in range(len(path)))
        found = self._whole.get(path) or next(filter(None, ends), [])
        return found[0] if len(found) == 1 else None

    def called_as(self, path: tuple[str, ...]) -> bool:
        return path[-1:] in self._ends


def _parts(name: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFC", name).casefold().replace("\\", "/")
    return tuple(part for part in plain.split("/") if part not in ("", "."))
