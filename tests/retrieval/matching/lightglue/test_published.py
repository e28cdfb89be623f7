"""The published networks against kornia on keypoints of drawn heads; skipped where no package bears their weights."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from benchmarks.matching.implementations import kornia_of
from index.types import LocalFeatures
from retrieval.features.learned import EXTRACTOR_SPECS, LearnedExtractor
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import PUBLISHED
from retrieval.weight_files import found
from synthetic.heads import draw_head
from tests.retrieval.oracles import CPU, ask_oracle, how_they_lie

KEYPOINTS = 128


@pytest.fixture(scope="module", autouse=True)
def installed_weights() -> Iterator[None]:
    """What is installed counts, unlike in other tests."""
    before = os.environ.pop("TURTLEIDX_WEIGHTS", None)
    yield
    if before is not None:
        os.environ["TURTLEIDX_WEIGHTS"] = before


@pytest.fixture(scope="module", params=["aliked", "disk"])
def published(request: pytest.FixtureRequest, installed_weights: None) -> tuple[LightGlue, list[LocalFeatures]]:
    """A network, and two photos of one drawn turtle and one of another."""
    name: str = request.param
    files = [EXTRACTOR_SPECS[name].weights.file, *(entry.file for entry in PUBLISHED if entry.name == name)]
    if any(found(file) is None for file in files):
        pytest.skip(f"the weights of {name} are not installed")
    extractor = LearnedExtractor(name, KEYPOINTS, 256, device="cpu")
    heads = [draw_head(turtle, photo, size=(256, 192)) for turtle, photo in ((1, 0), (1, 1), (2, 0))]
    return load_network(name).network, [extractor.extract(head) for head in heads]


def test_pairs_alone_and_in_batches_stop_and_match_where_kornia_does(
    published: tuple[LightGlue, list[LocalFeatures]],
) -> None:
    network, (query, *candidates) = published
    matcher = LightGlueMatcher(network, "published", CPU, torch.float32)
    upright = [one for one in candidates if how_they_lie(query, [one]) == 0]  # kornia does not turn the query
    assert upright
    oracle = kornia_of(network, CPU, network.config.depth_confidence or -1.0)
    together = matcher.match(query, upright)
    for candidate, ours in zip(upright, together, strict=True):
        answer = ask_oracle(oracle, query, candidate)
        [alone] = matcher.match(query, [candidate])
        for one in (ours, alone):
            assert np.array_equal(one.pairs, answer["matches"][0].numpy())
            assert np.abs(one.confidence - answer["scores"][0].numpy()).max(initial=0) < 1e-4


def test_reduced_precision_moves_the_sum_of_confidences_little(
    published: tuple[LightGlue, list[LocalFeatures]],
) -> None:
    network, (query, *candidates) = published
    exact, reduced = (
        LightGlueMatcher(network, "published", CPU, precision).match(query, candidates)
        for precision in (torch.float32, torch.bfloat16)
    )
    assert max(one.confidence.sum() for one in exact) > 5
    for one, rough in zip(exact, reduced, strict=True):
        assert abs(one.confidence.sum() - rough.confidence.sum()) / KEYPOINTS < 0.01
