"""Ray's tasks compare pairs on all nodes: the commands say the same, and a process or node that dies costs no pair."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import ClusterUnavailable
from index.types import GalleryFilter
from retrieval.cluster.connecting import pairs_on
from retrieval.cluster.pair_tasks import PairTasks
from retrieval.cluster.pair_worker import Instruments
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.fitting.fit_model import fit
from retrieval.novelty.catalog_model import MODEL
from retrieval.pipeline.pair_pool import Comparing, Confidences, PairBatch
from tests.retrieval.cluster.conftest import running
from tests.retrieval.cluster.pooling import pairs_known, without_pairs
from tests.retrieval.shelling import Outcome, Shell

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(sys.platform == "win32", reason="several nodes in one machine are for Linux"),
]
NEAREST = EngineOptions(matcher="nearest", shortlist=12)


def copies(fitted: Path, folder: Path) -> list[Catalog]:
    """Two copies of the catalogue that know no pairs."""
    return [without_pairs(Catalog.open(Path(shutil.copytree(fitted, folder / f"{number}")))) for number in (1, 2)]


def payload(catalog: Catalog, engine: Engine) -> str:
    kept = catalog.model(MODEL, engine.evidence)
    assert kept is not None
    return kept.payload


def test_a_fit_is_the_same_and_the_second_one_compares_nothing(one_node: Any, fitted: Path, tmp_path: Path) -> None:
    plain, spread = copies(fitted, tmp_path)
    engine = Engine.load(plain.recipe, NEAREST)
    expected = fit(plain, engine, "Ben", 300)
    with pairs_on(one_node.address) as pool:
        found = fit(spread, engine, "Ben", 300, pool=pool)
        assert (found.compared, found.pairs) == (expected.compared, expected.pairs)
        assert pairs_known(spread) == pairs_known(plain)
        assert payload(spread, engine) == payload(plain, engine)
        assert fit(spread, engine, "Ben", 300, pool=pool).compared == 0
        refused = Instruments("0.0.9", engine.recipe, NEAREST, engine.comparison)
        with pytest.raises(ClusterUnavailable, match=r"and this machine 0\.0\.9: install one version on all\.$"):
            refused_by(pool, refused)


def refused_by(pool: PairTasks, instruments: Instruments) -> None:
    from retrieval.cluster.pair_worker import find_features

    task = pool._task(find_features, on_gpu=False)
    list(pool._done(lambda one: (task.remote(instruments, []), one), [0]))


class Deadly(PairTasks):
    """Kills a process with the matcher's third batch and a node with its sixth, while others are on their way."""

    def __init__(self, cluster: Any) -> None:
        super().__init__()
        self.killed: list[str] = []
        self._cluster = cluster

    def compare(
        self, engine: Engine, comparing: Comparing, batches: Iterable[PairBatch]
    ) -> Iterator[tuple[PairBatch, Confidences]]:
        for number, one in enumerate(super().compare(engine, comparing, batches)):
            if comparing is Comparing.MATCH and number == 2:
                self.killed += self._kill_one()
            elif comparing is Comparing.MATCH and number == 5:
                self._cluster.remove_node(next(iter(self._cluster.worker_nodes)), allow_graceful=False)
                self.killed.append("node")
            yield one

    @staticmethod
    def _kill_one() -> list[str]:
        for _ in range(100):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if (folder / "comm").read_text().startswith("ray::compare") and is_ours(folder):
                        os.kill(int(folder.name), signal.SIGKILL)
                        return ["process"]
            time.sleep(0.05)
        return []


def is_ours(process: Path) -> bool:
    """Whether it descends from this process."""
    while process.name not in ("0", "1"):
        if process.name == str(os.getpid()):
            return True
        process = process.with_name((process / "stat").read_text().rpartition(")")[2].split()[1])
    return False


