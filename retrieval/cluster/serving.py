"""`turtleidx serve`: the application in replicas of Ray Serve, which queues requests, refuses more than may wait, and
starts a replica again that dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ray import serve
from ray.serve.config import HTTPOptions
from starlette.applications import Starlette

from index.catalog import Catalog
from index.errors import ClusterUnavailable
from index.shards import ShardManifest
from retrieval.cluster.application import Answering, application
from retrieval.cluster.connecting import greeted
from retrieval.cluster.ray_workers import RayWorkers, connected
from retrieval.engine import Engine, EngineOptions
from retrieval.novelty import DecisionPolicy

NAME = "turtleidx"


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """How answers are served.

    Attributes
    ----------
    host, port
        Where requests come in.
    token : str
        What a request shows as ``Authorization: Bearer TOKEN``.
    replicas : int
        Processes that read photos and put answers together.
    at_once, waiting : int
        Requests that a replica works on, and that wait before further ones are refused (503).
    megabytes : int
        The longest request.
    """

    host: str
    port: int
    token: str = field(repr=False)
    replicas: int = 1
    at_once: int = 4
    waiting: int = 64
    megabytes: int = 64


@contextmanager
def serve_gallery(
    catalog: Catalog,
    engine: Engine,
    options: EngineOptions,
    policy: DecisionPolicy,
    address: str,
    shards: Path,
    wishes: ServingOptions,
) -> Iterator[str]:
    """Serve a catalogue's shards for the time of the block; gives the address. Raises as `cluster_gallery`."""
    manifest = ShardManifest.read(shards)
    manifest.require(catalog, shards)
    with connected(address):
        workers = RayWorkers.started(shards.absolute(), manifest.shards, catalog.recipe, options)
        try:
            greeted(catalog, engine, workers, manifest.shards)
            _run(catalog.path, options, policy, workers, wishes)
            yield f"http://{wishes.host}:{wishes.port}"
        finally:
            serve.shutdown()
            workers.stop()


def _run(
    path: Path, options: EngineOptions, policy: DecisionPolicy, workers: RayWorkers, wishes: ServingOptions
) -> None:
    actors = dict(workers.actors)

    def build() -> Starlette:
        """In each replica."""
        catalog = Catalog.open(path)
        engine, own = Engine.load(catalog.recipe, options), RayWorkers(actors)

        def unreachable() -> list[int]:
            own.look_again()
            return sorted(own.unreachable())

        answering = Answering(catalog, engine, policy, greeted(catalog, engine, own, len(actors)), unreachable)
        return application(answering, wishes.token, wishes.megabytes << 20)

    deployed = serve.deployment(
        name=NAME,
        num_replicas=wishes.replicas,
        max_ongoing_requests=wishes.at_once,
        max_queued_requests=wishes.waiting,
        ray_actor_options={"num_cpus": 0},
    )(serve.ingress(build)())
    try:
        serve.start(http_options=HTTPOptions(host=wishes.host, port=wishes.port))
        serve.run(deployed.bind(), name=NAME, route_prefix="/")
    except (RuntimeError, OSError) as error:
        raise ClusterUnavailable(
            f"Answers cannot be served at {wishes.host}:{wishes.port} ({str(error).splitlines()[0]})."
        ) from error
