"""Search over the gallery at the registry's present state, kept in memory from call to call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from index.catalog.gallery import NONE, Gallery, capped, read_checkpoint, read_gallery, read_photos
from index.catalog.readings import REPLACING
from index.errors import CatalogDamaged
from index.files import OnStep
from index.registry import Registry, Session, unpack_descriptors
from index.types import Checkpoint, Descriptor, GalleryFilter, Int64, Owners, Photo, Recipe, Shortlist
from index.vectors import LADDER, Neighbours, SearchParams, Selection, VectorIndex
from index.visual_words import VotingIndex

MOST_NAMED = 2000
"""Beyond this many photos it is faster to read them all than to name each."""

REMEMBERED = 4
"""Filters that stay prepared; people search one side after the other."""

CHUNK = 50_000

NOBODY = np.zeros(0, np.int64)


class GalleryIndex(Protocol):
    """An index over the whole gallery that lies elsewhere."""

    def absent(self) -> Int64:
        """Photos int64 [n] that cannot be searched now."""

    def search(self, query: Descriptor, k: int, allowed: Selection) -> Neighbours:
        """The k nearest of the `allowed` photos, fewer when there are fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class _Admitted:
    """What a filter admits: the photos, and how many of each turtle by its key plus one (first those of none)."""

    selection: Selection
    photos: int
    of_turtle: Int64
    turtles: int


@dataclass(eq=False)
class _State:
    """What is in memory, and the registry file's signature that it was read under."""

    signature: tuple[int, ...]
    gallery: Gallery
    photos: dict[int, Photo]
    admitted: OrderedDict[GalleryFilter, _Admitted] = field(default_factory=OrderedDict)


