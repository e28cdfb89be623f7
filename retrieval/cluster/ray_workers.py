"""Shard workers as Ray actors, one a shard: started on the cluster's nodes, asked, waited for, and left out when lost.

An actor that dies is started again by Ray, on another node if need be, and what it was asked is asked again. Whoever
does not answer in time counts as out of reach until it answers again.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from index.errors import ClusterUnavailable, ShardUnreachable, TurtleidxError
from index.types import Recipe
from retrieval.cluster.last_words import last_words
from retrieval.cluster.shard_worker import ShardWorker
from retrieval.engine import EngineOptions

PATIENCE = 60.0
"""Seconds in which a worker has to answer, its actor's restart included."""
STARTING = 300.0
"""The same for the first answer, before which processes are started and everything is loaded."""
ANSWERS_WITHIN = 5.0
"""Seconds in which the head of a cluster takes a connection."""
RESOURCE = "turtleidx-shard-{}"
"""Custom resource of the node on whose own disk a shard lies."""

BROKEN_OFF = (
    "The cluster at {address} has broken off: its head, or this machine's part of it, is gone. What was answered or "
    "written stands; start the cluster again, and the same command goes on."
)
"""For a process that Ray ends at once, because it has lost its node."""

_OURS = "turtleidx"


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a running cluster, for the time of the block; within another one that one is used.

    Parameters
    ----------
    address : str
        ``auto``, or ``host:port`` of the head node.

    Raises
    ------
    ClusterUnavailable
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes as an error
    try:
        _require_listener(address)
        with _standard_error_closed():
            ray.init(address=address, namespace=_OURS, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, RuntimeError, ValueError, RayError) as error:
        raise ClusterUnavailable(
            f"No Ray cluster answers at {address} ({_first_line(error)}): start one with `ray start --head`, or name "
            "the address of its head."
        ) from error
    try:
        with last_words(BROKEN_OFF.format(address=address)):
            yield
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Raises OSError where nobody listens, because Ray asks again for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS_WITHIN).close()


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Ray's compiled part tells there at which level it logs; what goes wrong comes as an error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class RayWorkers:
    """As `retrieval.cluster.sharded_gallery.Workers`, on the cluster that this process is connected to.

    Parameters
    ----------
    actors : mapping
        Those that `started` gave; they can be sent to other processes of the cluster.
    patience : float
        Seconds until a worker that does not answer counts as out of reach.
    """

    def __init__(self, actors: Mapping[int, Any], patience: float = PATIENCE) -> None:
        self.actors = actors
        self.patience = patience
        self._lost: dict[int, Any] = {}

    @classmethod
    def started(
        cls,
        folder: Path,
        shards: int,
        recipe: Recipe,
        options: EngineOptions,
        patience: float = PATIENCE,
        kind: type[ShardWorker] = ShardWorker,
    ) -> RayWorkers:
        """Start an actor for each shard; `folder` is that of the shards, as every node sees it."""
        resources = ray.cluster_resources()
        cores = max(1, int(resources.get("CPU", 1)) // shards)
        worker: Any = ray.remote(kind)
        settings = {
            "num_cpus": 0,  # a query goes through all shards, and a node must have room for those of another
            "num_gpus": min(1.0, resources.get("GPU", 0.0) / shards),
            "scheduling_strategy": "SPREAD",
            "max_restarts": -1,
            "max_task_retries": -1,
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(cores)}},
        }
        actors = {}
        for number in range(shards):
            own = RESOURCE.format(number)
            place = {"resources": {own: 1}} if own in resources else {}
            actors[number] = worker.options(**settings, **place).remote(folder, number, recipe, options)
        return cls(actors, patience)

    def unreachable(self) -> Collection[int]:
        """Shards that did not answer lately."""
        return frozenset(self._lost)

    def look_again(self) -> None:
        """Count shards as reachable that answer again."""
        for number, asked in list(self._lost.items()):
            ready, _ = ray.wait([asked], timeout=0)
            if not ready:
                continue
            try:
                ray.get(asked)
                del self._lost[number]
            except RayError:
                self._lost[number] = self.actors[number].process.remote()

    def share(self, value: object) -> Any:
        """Put it where all nodes find it."""
        return ray.put(value)

    def call(self, method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Ask workers at the same time. Raises ShardUnreachable, and what a worker raises."""
        patience = max(self.patience, STARTING) if method == "greet" else self.patience
        give_up = time.monotonic() + patience
        asked = {number: getattr(self.actors[number], method).remote(*given) for number, given in arguments.items()}
        if asked:
            ray.wait(list(asked.values()), num_returns=len(asked), timeout=patience)
        found: dict[int, Any] = {}
        lost: dict[int, str] = {}
        for number, one in asked.items():
            try:
                found[number] = ray.get(one, timeout=max(give_up - time.monotonic(), 0.1))
            except RayTaskError as error:
                raise _cause(error, number) from error
            except (RayActorError, RayError, TimeoutError) as error:
                lost[number] = _first_line(error)
        if lost:
            for number in lost:
                self._lost[number] = self.actors[number].process.remote()
            raise ShardUnreachable(_out_of_reach(lost), frozenset(lost))
        return found

    def stop(self) -> None:
        """End the actors."""
        for actor in self.actors.values():
            ray.kill(actor)


def _out_of_reach(lost: Mapping[int, str]) -> str:
    names = ", ".join(map(str, sorted(lost)))
    return f"The machines with shards {names} do not answer ({next(iter(lost.values()))})."


def _cause(error: RayTaskError, number: int) -> Exception:
    """What the worker itself raised, where that is ours."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TurtleidxError):
        return cause
    return ClusterUnavailable(f"The worker of shard {number} failed: {_last_line(error)}.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(".")
