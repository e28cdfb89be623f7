"""Originals: finding those that were moved, by their bytes or pictures, and looking at them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.errors import PhotoRefused, PhotoUnreadable
from index.registry import PhotoRecord
from index.types import HeadBox, Pixels, Progress
from retrieval.images.files import file_digests
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
    """Look below `folder` for the originals that are not where the catalogue says. Raises NoPhotos.

    A file with the very bytes goes before one with the same picture and other metadata.
    """
    lost = [photo for photo in photos if not Path(photo.path).is_file()]
    by_bytes, by_picture = _Lost(), _Lost()
    for photo in lost:
        by_bytes.add(photo.sha256, photo.id)
        if photo.content is not None:
            by_picture.add(photo.content, photo.id)
    unreadable: list[str] = []
    for path in find_photos(folder):
        if len(by_bytes.found) == len(lost):
            break
        try:
            digests = file_digests(path) if path.stat().st_size else None
        except PhotoUnreadable as error:
            unreadable.append(str(error))
            digests = None
        if digests is not None:
            by_bytes.look(digests.sha256, path)
            by_picture.look(digests.content, path)
        advance(1)
    found = by_picture.found | by_bytes.found
    return Search(found, len(photos) - len(lost), len(lost) - len(found), tuple(unreadable))


class _Lost:
    """Photos by a digest, and the first file of each."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self.found: dict[int, Path] = {}

    def add(self, digest: str, number: int) -> None:
        self._numbers.setdefault(digest, []).append(number)

    def look(self, digest: str | None, path: Path) -> None:
        for number in self._numbers.get(digest or "", ()):
            self.found.setdefault(number, path)


def original_pixels(path: str, sha256: str, box: HeadBox | None, long_side: int) -> Pixels | None:
    """A photo as its original shows it, uint8 [h, w, 3]; None where that is not there, or holds other bytes."""
    try:
        loaded = load_photo(Path(path), long_side, box)
    except PhotoRefused:
        return None
    return loaded.pixels if loaded.sha256 == sha256 else None