class Searcher:
    """Gallery and vector index of one catalogue; both follow the registry by themselves."""

    def __init__(
        self, path: Path, registry: Registry, recipe: Recipe, on_step: OnStep, ladder: SearchParams = LADDER
    ) -> None:
        self._path = path
        self._registry = registry
        self._recipe = recipe
        self._on_step = on_step
        self._ladder = ladder
        self._state: _State | None = None
        self._index: VectorIndex | VotingIndex | None = None
        self._held = Checkpoint(0, "")
        self._caught_up_with: tuple[int, ...] = ()
        self._changed = False
        self._one_at_a_time = threading.Lock()

    def shortlist(
        self, query: Descriptor, k: int, where: GalleryFilter, per_turtle: int, index: GalleryIndex | None = None
    ) -> Shortlist:
        """See `Catalog.shortlist`."""
        with self._one_at_a_time:
            state = self._now()
            gallery, every = state.gallery, _admitted(state, where)
        absent = NOBODY if index is None else index.absent()
        admitted = _admitted_of(gallery, where, absent) if len(absent) else every
        searched: GalleryIndex | VectorIndex | VotingIndex = self._vectors() if index is None else index
        wanted = min(2 * k, admitted.photos)
        while True:
            found = searched.search(query, wanted, admitted.selection)
            kept = capped(gallery.individuals(np.searchsorted(gallery.ids, found.ids)), per_turtle)[:k]
            if len(kept) == k or wanted == admitted.photos:
                break
            wanted = min(4 * wanted, admitted.photos)
        best = Neighbours(found.ids[kept], found.similarity[kept])
        return self._shortlist_of(state, admitted, best, every.photos - admitted.photos)

    def whole_gallery(self, k: int, where: GalleryFilter, per_turtle: int) -> Shortlist | None:
        """See `Catalog.whole_gallery`."""
        state = self._now()
        gallery, admitted = state.gallery, _admitted(state, where)
        if admitted.photos > k:
            return None
        ids = gallery.ids[gallery.admitted(where)]
        if len(capped(gallery.individuals(np.searchsorted(gallery.ids, ids)), per_turtle)) < len(ids):
            return None
        return self._shortlist_of(state, admitted, Neighbours(ids, np.full(len(ids), np.nan, np.float32)))

    def _shortlist_of(self, state: _State, admitted: _Admitted, found: Neighbours, unreachable: int = 0) -> Shortlist:
        gallery = state.gallery
        own = gallery.turtle[np.searchsorted(gallery.ids, found.ids)]
        return Shortlist(
            photos=tuple(self._named(found.ids)),
            similarity=found.similarity,
            turtle_photos=np.where(own >= 0, admitted.of_turtle[own + 1], 1).astype(np.int64),
            gallery_photos=admitted.photos,
            gallery_turtles=admitted.turtles,
            catalogued_turtles=gallery.turtles,
            unreachable_photos=unreachable,
        )

    def photos(self, where: GalleryFilter) -> list[Photo]:
        """See `Catalog.photos`."""
        gallery = self._now().gallery
        return self._named(gallery.ids[gallery.admitted(where)])

    def owners(self, ids: Int64) -> Owners:
        """See `Catalog.owners`."""
        gallery = self._now().gallery
        if not len(gallery.ids):
            return Owners(np.full(len(ids), NONE), np.full(len(ids), NONE))
        at = np.minimum(np.searchsorted(gallery.ids, ids), len(gallery.ids) - 1)
        there = gallery.ids[at] == ids
        side = gallery.side[at].astype(np.int64)
        return Owners(np.where(there, gallery.turtle[at], NONE), np.where(there, side, NONE))

    def count(self, where: GalleryFilter) -> int:
        """See `Catalog.count`."""
        return _admitted(self._now(), where).photos

    def vectors(self, ids: Int64) -> Descriptor:
        """Global descriptors [n, d] of photos int64 [n]."""
        self._now()
        index = self._vectors()
        if isinstance(index, VectorIndex) and index.exact:
            return index.vectors(ids)
        with self._registry.reading() as session:
            sql = "SELECT photo, vector FROM descriptors WHERE photo IN (SELECT unnest(?::BIGINT[])) ORDER BY photo"
            stored = session.columns(sql, ids.tolist())
        rows = np.searchsorted(np.asarray(stored["photo"], np.int64), ids)
        return unpack_descriptors(stored["vector"], self._recipe)[rows]

    def save_if_due(self) -> None:
        """Vectors were added: rewrite the file when a crash would leave much to catch up with."""
        self._changed = True
        if self._caught_up().due:
            self._save()

    def save_if_worth(self) -> None:
        """Rewrite the file at the end of a command that added vectors, unless hardly anything is missing from it."""
        if not self._changed:
            return
        self._changed = False
        if self._caught_up().worth_saving:
            self._save()

    def rebuild(self) -> None:
        """Make the file anew from the registry."""
        with self._registry.reading() as session:
            held, photos = read_checkpoint(session), session.number("SELECT count(*) FROM descriptors")
            blocks, dimension = _newer_than(session, 0, self._recipe), self._recipe.dimension
            if self._recipe.votes:
                self._index = VotingIndex.build(self._path, dimension, blocks, held, self._on_step)
            else:
                self._index = VectorIndex.build(
                    self._path, dimension, photos, blocks, held, self._on_step, self._ladder
                )
        self._held, self._state, self._caught_up_with = held, None, ()

    def file_is_right(self) -> bool:
        """Whether the file holds exactly the registry's vectors up to the event that it names."""
        try:
            index, held = self._load()
            if isinstance(index, VotingIndex) and not index.file_is_whole(self._path):
                return False
        except (FileNotFoundError, CatalogDamaged):
            return False
        with self._registry.reading() as session:
            if session.row("SELECT token FROM events WHERE id = ?", held.event) != (held.token,):
                return False
            total = session.number("SELECT count(*) FROM descriptors WHERE event <= ?", held.event)
            if len(index) != total:
                return False
            for first in range(0, total, CHUNK):
                sql = "SELECT photo, vector FROM descriptors WHERE event <= ? ORDER BY photo LIMIT ? OFFSET ?"
                part = session.columns(sql, held.event, CHUNK, first)
                if not index.holds(part["photo"], unpack_descriptors(part["vector"], self._recipe)):
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
                    found = read_photos(session, "NOT removed")
                else:
                    found = read_photos(session, "id IN (SELECT unnest(?::BIGINT[]))", missing)
            known.update((photo.id, photo) for photo in found)
        return [known[int(number)] for number in ids]

    def _now(self) -> _State:
        signature = self._registry.signature()
        if self._state is None or self._state.signature != signature:
            with self._registry.reading() as session:
                gallery = read_gallery(session)
                if self._index is not None:
                    self._catch_up(session)
                    self._caught_up_with = signature
            self._state = _State(signature, gallery, {})
        return self._state

    def _vectors(self) -> VectorIndex | VotingIndex:
        """The index at the state of `_now`; a file that is missing, damaged or of another history is not used."""
        return self._caught_up() if self._index is None else self._index

    def _caught_up(self) -> VectorIndex | VotingIndex:
        """The index at the registry's state, without reading the gallery, which takes longer."""
        signature = self._registry.signature()
        if self._index is None:
            try:
                self._index, self._held = self._load()
            except (FileNotFoundError, CatalogDamaged):
                self._index, self._held = self._empty(), Checkpoint(0, "")
            self._caught_up_with = ()
        if self._caught_up_with != signature:
            with self._registry.reading() as session:
                self._catch_up(session)
            self._caught_up_with = signature
        return self._index

    def _catch_up(self, session: Session) -> None:
        """Bring the index in memory to the session's state; it then holds at least every photo of the gallery."""
        index = self._index
        known = session.row("SELECT token FROM events WHERE id = ?", self._held.event)
        replaced = session.number(f"SELECT max(id) FROM events WHERE {REPLACING}")
        if index is None or known != (self._held.token,) or self._held.event < replaced:
            index, self._held = self._empty(), Checkpoint(0, "")
        _add_newer(session, index, self._held.event, self._recipe)
        if len(index) < session.number("SELECT count(*) FROM descriptors"):
            index = self._empty()
            _add_newer(session, index, 0, self._recipe)
        self._index, self._held = index, read_checkpoint(session)

    def _empty(self) -> VectorIndex | VotingIndex:
        dimension = self._recipe.dimension
        return VotingIndex(dimension) if self._recipe.votes else VectorIndex(dimension, self._ladder)

    def _load(self) -> tuple[VectorIndex | VotingIndex, Checkpoint]:
        if self._recipe.votes:
            return VotingIndex.load(self._path, self._recipe.dimension)
        return VectorIndex.load(self._path, self._recipe.dimension, self._ladder)


