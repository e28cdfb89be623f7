"""The fitted catalogue of drawn turtles, as the tests of the command line have it, and a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.retrieval.cli.conftest import fitted as fitted, own as own


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of a core each, in this machine."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()
