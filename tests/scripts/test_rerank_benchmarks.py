"""What the benchmarks of re-ranking count, and that all ways compare the same network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.matching.cascade import Asked, reduced_precision, summary
from benchmarks.matching.implementations import (
    FIELD,
    Way,
    kornia_of,
    match_with_kornia,
    match_with_transformers,
    transformers_of,
)
from benchmarks.matching.rerank import PUBLISHED_SIZE, random_network, take_turns
from benchmarks.matching.rerank_figures import FIGURES, Cell, headline
from benchmarks.matching.whole_query import Question, near_exits, prunable, questions, with_everything
from index.types import LocalFeatures, Matches
from retrieval.engine.matchers import KEEP
from retrieval.features.sift import SiftExtractor
from retrieval.images.pictures import jpeg
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.published import DEFAULT
from synthetic.heads import draw_head

CPU = torch.device("cpu")
SMALL = LightGlueConfig(descriptor_dim=32, n_layers=2, num_heads=2, depth_confidence=None)


@pytest.fixture(scope="module")
def photos() -> list[LocalFeatures]:
    """A query and photos to compare it with, 64 keypoints each."""
    sift = SiftExtractor(64, 320)
    return [sift.extract(draw_head(turtle, 0, size=(320, 256))) for turtle in range(4)]


def asked(turtle: str | None, right: float, look: float, exact: float) -> Asked:
    """Forty photos of other turtles that score 0.5, and one of turtle A."""
    first_matches, scores = np.linspace(2, 1, 41), np.full(41, 0.5) + np.linspace(0, 0.01, 41)
    first_matches[-1], scores[-1] = look, right
    turtles = np.array([*(f"T{row}" for row in range(40)), "A"])
    seen = np.sort(np.argsort(-first_matches, kind="stable")[:KEEP])
    again = scores[seen] + np.where(seen == 40, exact - right, 0.0)
    return Asked(turtle, turtles, first_matches, scores, again)


def test_a_cascade_that_misses_the_right_turtle_loses_it() -> None:
    figures = summary([asked("A", 0.9, 1.6, 0.9), asked("A", 0.9, 0.0, 0.9), asked(None, 0.1, 0.0, 0.1)])
    assert [figures[f"top1_{kept}"] for kept in (10, 20, 100, "all")] == [0.0, 0.5, 1.0, 1.0]
    assert figures["auroc_all"] == 1.0 > figures["auroc_20"]


def test_reduced_precision_counts_changed_first_turtles_in_spreads_of_the_null() -> None:
    same, changed = asked("A", 0.9, 3.0, 0.9), asked("A", 0.9, 3.0, 0.1)
    assert reduced_precision([same])["reduced_shift"] == 0.0
    figures = reduced_precision([same, changed])
    assert figures["reduced_same_first"] == 0.5
    assert (figures["reduced_shift"] or 0) > 1


def test_the_cascade_is_compared_with_kornia_on_the_same_photos(photos: list[LocalFeatures]) -> None:
    others = [photos[1 + number % 3] for number in range(6 * KEEP)]
    named = [f"T{number % 3}" for number in range(len(others))]
    network, again = load_network(DEFAULT).network, SiftExtractor(64, 320).extract(draw_head(1, 1, size=(320, 256)))
    figures = with_everything(network, [Question(again, others, named)], 2, CPU)
    assert figures["full_same_first"] == 1.0
    assert (figures["vs_kornia_full"] or 0) > 1.5  # a sixth of the pairs is matched
    assert figures["prunable_share"] is None  # because its confidence heads were not trained


def found(confidence: float) -> list[Matches]:
    return [Matches(np.zeros((1, 2), np.int32), np.array([confidence], np.float32))]


def measured(name: str, batch: int, rate: int, confidence: float = 0.5) -> Way:
    """A way that matched so many pairs in a second."""
    return Way(name, batch, lambda *_: [], found(confidence), rate, 1.0)


CELL = Cell(
    "published size",
    PUBLISHED_SIZE,
    512,
    100,
    (
        measured("kornia, pair by pair", 1, 60),
        measured("kornia, 4 pairs", 4, 30),
        measured("kornia, 16 pairs", 16, 40, 0.499),
        measured(FIELD, 128, 50),
        measured("transformers, 16 pairs", 16, 80),
        measured("ours, torch.float32", 100, 90, 0.501),
        measured("ours, torch.bfloat16", 100, 200, 0.53),
    ),
)


def test_figures_of_a_cpu_and_of_a_gpu_are_those_they_are_called() -> None:
    differences = {"max_score_difference": 0.002, "max_score_difference_as_used": 0.031}
    rate = 400 * CELL.operations()
    on_cpu = {"cpu_vs_kornia_no_exit": 5.0, "cpu_vs_fastest_no_exit": 2.5}
    on_gpu = {"gpu_vs_field": 4.0, "gpu_vs_kornia_no_exit": 5.0, "gpu_matrix_share": 0.5}
    assert headline([CELL], rate, CPU) == pytest.approx(on_cpu | differences, rel=1e-3)
    assert headline([CELL], rate, torch.device("cuda")) == pytest.approx(on_gpu | differences, rel=1e-3)
    assert {*on_cpu, *on_gpu, *differences} <= set(FIGURES)


def test_where_the_shortlist_is_shorter_than_batches_kornia_goes_pair_by_pair() -> None:
    assert replace(CELL, ways=(CELL.ways[0], CELL.ways[3], CELL.ways[-1])).kornia.rate == 60


def test_every_way_has_the_same_time_whatever_it_takes(
    photos: list[LocalFeatures], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, calls = 0.0, []

    def way(name: str, batch: int, seconds: float) -> Way:
        def match(_: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
            nonlocal now
            now += seconds * len(candidates)
            calls.append(name)
            return found(0.5) * len(candidates)

        return Way(name, batch, match)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    query, *shortlist = photos
    ways = take_turns([way("slow", 2, 1.0), way("ours", 5, 0.1), way("too long", 4, 1.0)], query, shortlist, 10.0, CPU)
    assert [one.name for one in ways] == ["slow", "ours"]
    assert [one.rate for one in ways] == pytest.approx([1.0, 10.0])
    assert all(10 <= one.seconds < 12 for one in ways)
    assert [len(one.found) for one in ways] == [3, 3]
    assert sum(one != other for one, other in pairwise(calls)) > 6  # in turns


def test_queries_without_a_photo_to_compare_them_with_are_left_out(tmp_path: Path) -> None:
    lines = ["photo,turtle,side,role", "0.jpg,T1,left,gallery", "1.jpg,T1,left,known", "2.jpg,T2,right,new"]
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(draw_head(number // 2, number, size=(320, 256))))
    (tmp_path / "m.csv").write_text("\n".join(lines))
    [one] = questions(tmp_path / "m.csv", 2)
    assert one.turtles == ["T1"]
    (tmp_path / "none.csv").write_text("\n".join([*lines[:2], lines[3]]))
    assert questions(tmp_path / "none.csv", 2) == []


def test_a_turtle_whose_two_photos_change_places_stays_the_first() -> None:
    one = Asked(
        "A", np.array(["A", "A", "B"]), np.array([3.0, 2, 1]), np.array([0.9, 0.8, 0.1]), np.array([0.8, 0.9, 0.1])
    )
    assert reduced_precision([one, asked("A", 0.9, 3.0, 0.9)])["reduced_same_first"] == 1.0


def test_exits_that_are_decided_by_a_hair_are_counted(photos: list[LocalFeatures]) -> None:
    query, *others = photos
    network = random_network(LightGlueConfig(descriptor_dim=32, n_layers=2, num_heads=2))
    head = network.state_dict()["token_confidence.0.token.0.weight"].zero_()
    threshold = network.config.confidence_threshold(0)
    bias = network.state_dict()["token_confidence.0.token.0.bias"]
    bias.fill_(float(torch.logit(torch.tensor(threshold + 1e-3))))
    assert near_exits(network, query, others) == 0
    bias.fill_(float(torch.logit(torch.tensor(threshold + 1e-6))))
    assert near_exits(network, query, others) == len(others)
    assert not head.any()


def test_points_that_pruning_would_take_out_are_counted(photos: list[LocalFeatures]) -> None:
    query, *others = photos
    network = random_network(LightGlueConfig(descriptor_dim=32, n_layers=2, num_heads=2))
    state = network.state_dict()
    state["token_confidence.0.token.0.bias"].fill_(50.0)
    assert prunable(network, query, others) == 0  # settled, and matchable
    state["log_assignment.0.matchability.bias"].fill_(-50.0)
    assert prunable(network, query, others) == 1
    state["token_confidence.0.token.0.bias"].fill_(-50.0)
    assert prunable(network, query, others) == 0


def test_transformers_network_is_the_same(photos: list[LocalFeatures]) -> None:
    pytest.importorskip("transformers")
    network = random_network(SMALL)
    query, *others = photos
    kornias = match_with_kornia(kornia_of(network, CPU), query, others, CPU)
    theirs = match_with_transformers(transformers_of(network, CPU), query, others, CPU)
    for one, other in zip(kornias, theirs, strict=True):
        assert np.array_equal(one.pairs, other.pairs)
        assert np.abs(one.confidence - other.confidence).max() < 1e-5
