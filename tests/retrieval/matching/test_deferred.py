"""A deferred matcher is the matcher itself, only later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from index.errors import RecipeMismatch
from retrieval.matching.deferred import DeferredMatcher
from retrieval.matching.lightglue.checkpoints import load_matcher
from retrieval.matching.lightglue.published import DEFAULT, PUBLISHED, id_without_network
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.weight_files import found
from tests.retrieval.oracles import CPU, TOY, random_features


@pytest.mark.parametrize("name", [DEFAULT, *(entry.name for entry in PUBLISHED if entry.config.input_dim == 128)])
def test_the_id_is_known_without_the_network(name: str) -> None:
    published = next((entry for entry in PUBLISHED if entry.name == name), None)
    if published is not None and (found(published.file) is None or not published.checksum.startswith("sha256:")):
        assert id_without_network(name) is None
        return
    assert id_without_network(name) == load_matcher(name, CPU).id


def test_a_file_of_ones_own_has_no_id_before_it_is_read() -> None:
    assert id_without_network("my-own.safetensors") is None


def test_it_is_loaded_once_and_matches_alike() -> None:
    loaded = []

    def load() -> NearestNeighbourMatcher:
        loaded.append(1)
        return NearestNeighbourMatcher()

    plain = NearestNeighbourMatcher()
    matcher = DeferredMatcher(plain.id, load)
    assert loaded == []
    query, other = random_features(0, 80, TOY), random_features(1, 70, TOY)
    [wanted] = plain.match(query, [other])
    for _ in range(2):
        [got] = matcher.match(query, [other])
        assert got.pairs.tolist() == wanted.pairs.tolist()
    assert loaded == [1]


def test_weights_that_changed_in_between_are_refused() -> None:
    matcher = DeferredMatcher("lightglue-other", NearestNeighbourMatcher)
    with pytest.raises(RecipeMismatch, match="changed while"):
        matcher.match(random_features(0, 80, TOY), [])


def test_an_engine_is_ready_without_torch() -> None:
    program = (
        "import sys; from retrieval.engine import Engine, EngineOptions\n"
        "for name in (None, 'turtle-sift+views', 'turtle-sift+nearest', 'nearest'):\n"
        "    assert Engine.load(options=EngineOptions(matcher=name)).evidence\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
