"""Photos by their numbers in the catalogue, and by nothing else: no path of a request is ever opened.

The registry says where the original lies; its bytes are only decoded when their digest is the registered one, and
always encoded again, so that neither positions in the metadata nor anything that is no photo leaves this machine.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.registry import PhotoRecord
from retrieval.images import file_sha256, jpeg, load_photo

LONG_SIDES = {"thumb": 320, "large": 1600, "full": 6000, "frame": 1600}
"""Longest sides in pixels by the name of a size: the thumbnail is the stored working image, the frame the whole photo,
whatever its head box is.
"""
REMEMBERED_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """JPEG bytes; `original` is False for a stored thumbnail that stands for a missing original."""

    data: bytes
    original: bool


class Pictures:
    """The catalogue's photos as JPEG, some of the last remembered."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, str], Picture] = OrderedDict()
        self._verified: dict[tuple[str, int, int], str] = {}

    def picture(self, photo: PhotoRecord, size: str) -> Picture | None:
        """The part of a photo that is compared (within its head box), or the whole frame; None where it is lost."""
        key = (photo.key, size)
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = None if size == "thumb" else self._original(photo, size)
        if made is None:
            stored = self._catalog.feature_store.thumbnail(photo.key)
            if stored is not None:
                made = Picture(stored, original=size == "thumb" or self.original_of(photo) is not None)
        if made is not None:
            self._remember(key, made)
        return made

    def original_of(self, photo: PhotoRecord) -> Path | None:
        """Where the original lies, or None where it does not, or holds other bytes."""
        path = Path(photo.path)
        try:
            status = path.stat()
            key = (photo.path, status.st_size, status.st_mtime_ns)
            if key not in self._verified:
                self._verified[key] = file_sha256(path)
            return path if self._verified[key] == photo.sha256 else None
        except (OSError, ValueError, PhotoRefused):
            return None

    def _original(self, photo: PhotoRecord, size: str) -> Picture | None:
        path = self.original_of(photo)
        if path is None:
            return None
        try:
            loaded = load_photo(path, LONG_SIDES[size], None if size == "frame" else photo.read_box)
        except PhotoRefused:
            return None
        return Picture(jpeg(loaded.pixels, 88), original=True) if loaded.sha256 == photo.sha256 else None

    def _remember(self, key: tuple[str, str], made: Picture) -> None:
        with self._lock:
            self._made[key] = made
            while sum(len(one.data) for one in self._made.values()) > REMEMBERED_BYTES and len(self._made) > 1:
                self._made.popitem(last=False)
