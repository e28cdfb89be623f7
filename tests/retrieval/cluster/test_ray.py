"""Ray itself: two nodes in this machine, an actor a shard."""

from __future__ import annotations

import os
import shutil
import signal
import sys
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
from retrieval.pipeline.identification import identify
from synthetic.samples import SampleSet
from tests.retrieval.cluster.test_sharded_gallery import told
from tests.retrieval.shelling import Shell

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(sys.platform == "win32", reason="several nodes in one machine are for Linux"),
]
QUERY = ("--side", "left", "--matcher", "nearest", "--json")


def test_an_actor_answers_as_this_process(one_node: Any, own: Shell, samples: SampleSet, tmp_path: Path) -> None:
    catalog, options = Catalog.open(own.catalog), EngineOptions(matcher="nearest")
    engine = Engine.load(catalog.recipe, options)
    shard_catalog(catalog, tmp_path / "shards", 1)
    model = CatalogModel.load(catalog, engine.evidence)
    [asked] = [one for one in samples.samples if one.photo == "T003/left-2.jpg"]
    sighting = Sighting(str(samples.folder / asked.photo), side=asked.side)
    expected = told(identify(catalog, sighting, engine, model))
    with connected(one_node.address):
        workers = RayWorkers.started(tmp_path / "shards", 1, catalog.recipe, options)
        gallery = greeted(catalog, engine, workers, 1)
        assert workers.call("process", {0: ()})[0] != os.getpid()
        assert told(identify(catalog, sighting, engine, model, gallery=gallery)) == expected
        workers.stop()


@pytest.mark.slow
def test_two_nodes_answer_as_one_machine_also_after_an_actor_was_killed(
    cluster: Any, own: Shell, samples: SampleSet, tmp_path: Path
) -> None:
    catalog, options = Catalog.open(own.catalog), EngineOptions(matcher="nearest")
    engine = Engine.load(catalog.recipe, options)
    shard_catalog(catalog, tmp_path / "shards", 2)
    model = CatalogModel.load(catalog, engine.evidence)
    asked = [one for one in samples.samples if one.role == "new" or one.photo.endswith("-2.jpg")][:3]
    sightings = [Sighting(str(samples.folder / one.photo), side=one.side) for one in asked]
    expected = [told(identify(catalog, one, engine, model)) for one in sightings]
    with connected(cluster.address):
        workers = RayWorkers.started(tmp_path / "shards", 2, catalog.recipe, options)
        gallery = greeted(catalog, engine, workers, 2)
        processes = workers.call("process", {0: (), 1: ()})
        assert len(set(processes.values()) - {os.getpid()}) == 2
        os.kill(processes[1], signal.SIGKILL)
        assert [told(identify(catalog, one, engine, model, gallery=gallery)) for one in sightings] == expected
        assert workers.call("process", {1: ()})[1] != processes[1]
        workers.stop()
    photos = [samples.folder / one.photo for one in asked]
    plain = own("query", *photos, *QUERY)
    spread = own("query", *photos, *QUERY, "--cluster", cluster.address, "--shards", tmp_path / "shards")
    assert (plain.code, spread.code, spread.err) == (0, 0, plain.err)
    for one, other in zip(plain.records, spread.records, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}
    shutil.rmtree(tmp_path / "shards/shard-0001")
    missing = own("query", *photos, *QUERY, "--cluster", cluster.address, "--shards", tmp_path / "shards")
    assert (missing.code, missing.out, "--repair" in missing.err) == (1, "", True)


def test_no_cluster_at_the_address_is_told(own: Shell, samples: SampleSet) -> None:
    assert own("shard", "--into", "shards", "--shards", "1").code == 0
    photo = samples.folder / samples.samples[0].photo
    done = own("query", photo, *QUERY, "--cluster", "127.0.0.1:9", "--shards", "shards")
    assert (done.code, done.out) == (1, "")
    assert "No Ray cluster answers at 127.0.0.1:9" in done.err
