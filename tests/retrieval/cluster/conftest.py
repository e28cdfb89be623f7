"""The fitted catalogue of drawn turtles, as the tests of the command line have it, and a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.retrieval.cli.conftest import fitted as fitted, own as own


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of a core each, in this machine."""
    with running(nodes=2) as made:
        yield made


@pytest.fixture(scope="module")
def one_node() -> Iterator[Any]:
    """A node of a core, in this machine."""
    with running(nodes=1) as made:
        yield made


@contextmanager
def running(nodes: int) -> Iterator[Any]:
    """So many nodes; the test is skipped where Ray cannot start, as in some containers."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # other tests run beside these
    try:
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        for _ in range(nodes - 1):
            made.add_node(num_cpus=1)
    except Exception as error:
        pytest.skip(f"Ray does not start here: {error}")
    try:
        yield made
    finally:
        made.shutdown()
