"""One search over an index that lies in shards: the shards' best merged as if all photos lay in one.

Whom a search may return is decided by the registry alone. Photos that no shard holds yet, or holds in an earlier
reading, are searched here from their descriptors, so that shards which are behind cost time and no answer.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from index.catalog import Catalog
from index.registry import Session, unpack_descriptors
from index.shards.assignment import Members, read_assignment
from index.types import Descriptor, Float32, Int64
from index.vectors import Neighbours, Selection, VectorIndex
from index.visual_words import VotingIndex

CHUNK = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What one shard can be asked about: its photos, and the keypoints that its visual words have in all."""

    members: Members
    keypoints: int


class Shards(Protocol):
    """The shards, wherever they are."""

    def search(
        self, shards: Sequence[int], query: Descriptor, k: int, selection: Selection, keypoints: int
    ) -> Sequence[Neighbours]:
        """From each of these shards the k best of the selection; `keypoints` are those of all visual words."""


class ShardedIndex:
    """As `VectorIndex` and `VotingIndex` it finds the nearest of the photos that a selection admits.

    Equal similarities are in order of id, as in a catalogue of one piece, whose photos lie in that order.

    Parameters
    ----------
    held : mapping
        What shards hold, all of them by their numbers.
    """

    def __init__(self, catalog: Catalog, shards: Shards, held: Mapping[int, Held]) -> None:
        self._catalog = catalog
        self._shards = shards
        self._held = held
        self._one_at_a_time = threading.Lock()
        self._signature: tuple[int, ...] = ()
        self._newer: VectorIndex | VotingIndex = self._empty()
        self._ids = self._numbers = np.zeros(0, np.int64)
        self._asked: tuple[Selection, Selection] | None = None

    def refresh(self) -> None:
        """Follow the registry: take in what no shard holds in its present reading."""
        with self._one_at_a_time:
            self._refresh()

    def _refresh(self) -> None:
        signature = self._catalog.registry.signature()
        if signature == self._signature:
            return
        with self._catalog.reading() as session:
            present = read_assignment(session, 1).members
            inside = np.zeros(len(present), bool)
            places: list[tuple[Int64, int]] = []
            for number, held in self._held.items():
                own = present.among(held.members) & ~inside
                inside |= own
                places.append((present.ids[own], number))
            self._take_in(session, present.ids[inside])
        self._ids = np.concatenate([ids for ids, _ in places]) if places else np.zeros(0, np.int64)
        self._numbers = np.concatenate([np.full(len(ids), number) for ids, number in places] or [self._ids])
        order = np.argsort(self._ids, kind="stable")
        self._ids, self._numbers = self._ids[order], self._numbers[order]
        self._signature, self._asked = signature, None

    def shards_of(self, ids: Int64) -> Int64:
        """The shard that holds each photo int64 [n] in its present reading; -1 where none does."""
        self.refresh()
        if not len(self._ids):
            return np.full(len(ids), -1)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return np.where(self._ids[place] == ids, self._numbers[place], -1).astype(np.int64)

    def newer(self) -> int:
        """How many photos are searched here because no shard holds them."""
        self.refresh()
        return len(self._newer)

    def without(self, left_out: Collection[int]) -> WithoutShards:
        """The same without some shards."""
        return WithoutShards(self, frozenset(left_out))

    def photos_of(self, shards: Collection[int]) -> Int64:
        """Photos int64 [n], in rising order, of some shards."""
        self.refresh()
        return self._ids[np.isin(self._numbers, list(shards))]

    def search(
        self, query: Descriptor, k: int, allowed: Selection, left_out: frozenset[int] = frozenset()
    ) -> Neighbours:
        """The k nearest of the `allowed` photos, fewer when there are fewer; `left_out` shards are not asked."""
        self.refresh()
        keypoints = sum(held.keypoints for held in self._held.values())
        if isinstance(self._newer, VotingIndex):
            keypoints += self._newer.keypoints
            own = self._newer.search(query, k, allowed, keypoints)
        else:
            own = self._newer.search(query, k, allowed)
        asked = [number for number in self._held if number not in left_out]
        found = self._shards.search(asked, query, k, self._in_shards(allowed), keypoints)
        ids = np.concatenate([own.ids, *(part.ids for part in found)])
        similarity = np.concatenate([own.similarity, *(part.similarity for part in found)])
        return merged(ids, similarity, k)

    def _in_shards(self, allowed: Selection) -> Selection:
        """The same without photos that are searched here; made once for a selection that is asked again."""
        if self._asked is None or self._asked[0] is not allowed:
            fresh = self._newer.ids()
            self._asked = (allowed, allowed.without(fresh) if len(fresh) else allowed)
        return self._asked[1]

    def _take_in(self, session: Session, inside: Int64) -> None:
        recipe = self._catalog.recipe
        every = np.asarray(session.columns("SELECT photo FROM descriptors ORDER BY photo")["photo"], np.int64)
        wanted = np.setdiff1d(every, inside)
        self._newer = self._empty()
        for first in range(0, len(wanted), CHUNK):
            sql = "SELECT photo, vector FROM descriptors WHERE photo IN (SELECT unnest(?::BIGINT[])) ORDER BY photo"
            stored = session.columns(sql, wanted[first : first + CHUNK].tolist())
            vectors = unpack_descriptors(stored["vector"], recipe)
            self._newer.add(np.asarray(stored["photo"], np.int64), vectors)

    def _empty(self) -> VectorIndex | VotingIndex:
        recipe = self._catalog.recipe
        return VotingIndex(recipe.dimension) if recipe.votes else VectorIndex(recipe.dimension)


@dataclass(frozen=True, slots=True, eq=False)
class WithoutShards:
    """A sharded index, some of whose shards cannot be reached; as `index.catalog.GalleryIndex`."""

    index: ShardedIndex
    left_out: frozenset[int]

    def absent(self) -> Int64:
        """Photos int64 [n] that cannot be searched now."""
        return self.index.photos_of(self.left_out)

    def search(self, query: Descriptor, k: int, allowed: Selection) -> Neighbours:
        """The k nearest of the `allowed` photos, none of which is absent."""
        return self.index.search(query, k, allowed, self.left_out)


def merged(ids: Int64, similarity: Float32, k: int) -> Neighbours:
    """The k most similar, each photo once; of equals that with the lowest id first."""
    best = np.lexsort((ids, -similarity))
    _, first = np.unique(ids[best], return_index=True)
    best = best[np.sort(first)][:k]
    return Neighbours(ids[best], similarity[best])