def _admitted(state: _State, where: GalleryFilter) -> _Admitted:
    """What a filter admits, remembered for the filters that were used last."""
    if where not in state.admitted:
        state.admitted[where] = _admitted_of(state.gallery, where, NOBODY)
    state.admitted.move_to_end(where)
    if len(state.admitted) > REMEMBERED:
        state.admitted.popitem(last=False)
    return state.admitted[where]


def _admitted_of(gallery: Gallery, where: GalleryFilter, absent: Int64) -> _Admitted:
    rows = np.flatnonzero(gallery.admitted(where) & ~np.isin(gallery.ids, absent))
    of_turtle = np.bincount(gallery.turtle[rows] + 1, minlength=1)
    return _Admitted(Selection(gallery.ids[rows]), len(rows), of_turtle, int(np.count_nonzero(of_turtle[1:])))


def _newer_than(session: Session, event: int, recipe: Recipe) -> Iterator[tuple[Int64, Descriptor]]:
    """Ids and descriptors of later events, in order of photo, a block at a time."""
    # ranges of ids, because a limit would have DuckDB look through everything for each block
    first = session.row("SELECT min(photo), max(photo) FROM descriptors WHERE event > ?", event)
    if first is None or first[0] is None:
        return
    for start in range(int(first[0]), int(first[1]) + 1, CHUNK):
        sql = "SELECT photo, vector FROM descriptors WHERE event > ? AND photo BETWEEN ? AND ? ORDER BY photo"
        newer = session.columns(sql, event, start, start + CHUNK - 1)
        if len(newer["photo"]):
            yield newer["photo"], unpack_descriptors(newer["vector"], recipe)


def _add_newer(session: Session, index: VectorIndex | VotingIndex, event: int, recipe: Recipe) -> None:
    for ids, descriptors in _newer_than(session, event, recipe):
        index.add(ids, descriptors)
