"""Search over the gallery at the registry's present state, kept in memory from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.durable import OnStep
from index.errors import CatalogDamaged
from index.gallery import Gallery, capped, read_checkpoint, read_gallery, read_photos
from index.registry import Registry
from index.session import Session
from index.types import Float32, GalleryFilter, Int64, Photo, Shortlist
from index.vectors import Checkpoint, VectorIndex

MOST_NAMED = 2000
"""Beyond this many photos it is faster to read them all than to name each."""

FRESH_SHARE = 1000
"""At a command's end the file is rewritten when at least one vector in this many is missing from it."""


CHUNK = 50_000


@dataclass(eq=False)
class _State:
    """What is in memory, and the registry file's signature that it was read under."""

    signature: tuple[int, ...]
    gallery: Gallery
    photos: dict[int, Photo]


class Searcher:
    """Gallery and vector index of one catalogue; both follow the registry by themselves."""

    def __init__(self, path: Path, registry: Registry, dimension: int, on_step: OnStep) -> None:
        self._path = path
        self._registry = registry
        self._dimension = dimension
        self._on_step = on_step
        self._state: _State | None = None
        self._index: VectorIndex | None = None
        self._held = Checkpoint(0, "")
        self._changed = False

    def shortlist(self, vector: Float32, k: int, where: GalleryFilter, per_turtle: int) -> Shortlist:
        """See `Catalog.shortlist`."""
        gallery, index = self._now().gallery, self._vectors()
        rows = np.flatnonzero(gallery.admitted(where))
        allowed = gallery.ids[rows]
        wanted = min(2 * k, len(allowed))
        while True:
            found = index.search(vector, wanted, allowed)
            kept = capped(gallery.individuals(np.searchsorted(gallery.ids, found.ids)), per_turtle)[:k]
            if len(kept) == k or wanted == len(allowed):
                break
            wanted = min(4 * wanted, len(allowed))
        counts = np.bincount(gallery.turtle[rows] + 1, minlength=1)  # by key; first those of no turtle
        own = gallery.turtle[np.searchsorted(gallery.ids, found.ids[kept])]
        return Shortlist(
            photos=tuple(self._named(found.ids[kept])),
            similarity=found.similarity[kept],
            turtle_photos=np.where(own >= 0, counts[own + 1], 1).astype(np.int64),
            gallery_photos=len(rows),
            gallery_turtles=int(np.count_nonzero(counts[1:])),
            catalogued_turtles=gallery.turtles,
        )

    def photos(self, where: GalleryFilter) -> list[Photo]:
        """See `Catalog.photos`."""
        gallery = self._now().gallery
        return self._named(gallery.ids[gallery.admitted(where)])

    def vectors(self, ids: Int64) -> Float32:
        """Global descriptors float32 [n, d] of photos int64 [n]."""
        self._now()
        return self._vectors().vectors(ids)

    def save_if_due(self) -> None:
        """Vectors were added: rewrite the file when a crash would leave much to catch up with."""
        self._changed = True
        self._now()
        if self._vectors().due:
            self._save()

    def save_if_worth(self) -> None:
        """Rewrite the file at the end of a command that added vectors, unless hardly anything is missing from it."""
        if not self._changed:
            return
        self._changed = False
        self._now()
        index = self._vectors()
        if index.unsaved * FRESH_SHARE >= max(len(index), 1):
            self._save()

    def rebuild(self) -> None:
        """Make the file anew from the registry."""
        self._index, self._held, self._state = VectorIndex(self._dimension), Checkpoint(0, ""), None
        with self._registry.reading() as session:
            self._catch_up(session)
        self._save()

    def file_is_right(self) -> bool:
        """Whether the file holds exactly the registry's vectors up to the event that it names."""
        try:
            index, held = VectorIndex.load(self._path, self._dimension)
        except (FileNotFoundError, CatalogDamaged):
            return False
        with self._registry.reading() as session:
            if session.row("SELECT token FROM events WHERE id = ?", held.event) != (held.token,):
                return False
            newest = session.number("SELECT max(event) FROM descriptors")
            total = session.number("SELECT count(*) FROM descriptors WHERE event <= ?", held.event)
            if len(index) != total or newest > held.event:
                return False
            for first in range(0, total, CHUNK):
                sql = "SELECT photo, vector FROM descriptors WHERE event <= ? ORDER BY photo LIMIT ? OFFSET ?"
                part = session.columns(sql, held.event, CHUNK, first)
                if not np.isin(part["photo"], index.ids()).all():
                    return False
                if index.vectors(part["photo"]).tobytes() != b"".join(part["vector"]):
                    return False
        return True

    def _save(self) -> None:
        self._vectors().save(self._path, self._held, self._on_step)

    def _named(self, ids: Int64) -> list[Photo]:
        known = self._now().photos
        missing = [int(number) for number in ids if int(number) not in known]
        if missing:
            with self._registry.reading() as session:
                if len(missing) > MOST_NAMED:
                    found = read_photos(session, "NOT p.removed")
                else:
                    found = read_photos(session, "p.id IN (SELECT unnest(?::BIGINT[]))", missing)
            known.update((photo.id, photo) for photo in found)
        return [known[int(number)] for number in ids]

    def _now(self) -> _State:
        signature = self._registry.signature()
        if self._state is None or self._state.signature != signature:
            with self._registry.reading() as session:
                gallery = read_gallery(session)
                if self._index is not None:
                    self._catch_up(session)
            self._state = _State(signature, gallery, {})
        return self._state

    def _vectors(self) -> VectorIndex:
        """The index at the state of `_now`; a file that is missing, damaged or of another history is not used."""
        if self._index is None:
            try:
                self._index, self._held = VectorIndex.load(self._path, self._dimension)
            except (FileNotFoundError, CatalogDamaged):
                self._index, self._held = VectorIndex(self._dimension), Checkpoint(0, "")
            with self._registry.reading() as session:
                self._catch_up(session)
        return self._index

    def _catch_up(self, session: Session) -> None:
        """Bring the index in memory to the session's state; it then holds at least every photo of the gallery."""
        index = self._index
        known = session.row("SELECT token FROM events WHERE id = ?", self._held.event)
        if index is None or known != (self._held.token,):
            index, self._held = VectorIndex(self._dimension), Checkpoint(0, "")
        _add_newer(session, index, self._held.event)
        if len(index) < session.number("SELECT count(*) FROM descriptors"):
            index = VectorIndex(self._dimension)
            _add_newer(session, index, 0)
        self._index, self._held = index, read_checkpoint(session)


def _add_newer(session: Session, index: VectorIndex, event: int) -> None:
    newer = session.columns("SELECT photo, vector FROM descriptors WHERE event > ? ORDER BY photo", event)
    if len(newer["photo"]):
        vectors = np.frombuffer(b"".join(newer["vector"]), "<f4").reshape(-1, index.dimension)
        index.add(newer["photo"], vectors)
