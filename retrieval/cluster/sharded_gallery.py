"""A gallery in shards, compared where each shard lies and merged here as if it lay in one piece.

The shortlist is cut here out of the shards' best. The first looks come back, and whom the matcher sees is decided here
among all of them: the recipe's number of candidates is that of the whole shortlist, not of a shard's part.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from index.catalog import Catalog
from index.errors import ShardUnreachable
from index.shards import Held, ShardedIndex
from index.types import Descriptor, GalleryFilter, LocalFeatures, Matches, Photo, PreparedPhoto
from index.vectors import Neighbours, Selection
from retrieval.cluster.sent_photo import query_for_many
from retrieval.cluster.shard_worker import PackedSelection
from retrieval.engine import Engine
from retrieval.matching import cascaded, compare
from retrieval.pipeline import ComparedShortlist


class Workers(Protocol):
    """The workers of all shards, by the numbers of the shards."""

    def unreachable(self) -> Collection[int]:
        """Shards that did not answer lately."""

    def look_again(self) -> None:
        """Count shards as reachable that answer again."""

    def share(self, value: object) -> Any:
        """Something that several calls are given, ready to be sent once."""

    def call(self, method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Ask workers at the same time.

        Raises ShardUnreachable where one did not answer in time; what a worker raises comes as it is.
        """


class ShardedGallery:
    """As `retrieval.pipeline.OwnGallery`, over shards.

    Parameters
    ----------
    held : mapping
        What each shard holds.
    """

    def __init__(self, catalog: Catalog, engine: Engine, workers: Workers, held: Mapping[int, Held]) -> None:
        self._catalog = catalog
        self._engine = engine
        self._workers = workers
        self._index = ShardedIndex(catalog, _Searching(workers), held)

    def newer(self) -> int:
        """How many photos no shard holds in their present reading; they are compared on this machine."""
        return self._index.newer()

    def compare(self, query: PreparedPhoto, where: GalleryFilter) -> ComparedShortlist:
        """As `Gallery.compare`; shards that do not answer are left out, and counted. Raises CatalogDamaged."""
        self._workers.look_again()
        left_out = frozenset(self._workers.unreachable())
        while True:
            try:
                return self._compared(query, where, left_out)
            except ShardUnreachable as error:
                left_out |= error.shards

    def _compared(self, query: PreparedPhoto, where: GalleryFilter, left_out: frozenset[int]) -> ComparedShortlist:
        engine = self._engine
        probe = engine.encoder.probe(query.features, query.vector)
        index = self._index.without(left_out)
        shortlist = self._catalog.shortlist(probe, engine.shortlist, where, engine.per_turtle, index)
        candidates = _Candidates(self._catalog, engine, self._workers, self._index, query.features, shortlist.photos)
        matches = cascaded(engine.reranking, len(shortlist.photos), candidates.look, candidates.compare)
        return ComparedShortlist(shortlist, tuple(matches))


class _Searching:
    """The shards' indexes, as `index.shards.Shards`."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._packed: weakref.WeakKeyDictionary[Selection, Any] = weakref.WeakKeyDictionary()

    def search(
        self, shards: Sequence[int], query: Descriptor, k: int, selection: Selection, keypoints: int
    ) -> Sequence[Neighbours]:
        if selection not in self._packed:
            self._packed[selection] = self._workers.share(PackedSelection.of(selection))
        asked = self._workers.share(query), k, self._packed[selection], keypoints
        found = self._workers.call("search", dict.fromkeys(shards, asked))
        return [found[number] for number in shards]


class _Candidates:
    """The photos of one shortlist, by their rows, wherever they lie."""

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        workers: Workers,
        index: ShardedIndex,
        query: LocalFeatures,
        photos: Sequence[Photo],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._workers = workers
        self._query = query
        self._photos = photos
        self._shared = workers.share(query_for_many(engine, query)) if photos else None
        self._shard = index.shards_of(np.array([photo.id for photo in photos], np.int64))

    def look(self) -> list[Matches]:
        """First looks at all of them."""
        rows = range(len(self._photos))
        found = self._asked("look", rows, {})
        here = self._here(found)
        photos = self._catalog.features([self._photos[row] for row in here])
        looks = self._engine.look(self._query, photos) if here else []
        return _filled(found, here, looks)

    def compare(self, rows: Sequence[int], first_matches: Sequence[Matches] | None) -> list[Matches]:
        """Verified matches of those in these rows."""
        known = {} if first_matches is None else dict(zip(rows, first_matches, strict=True))
        found = self._asked("compare", rows, known)
        here = self._here(found)
        photos = self._catalog.features([self._photos[row] for row in here])
        theirs = [known[row] for row in here] if known else None
        verification = self._engine.reranking.verification
        matches = compare(self._query, photos, self._engine.matcher, verification, theirs) if here else []
        return _filled(found, here, matches)

    def _asked(self, method: str, rows: Iterable[int], known: Mapping[int, Matches]) -> dict[int, Matches | None]:
        """What the shards say of their photos in these rows; None for a photo that no shard has intact."""
        found: dict[int, Matches | None] = dict.fromkeys(rows)
        of_shard = {
            int(number): [row for row in found if self._shard[row] == number]
            for number in np.unique(self._shard[list(found)])
            if number >= 0
        }
        asked: dict[int, Sequence[Any]] = {}
        for number, own in of_shard.items():
            keys = [self._photos[row].key for row in own]
            first = [known[row] for row in own] if known else None
            asked[number] = (self._shared, keys) if method == "look" else (self._shared, keys, first)
        for number, answers in self._workers.call(method, asked).items():
            found.update(zip(of_shard[number], answers, strict=True))
        return found

    @staticmethod
    def _here(found: Mapping[int, Matches | None]) -> list[int]:
        """Rows that are compared on this machine, because no shard has their photo."""
        return [row for row, one in found.items() if one is None]


def _filled(found: Mapping[int, Matches | None], rows: Sequence[int], matches: Sequence[Matches]) -> list[Matches]:
    every = {**found, **dict(zip(rows, matches, strict=True))}
    return [one for one in every.values() if one is not None]
