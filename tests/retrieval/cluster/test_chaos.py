"""Actors and nodes killed at any moment: each answer is the whole one, or says how much of the gallery was away."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from index.catalog.catalog import Catalog
from index.shards.sharding import shard_catalog
from index.types import Sighting
from retrieval.cluster.connecting import greeted
from retrieval.cluster.ray_workers import RayWorkers, connected
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.novelty.catalog_model import CatalogModel
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.pipeline.identification import identify
from synthetic.samples import SampleSet
from tests.retrieval.cluster.test_sharded_gallery import told
from tests.retrieval.shelling import Shell

KILLS = 50
SHARDS = 3


class Killer(threading.Thread):
    """Kills an actor's process or a node every few seconds."""

    def __init__(self, cluster: Any, workers: RayWorkers, kills: int) -> None:
        super().__init__(daemon=True)
        self.left = kills
        self.killed = {"actor": 0, "node": 0}
        self._cluster = cluster
        self._workers = workers
        self._random = random.Random(1)
        self.node_away = False

    def run(self) -> None:
        while self.left:
            time.sleep(self._random.uniform(0.2, 2.5))
            if self.left % 5 == 0 and not self.node_away:
                node = self._random.choice([*self._cluster.worker_nodes])
                self._cluster.remove_node(node, allow_graceful=False)
                self._count("node")
                self.node_away = True
            else:
                self._kill_an_actor()

    def bring_node_back(self) -> None:
        """In the main thread, because Ray sets signals there."""
        if self.node_away:
            self._cluster.add_node(num_cpus=1)
            self.node_away = False

    def _kill_an_actor(self) -> None:
        import ray

        actor = self._workers.actors[self._random.randrange(SHARDS)]
        ready, _ = ray.wait([actor.process.remote()], timeout=10)
        if ready:
            os.kill(ray.get(ready[0]), signal.SIGKILL)
            self._count("actor")

    def _count(self, what: str) -> None:
        self.left -= 1
        self.killed[what] += 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="several nodes in one machine are for Linux")
def test_fifty_kills_cost_no_wrong_answer(cluster: Any, own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    catalog, options = Catalog.open(own.catalog), EngineOptions(matcher="nearest")
    engine = Engine.load(catalog.recipe, options)
    shard_catalog(catalog, tmp_path / "shards", SHARDS)
    model, policy = CatalogModel.load(catalog, engine.evidence), DecisionPolicy(0.9, Rates(0.01, 0.01, 0.4))
    asked = [one for one in samples.samples if one.role == "new" or one.photo.endswith("-2.jpg")][::4]
    sightings = [Sighting(str(samples.folder / one.photo), side=one.side) for one in asked]
    whole = [identify(catalog, one, engine, model, policy) for one in sightings]
    assert Verdict.NEW in {one.verdict for one in whole}
    complete = partial = 0
    with connected(cluster.address):
        workers = RayWorkers.started(tmp_path / "shards", SHARDS, catalog.recipe, options, patience=60.0)
        gallery = greeted(catalog, engine, workers, SHARDS)
        workers.patience = 4.0
        killer = Killer(cluster, workers, KILLS)
        killer.start()
        while killer.is_alive():
            killer.bring_node_back()
            for sample, sighting, expected in zip(asked, sightings, whole, strict=True):
                found = identify(catalog, sighting, engine, model, policy, gallery=gallery)
                if found.coverage.unreachable:
                    partial += 1
                    assert found.verdict is not Verdict.NEW
                    assert found.coverage.unreachable + found.coverage.gallery_photos == (
                        expected.coverage.gallery_photos
                    )
                    assert found.verdict is not Verdict.KNOWN or found.turtle == sample.turtle
                else:
                    complete += 1
                    assert told(found) == told(expected)
        workers.patience = 60.0
        while workers.unreachable():
            time.sleep(0.5)
            workers.look_again()
        last = [told(identify(catalog, one, engine, model, policy, gallery=gallery)) for one in sightings]
        assert last == [told(one) for one in whole]
        workers.stop()
    print(f"{killer.killed}: {complete} whole answers, {partial} that say what was away")
    assert sum(killer.killed.values()) == KILLS
    assert complete > 0
    assert partial > 0
