"""Originals: finding those that were moved by their bytes, and looking at them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import PhotoRefused, PhotoUnreadable
from index.registry import PhotoRecord
from index.types import HeadBox, Pixels, Progress
from retrieval.images.files import file_sha256
from retrieval.images.folders import find_photos
from retrieval.images.photos import load_photo


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for originals found.

    Attributes
    ----------
    found : mapping of photo number to path
        Only originals that are not where the catalogue says.
    in_place, missing : int
        Originals where the catalogue says, and those that are nowhere.
    unreadable : tuple of str
        Sentences about files that could not be looked at.
    """

    found: Mapping[int, Path]
    in_place: int
    missing: int
    unreadable: tuple[str, ...] = ()


def find_originals(photos: Sequence[PhotoRecord], folder: Path, advance: Progress) -> Search:
    """Look below `folder` for the originals that are not where the catalogue says. Raises NoPhotos."""
    lost: dict[str, list[int]] = {}
    for photo in photos:
        if not Path(photo.path).is_file():
            lost.setdefault(photo.sha256, []).append(photo.id)
    away = sum(map(len, lost.values()))
    found: dict[int, Path] = {}
    unreadable: list[str] = []
    for path in find_photos(folder):
        if len(found) == away:
            break
        numbers: list[int] = []
        try:
            numbers = lost.get(file_sha256(path), []) if path.stat().st_size else []
        except PhotoUnreadable as error:
            unreadable.append(str(error))
        for number in numbers:
            found.setdefault(number, path)
        advance(1)
    return Search(found, len(photos) - away, away - len(found), tuple(unreadable))


def original_pixels(path: str, sha256: str, box: HeadBox | None, long_side: int) -> Pixels | None:
    """A photo as its original shows it, uint8 [h, w, 3]; None where that is not there, or holds other bytes."""
    try:
        loaded = load_photo(Path(path), long_side, box)
    except PhotoRefused:
        return None
    return loaded.pixels if loaded.sha256 == sha256 else None
