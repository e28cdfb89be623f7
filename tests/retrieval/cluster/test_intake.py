"""Photos read by Ray Data come into a catalogue as those that one machine reads: the same rows and features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.exchange.manifest import RefusedRow
from index.types import GalleryFilter, PreparedPhoto, Refusal, Sighting
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.pipeline.intake.enrollment import BATCH, enroll, prepared
from retrieval.pipeline.results import EnrollReport
from synthetic.samples import SampleSet

OPTIONS = EngineOptions(extractor="sift-256-320", matcher="nearest")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(options=OPTIONS)


@pytest.fixture
def rows(samples: SampleSet, tmp_path: Path) -> list[Sighting | RefusedRow]:
    """More than a batch of photos, one of them twice, and three that cannot be used."""
    (tmp_path / "text.jpg").write_text("no photo")
    photos = [
        Sighting(str(samples.folder / one.photo), turtle=one.turtle, side=one.side) for one in samples.samples[:70]
    ]
    odd: list[Sighting | RefusedRow] = [
        Sighting(str(tmp_path / "text.jpg")),
        Sighting(str(tmp_path / "none.jpg")),
        RefusedRow(9, "x", "odd", {}),
    ]
    return [*photos[:20], *odd, photos[3], *photos[20:]]


def told(catalog: Catalog, report: EnrollReport) -> tuple[object, ...]:
    photos = catalog.photos(GalleryFilter(identified=False))
    return (
        [(one.id, one.path, one.turtle, one.side, one.keypoints, one.key) for one in photos],
        catalog.vectors(photos).tobytes(),
        [one.descriptors.tobytes() for one in catalog.features(photos)],
        [catalog.thumbnail(one) for one in photos[:3]],
        (report.enrolled, report.already_there, sorted(one.path for one in report.refused)),
    )


def test_tasks_do_what_the_pipeline_does(engine: Engine, rows: Sequence[Sighting | RefusedRow], tmp_path: Path) -> None:
    from retrieval.cluster.intake import _column, _encode, _extract, _hash

    sightings = [row for row in rows if isinstance(row, Sighting)][:30]
    [batch] = prepared(Catalog.create(tmp_path / "x.catalog", engine.recipe), sightings, engine)
    expected = {one.key: one for one in batch.photos}
    digests = _hash(_column(sightings))["item"]
    assert sum(isinstance(one, Refusal) for one in digests) == 1  # of the file that is not there
    found = _encode(_extract(_column(sightings), engine.recipe, OPTIONS), engine.recipe, OPTIONS)["item"]
    photos = [one for one in found if isinstance(one, PreparedPhoto)]
    assert sorted(one.path for one in found if isinstance(one, Refusal)) == sorted(one.path for one in batch.refused)
    for one in photos:
        same = expected[one.key]
        np.testing.assert_array_equal(one.vector, same.vector)
        assert one.features.descriptors.tobytes() == same.features.descriptors.tobytes()
        assert one.thumbnail == same.thumbnail


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray Data's own, of its settings
@pytest.mark.skipif(os.name == "nt", reason="several nodes in one machine are for Linux")
def test_all_nodes_read_one_of_them_dies_and_an_interrupted_run_goes_on(
    cluster: Any, engine: Engine, rows: Sequence[Sighting | RefusedRow], tmp_path: Path
) -> None:
    from retrieval.cluster.connecting import intake_on

    plain = Catalog.create(tmp_path / "plain.catalog", engine.recipe)
    expected = told(plain, enroll(plain, rows, engine, "Ana"))
    catalog = Catalog.create(tmp_path / "cluster.catalog", engine.recipe)

    def interrupted(done: int, total: int | None = None) -> None:
        raise KeyboardInterrupt

    def node_dies(done: int, total: int | None = None) -> None:
        for node in [*cluster.worker_nodes]:
            cluster.remove_node(node, allow_graceful=False)

    with intake_on(cluster.address, engine.recipe, OPTIONS) as prepare:
        whole = Catalog.create(tmp_path / "whole.catalog", engine.recipe)
        assert told(whole, enroll(whole, rows, engine, "Ana", node_dies, prepare=prepare)) == expected
        with pytest.raises(KeyboardInterrupt):
            enroll(catalog, rows, engine, "Ana", interrupted, prepare=prepare)
        first = catalog.count(GalleryFilter(identified=False))
        assert 0 < first <= BATCH
        again = enroll(catalog, rows, engine, "Ana", prepare=prepare)
    assert told(catalog, again)[:4] == expected[:4]
    assert len(again.already_there) == first + 1  # one of them was brought twice
