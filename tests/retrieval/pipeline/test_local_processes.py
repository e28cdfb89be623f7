"""Processes of this machine find what this process would, and what they do not do is left to it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.types import LocalFeatures
from retrieval.engine import Engine, EngineOptions, ReadPhoto
from retrieval.features.sift import SiftExtractor
from retrieval.images.pictures import jpeg
from retrieval.matching.cascade import first_stage
from retrieval.pipeline.local_processes import LookProcesses
from retrieval.pipeline.pair_pool import Comparing, PairBatch, compared
from synthetic.heads import draw_head


@pytest.fixture(scope="module")
def photos() -> list[LocalFeatures]:
    heads = [draw_head(number, number, size=(320, 256)) for number in range(5)]
    return [replace(SiftExtractor(128).extract(head), source=ReadPhoto(jpeg(head))) for head in heads]


@pytest.fixture
def batches(photos: list[LocalFeatures]) -> list[PairBatch]:
    """Each photo with all others."""

    def batch(query: int) -> PairBatch:
        rows = [query, *(row for row in range(len(photos)) if row != query)]

        def features(places: Sequence[int]) -> list[LocalFeatures]:
            return [photos[rows[place]] for place in places]

        return PairBatch(tuple(f"{row:064x}" for row in rows), features)

    return [batch(query) for query in range(len(photos))]


def engine_of(matcher: str) -> Engine:
    return Engine.load(options=EngineOptions(matcher=matcher, device="cpu"))


@pytest.mark.parametrize(
    ("matcher", "comparing"),
    [
        ("nearest", Comparing.MATCH),
        ("nearest+views", Comparing.MATCH),
        ("turtle-sift+nearest", Comparing.LOOK),
        ("turtle-sift+views", Comparing.LOOK),
    ],
)
def test_they_find_what_is_found_here(batches: list[PairBatch], matcher: str, comparing: Comparing) -> None:
    engine = engine_of(matcher)
    with LookProcesses(2, worth=1) as processes:
        found = {batch.keys: confidences for batch, confidences in processes.compare(engine, comparing, batches)}
    assert found.keys() == {batch.keys for batch in batches}
    for batch in batches:
        query, *others = batch.features(range(len(batch.keys)))
        [(name, expected)] = compared(engine, comparing, query, others).items()
        assert sum(len(one) for one in expected) > 0
        [(as_named, there)] = found[batch.keys].items()
        assert as_named == name
        for one, other in zip(there, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_matches_have_their_places(batches: list[PairBatch]) -> None:
    with LookProcesses(2, worth=1) as processes, LookProcesses(1) as here:
        looks = [{batch.keys: found for batch, found in one.looks(batches)} for one in (processes, here)]
    for batch in batches:
        query, *others = batch.features(range(len(batch.keys)))
        for there, alone, expected in zip(*(one[batch.keys] for one in looks), first_stage(query, others), strict=True):
            np.testing.assert_array_equal(there.pairs, expected.pairs)
            np.testing.assert_array_equal(alone.confidence, expected.confidence)


@pytest.mark.parametrize(
    ("matcher", "comparing"), [("turtle-sift+views", Comparing.MATCH), ("nearest", Comparing.BOTH)]
)
def test_what_needs_more_than_a_look_is_left_to_who_asks(
    batches: list[PairBatch], matcher: str, comparing: Comparing
) -> None:
    with LookProcesses(2, worth=1) as processes:
        assert not list(processes.compare(engine_of(matcher), comparing, batches))
        assert not multiprocessing.active_children()


def test_they_are_not_started_for_a_few_pairs_or_one_core(batches: list[PairBatch]) -> None:
    for few in (LookProcesses(2, worth=21), LookProcesses(1, worth=1)):
        with few as processes:
            assert not list(processes.compare(engine_of("nearest"), Comparing.MATCH, batches))
            assert not multiprocessing.active_children()


def test_when_one_dies_the_rest_is_left_to_who_asks(batches: list[PairBatch]) -> None:
    engine = engine_of("nearest")
    with LookProcesses(2, worth=1) as processes:
        found = processes.compare(engine, Comparing.MATCH, batches * 40)
        next(found)
        for child in multiprocessing.active_children():
            child.kill()
        assert len(list(found)) < 199
        assert not list(processes.compare(engine, Comparing.MATCH, batches))


def test_a_full_disk_leaves_everything_to_who_asks(
    batches: list[PairBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with LookProcesses(2, worth=1) as processes:
        assert not list(processes.compare(engine_of("nearest"), Comparing.MATCH, batches))
        assert len(list(processes.looks(batches))) == len(batches)


def test_nothing_is_left_behind(batches: list[PairBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with LookProcesses(2, worth=1) as processes:
        assert list(processes.compare(engine_of("nearest"), Comparing.MATCH, batches))
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    assert not multiprocessing.active_children()
