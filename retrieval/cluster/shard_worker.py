"""What is done where a shard lies: its part of a shortlist, first looks at candidates, and the closer comparison.

Nothing here knows Ray: the actors of `retrieval.cluster.ray_workers` are such workers, each in a process of its own.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import numpy as np

from index.errors import CatalogDamaged, StorageFull
from index.shards import Held, Shard
from index.types import Descriptor, LocalFeatures, Matches, Recipe, UInt8
from index.vectors import Neighbours, Selection, VectorIndex
from index.visual_words import VotingIndex
from retrieval.defaults import Heads
from retrieval.engine import Engine, EngineOptions
from retrieval.matching import compare

REMEMBERED = 4
"""Selections that stay prepared."""


@dataclass(frozen=True, slots=True, eq=False)
class Greeting:
    """What a worker says of itself.

    Attributes
    ----------
    version : str
        Of turtleidx.
    comparison : str
        `Engine.comparison`: extractor, matcher and how matches are verified.
    held : Held
        What it can be asked about.
    """

    version: str
    comparison: str
    held: Held


@dataclass(frozen=True, slots=True, eq=False)
class PackedSelection:
    """A selection of photos on its way to workers: a bit for each id, uint8 [bytes], under a name of its own."""

    name: str
    bits: UInt8

    @classmethod
    def of(cls, selection: Selection) -> PackedSelection:
        """Pack one."""
        return cls(uuid4().hex, np.packbits(selection.members))

    def unpacked(self) -> Selection:
        """The selection again."""
        return Selection.of_members(np.unpackbits(self.bits).astype(bool))


class ShardWorker:
    """Answers questions about one shard, as it was when `greet` was asked for last."""

    def __init__(self, folder: Path, number: int, recipe: Recipe, options: EngineOptions) -> None:
        self._shard = Shard(folder, number, recipe)
        self._recipe = recipe
        self._options = options
        self._read: VectorIndex | VotingIndex | None = None
        self._selections: OrderedDict[str, Selection] = OrderedDict()

    @cached_property
    def _engine(self) -> Engine:
        seeing_no_photographs = replace(self._options, heads=Heads.WHOLE, masks=None)
        return Engine.load(self._recipe, seeing_no_photographs)

    def greet(self) -> Greeting:
        """Who it is and what it holds now. Raises CatalogMissing, CatalogDamaged, and as `Engine.load`."""
        self._read = None
        members, index = self._shard.members(), self._index()
        keypoints = index.keypoints if isinstance(index, VotingIndex) else 0
        return Greeting(version("turtleidx"), self._engine.comparison, Held(members, keypoints))

    def _index(self) -> VectorIndex | VotingIndex:
        if self._read is None:
            self._read = self._shard.index()
        return self._read

    def process(self) -> int:
        """The id of its process: it answers."""
        return os.getpid()

    def search(self, query: Descriptor, k: int, selection: PackedSelection, keypoints: int) -> Neighbours:
        """Its k nearest photos that the selection admits; `keypoints` are those of the whole gallery."""
        index, admitted = self._index(), self._selected(selection)
        if isinstance(index, VotingIndex):
            return index.search(query, k, admitted, keypoints)
        return index.search(query, k, admitted)

    def _selected(self, packed: PackedSelection) -> Selection:
        if packed.name not in self._selections:
            self._selections[packed.name] = packed.unpacked()
        self._selections.move_to_end(packed.name)
        if len(self._selections) > REMEMBERED:
            self._selections.popitem(last=False)
        return self._selections[packed.name]

    def look(self, query: LocalFeatures, keys: Sequence[str]) -> list[Matches | None]:
        """First looks at photos by what their features are kept under; None where there is no intact record."""
        rows, photos = self._features(keys)
        return _spread(len(keys), rows, self._engine.look(query, photos) if photos else [])

    def compare(
        self, query: LocalFeatures, keys: Sequence[str], first_matches: Sequence[Matches] | None
    ) -> list[Matches | None]:
        """Verified matches of the matcher with photos; None where there is no intact record."""
        rows, photos = self._features(keys)
        known = None if first_matches is None else [first_matches[row] for row in rows]
        verification = self._engine.reranking.verification
        matches = compare(query, photos, self._engine.matcher, verification, known) if photos else []
        found = _spread(len(keys), rows, matches)
        self._keep_learnt()
        return found

    def _features(self, keys: Sequence[str]) -> tuple[list[int], list[LocalFeatures]]:
        found = self._intact(keys)
        rows = [row for row, one in enumerate(found) if one is not None]
        return rows, [one for one in found if one is not None]

    def _intact(self, keys: Sequence[str]) -> list[LocalFeatures | None]:
        try:
            return self._shard.feature_store.features(keys)
        except CatalogDamaged:
            if len(keys) == 1:
                return [None]
            return [one for key in keys for one in self._intact([key])]

    def _keep_learnt(self) -> None:
        second = self._shard.feature_store.second
        if second.has_learnt:
            try:
                second.write()
            except (OSError, StorageFull):  # found again when it is asked for again
                return


def _spread(length: int, rows: Sequence[int], matches: Sequence[Matches]) -> list[Matches | None]:
    found: list[Matches | None] = [None] * length
    for row, one in zip(rows, matches, strict=True):
        found[row] = one
    return found