@pytest.mark.slow
def test_a_process_and_a_node_die_and_no_pair_is_lost(cluster: Any, fitted: Path, tmp_path: Path) -> None:
    plain, spread = copies(fitted, tmp_path)
    options = EngineOptions(matcher="turtle-sift", shortlist=12)
    engine = Engine.load(plain.recipe, options)
    expected = fit(plain, engine, "Ben", 300)
    with pairs_on(cluster.address):
        pool = Deadly(cluster)
        found = fit(spread, engine, "Ben", 300, pool=pool)
    cluster.add_node(num_cpus=1)
    assert pool.killed == ["process", "node"]
    assert (found.compared, found.pairs) == (expected.compared, expected.pairs)
    assert pairs_known(spread).keys() == pairs_known(plain).keys()
    assert pairs_known(spread) == pairs_known(plain)
    assert payload(spread, engine) == payload(plain, engine)


@pytest.mark.slow
def test_the_commands_say_the_same(cluster: Any, own: Shell) -> None:
    spread = ("--cluster", cluster.address)
    catalog = Catalog.open(own.catalog)
    Curator(catalog, "Ben").move_photos([photo.id for photo in catalog.photos(GalleryFilter())[:9:2]], None)
    commands = [
        ("evaluate", "--matcher", "turtle-sift+views", "--shortlist", "8", "--most", "6", "--json"),
        ("audit", "--matcher", "nearest", "--json", "--least", "0"),
        ("identify", "--matcher", "nearest", "--json"),
    ]
    for command in commands:
        plain, done = (own_without_pairs(own, *command, *where) for where in ((), spread))
        assert (done.code, untimed(done.out)) == (plain.code, untimed(plain.out))
        assert done.out


def own_without_pairs(own: Shell, *command: str) -> Outcome:
    without_pairs(Catalog.open(own.catalog))
    return own(*command)


def untimed(printed: str) -> str:
    """Without what the run took."""
    return re.sub(r'"(seconds\w*|peak_memory_gib)": [^,}]*', "", printed)


def test_no_cluster_at_the_address_and_no_ray_are_told(own: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    nearest = [[name, "--matcher", "nearest"] for name in ("fit", "evaluate", "audit", "identify")]
    commands = [*nearest, ["train", "matcher"]]
    for command in commands:
        done = own(*command, "--cluster", "127.0.0.1:9")
        assert (done.code, done.out) == (1, "")
        assert "No Ray cluster answers at 127.0.0.1:9" in done.err
    monkeypatch.setattr("retrieval.cluster.connecting.find_spec", lambda _: None)
    for command in commands:
        done = own(*command, "--cluster", "auto")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "pip install 'turtleidx[cluster]'" in done.err


@pytest.mark.slow
def test_a_head_that_dies_is_told_and_the_same_command_goes_on(fitted: Path, tmp_path: Path) -> None:
    plain, spread = copies(fitted, tmp_path)
    fitting = [
        "--catalog",
        str(spread.path),
        "fit",
        "--matcher",
        "turtle-sift+views",
        "--shortlist",
        "12",
        "--budget",
        "300",
    ]
    engine = Engine.load(plain.recipe, EngineOptions(matcher="turtle-sift+views", shortlist=12))
    expected = fit(plain, engine, "Ben", 300)
    with running(nodes=1) as made:
        command = [sys.executable, "-m", "retrieval", *fitting, "--cluster", made.address]
        asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while not pairs_known(spread) and time.monotonic() < deadline:
            time.sleep(0.2)
        made.remove_node(made.head_node, allow_graceful=False)
        out, said = asking.communicate(timeout=120)
    assert (asking.returncode != 0, out) == (True, "")
    assert said.strip().endswith("start the cluster again, and the same command goes on.")
    kept = pairs_known(spread)
    assert 0 < len(kept) < len(pairs_known(plain))
    report = fit(spread, engine, "Ben", 300)
    assert report.compared == expected.compared - len(kept)
    assert payload(spread, engine) == payload(plain, engine)
