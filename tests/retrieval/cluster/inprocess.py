"""Shard workers in this process, some of which may be out of reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from index.catalog.catalog import Catalog
from index.errors import ShardUnreachable
from index.shards.manifest import ShardManifest
from retrieval.cluster.connecting import greeted
from retrieval.cluster.shard_worker import ShardWorker
from retrieval.cluster.sharded_gallery import ShardedGallery
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions


class LocalWorkers:
    """As `Workers`.

    Attributes
    ----------
    dead : set of int
        Shards that do not answer.
    dying : dict
        Shards that stop to answer when they are asked for so many calls more.
    """

    def __init__(self, folder: Path, catalog: Catalog, options: EngineOptions) -> None:
        shards = range(ShardManifest.read(folder).shards)
        self.workers = {number: ShardWorker(folder, number, catalog.recipe, options) for number in shards}
        self.dead: set[int] = set()
        self.dying: dict[int, int] = {}
        self._lost: set[int] = set()

    def unreachable(self) -> Collection[int]:
        return self._lost

    def look_again(self) -> None:
        self._lost &= self.dead

    def share(self, value: object) -> Any:
        return value

    def call(self, method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        for number in arguments:
            self.dying[number] = self.dying.get(number, 10**9) - 1
            if self.dying[number] < 0:
                self.dead.add(number)
        if lost := self.dead & set(arguments):
            self._lost |= lost
            raise ShardUnreachable("away", frozenset(lost))
        return {number: getattr(self.workers[number], method)(*given) for number, given in arguments.items()}


def gallery_of(
    catalog: Catalog, engine: Engine, folder: Path, options: EngineOptions
) -> tuple[ShardedGallery, LocalWorkers]:
    workers = LocalWorkers(folder, catalog, options)
    return greeted(catalog, engine, workers, len(workers.workers)), workers
