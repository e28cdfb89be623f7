"""Photos made ready for the catalogue by all nodes, with Ray Data; the caller writes batch by batch.

Digests come first, so that photos which are in the catalogue are not read again; then photos are read and extracted on
cores, and encoded on GPUs where there are any. A window of rows is on its way at a time, and Ray Data holds no more
blocks than its store has room for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import ray
import ray.data
from ray.exceptions import RayError

from index.catalog import Catalog
from index.errors import ClusterUnavailable, PhotoRefused, TurtleidxError
from index.exchange import RefusedRow
from index.types import PreparedPhoto, Recipe, Refusal, Sighting
from retrieval.engine import Engine, EngineOptions, Extracted
from retrieval.features import one_core_a_photo
from retrieval.parallel import keep_freed_memory, one_ahead
from retrieval.pipeline import BATCH, PreparedBatch, SortedOut, digests_of, sorted_out

WINDOW = 4096
"""Rows whose digests are compared with the catalogue at once."""
BLOCK = 16
"""Photos of one task."""

GPU_SHARE = 0.25
"""Of a GPU, for a process that encodes."""

Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Window:
    rows: Sequence[Sighting | RefusedRow]
    brought: SortedOut


@dataclass(frozen=True, slots=True)
class ClusterIntake:
    """As `retrieval.pipeline.prepared`, on the cluster that this process is connected to.

    Photos have the same names on all nodes.
    """

    recipe: Recipe
    options: EngineOptions

    def __call__(
        self, catalog: Catalog, rows: Iterable[Sighting | RefusedRow], engine: Engine
    ) -> Iterator[PreparedBatch]:
        """Batches in the order of the rows. Raises ClusterUnavailable, and what reading raises."""
        del engine
        stream = iter(rows)
        windows = iter(lambda: list(islice(stream, WINDOW)), [])
        try:
            for window in one_ahead(lambda part: _looked_up(catalog, part), windows):
                yield from self._prepared(window)
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, TurtleidxError):
                raise cause from error
            raise ClusterUnavailable(
                f"The cluster broke off ({str(error).strip().splitlines()[-1]}); what was enrolled is kept, and the "
                "same command continues."
            ) from error

    def _prepared(self, window: _Window) -> Iterator[PreparedBatch]:
        given = {"batch_size": None, "fn_args": (self.recipe, self.options)}
        read = _of(window.brought.fresh).map_batches(_extract, num_cpus=1, **given)
        on_gpu = {"num_gpus": GPU_SHARE} if ray.cluster_resources().get("GPU") else {}
        encoded = read.map_batches(_encode, **on_gpu, **given)
        refused, there, left = window.brought.refused, window.brought.already_there, len(window.rows)
        blocks = iter(encoded.iter_batches(batch_size=None, prefetch_batches=1) if window.brought.fresh else ())
        while several := [*islice(blocks, BATCH // BLOCK)]:  # whole ones, because all heads of a photo come at once
            found = [one for block in several for one in block["item"]]
            photos = [one for one in found if isinstance(one, PreparedPhoto)]
            not_read = [one for one in found if isinstance(one, Refusal)]
            done = min(len(several) * BLOCK, left)
            yield PreparedBatch(photos, there, [*refused, *not_read], done)
            refused, there, left = (), (), left - done
        if left:
            yield PreparedBatch((), there, refused, left)


def _looked_up(catalog: Catalog, rows: Sequence[Sighting | RefusedRow]) -> _Window:
    sightings = [row for row in rows if isinstance(row, Sighting)]
    digests: list[Any] = []
    if sightings:
        hashing = _of(sightings).map_batches(_hash, batch_size=None)
        digests = [one for batch in hashing.iter_batches(batch_size=None) for one in batch["item"]]
    return _Window(rows, sorted_out(catalog, rows, digests))


def _of(sightings: Sequence[Sighting]) -> ray.data.Dataset:
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    blocks = max(1, -(-len(sightings) // BLOCK))
    return ray.data.from_items([{"item": one} for one in sightings], override_num_blocks=blocks)


@cache
def _engine(recipe: Recipe, options: EngineOptions) -> Engine:
    """Once a process: Ray's processes go from task to task."""
    keep_freed_memory()
    return Engine.load(recipe, options)


def _column(found: Sequence[object]) -> Block:
    column = np.empty(len(found), object)
    column[:] = found
    return {"item": column}


def _hash(block: Block) -> Block:
    return _column([digests_of(one) for one in block["item"]])


def _extract(block: Block, recipe: Recipe, options: EngineOptions) -> Block:
    sightings = [*block["item"]]
    with one_core_a_photo():
        found = _engine(recipe, options).extract_heads(sightings)
    return _column(
        [
            Refusal(one.path, str(head)) if isinstance(head, PhotoRefused) else head
            for one, heads in zip(sightings, found, strict=True)
            for head in heads
        ]
    )


def _encode(block: Block, recipe: Recipe, options: EngineOptions) -> Block:
    items = [*block["item"]]
    encoded = iter(_engine(recipe, options).encode([one for one in items if isinstance(one, Extracted)]))
    return _column([next(encoded) if isinstance(one, Extracted) else one for one in items])
