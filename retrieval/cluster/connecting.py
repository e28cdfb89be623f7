"""From an address and a folder of shards to a gallery that answers: everything that may not fit is refused here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from index.catalog import Catalog
from index.errors import ClusterUnavailable, ShardUnreachable
from index.shards import ShardManifest
from index.types import Recipe
from retrieval.cluster.shard_worker import Greeting
from retrieval.cluster.sharded_gallery import ShardedGallery, Workers
from retrieval.engine import Engine, EngineOptions
from retrieval.pipeline import Prepare

if TYPE_CHECKING:
    from retrieval.cluster.pair_tasks import PairTasks


def require_ray() -> None:
    """Raises ClusterUnavailable where Ray is not installed."""
    if find_spec("ray") is None:
        raise ClusterUnavailable("Work on a cluster needs Ray: pip install 'turtleidx[cluster]', on all its machines.")


@contextmanager
def cluster_gallery(
    catalog: Catalog, engine: Engine, options: EngineOptions, address: str, folder: Path
) -> Iterator[ShardedGallery]:
    """A catalogue's shards with an actor each on a Ray cluster, for the time of the block.

    Parameters
    ----------
    options : EngineOptions
        What `engine` was loaded with; the actors load the same.
    address : str
        ``auto``, or ``host:port`` of the head node.
    folder : Path
        As all nodes see it.

    Raises
    ------
    ClusterUnavailable
        No Ray, no cluster, or nodes of another version or with other weights.
    CatalogMissing, CatalogDamaged, InputError, RecipeMismatch
        The shards are not there, not whole, of another catalogue, or made with another recipe.
    """
    require_ray()
    manifest = ShardManifest.read(folder)
    manifest.require(catalog, folder)
    from retrieval.cluster.ray_workers import RayWorkers, connected  # Ray takes seconds to import

    with connected(address):
        workers = RayWorkers.started(folder.absolute(), manifest.shards, catalog.recipe, options)
        try:
            yield greeted(catalog, engine, workers, manifest.shards)
        finally:
            workers.stop()


@contextmanager
def intake_on(address: str, recipe: Recipe, options: EngineOptions) -> Iterator[Prepare]:
    """What reads photos on all nodes of a cluster, for `retrieval.pipeline.enroll`. Raises ClusterUnavailable."""
    require_ray()
    from retrieval.cluster.intake import ClusterIntake  # Ray takes seconds to import
    from retrieval.cluster.ray_workers import connected

    with connected(address):
        yield ClusterIntake(recipe, options)


@contextmanager
def pairs_on(address: str) -> Iterator[PairTasks]:
    """What compares pairs on all nodes of a cluster (`retrieval.pipeline.PairPool`). Raises ClusterUnavailable."""
    require_ray()
    from retrieval.cluster.pair_tasks import PairTasks  # Ray takes seconds to import
    from retrieval.cluster.ray_workers import connected

    with connected(address):
        yield PairTasks()


def greeted(catalog: Catalog, engine: Engine, workers: Workers, shards: int) -> ShardedGallery:
    """The gallery of workers that are all there and compare as this machine does. Raises ClusterUnavailable."""
    try:
        greetings: Mapping[int, Greeting] = workers.call("greet", dict.fromkeys(range(shards), ()))
    except ShardUnreachable as error:
        raise ClusterUnavailable(f"{error} Look with `ray status` whether the cluster has room for them.") from error
    for number, one in sorted(greetings.items()):
        _require_same(engine, one, number)
    return ShardedGallery(catalog, engine, workers, {number: one.held for number, one in greetings.items()})


def _require_same(engine: Engine, greeting: Greeting, shard: int) -> None:
    own = version("turtleidx")
    if greeting.version != own:
        raise ClusterUnavailable(
            f"The node with shard {shard} runs turtleidx {greeting.version}, and this machine {own}: install one "
            "version on all."
        )
    if greeting.comparison != engine.comparison:
        raise ClusterUnavailable(
            f"The node with shard {shard} compares photos with {greeting.comparison}, and this machine with "
            f"{engine.comparison}: all need the same weights (`turtleidx weights`), or name a matcher with --matcher."
        )
