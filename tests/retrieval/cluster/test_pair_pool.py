"""What a pool compares is what this machine would compare: the same batches, records, models, figures and groups."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import ClusterUnavailable
from index.types import GalleryFilter
from retrieval import schemas
from retrieval.cluster.pair_worker import Instruments
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.evaluation.methods import Method, methods_of, stored_methods
from retrieval.evaluation.protocol import leave_one_out
from retrieval.evaluation.run import Comparison, compare_methods
from retrieval.fitting.fit_model import fit
from retrieval.novelty.catalog_model import MODEL
from retrieval.novelty.decision import DecisionPolicy
from retrieval.pipeline.local_processes import LookProcesses
from retrieval.pipeline.pair_pool import PairPool
from retrieval.review.auditing import audit
from retrieval.review.clustering import cluster_encounters
from retrieval.training.matcher import MatcherRound, train_matcher
from tests.retrieval.cluster.pooling import LocalPool, pairs_known, without_pairs
from tests.retrieval.review.conftest import muddled as muddled
from tests.retrieval.training.test_matcher import filled, options_of, untrained as untrained

pytestmark = pytest.mark.whole

Copied = Callable[[], Catalog]


@pytest.fixture
def copied(muddled: Path, tmp_path: Path) -> Copied:
    """Copies of a catalogue that knows the nearest neighbours of its pairs, without pairs."""

    def copy() -> Catalog:
        number = len([*tmp_path.iterdir()])
        return without_pairs(Catalog.open(Path(shutil.copytree(muddled, tmp_path / f"{number}.catalog"))))

    return copy


def engine_of(matcher: str, shortlist: int = 300) -> Engine:
    return Engine.load(
        options=EngineOptions(extractor="sift-64-320", encoder="vlad", matcher=matcher, shortlist=shortlist)
    )


def fitted(catalog: Catalog, engine: Engine, pool: PairPool | None) -> tuple[int, int, int, str]:
    report = fit(catalog, engine, "Ben", 300, pool=pool)
    kept = catalog.model(MODEL, engine.evidence)
    assert kept is not None
    return report.pairs, report.compared, report.photos, kept.payload


def audited(catalog: Catalog, engine: Engine, pool: PairPool | None) -> object:
    first, second = audit(catalog, engine, 150, pool=pool), audit(catalog, engine, 10**6, pool=pool)
    assert (first.complete, second.complete) == (False, True)
    return first, second


def evaluated(catalog: Catalog, engine: Engine, pool: PairPool | None) -> object:
    found = comparison(catalog, engine, pool, methods_of(engine))
    return [one.outcomes for one in found.methods], found.matching.values.tolist()


def comparison(catalog: Catalog, engine: Engine, pool: PairPool | None, among: Sequence[Method]) -> Comparison:
    protocol = leave_one_out(catalog).drawn(14, 0)
    return compare_methods(catalog, protocol, engine, stored_methods(catalog, among), DecisionPolicy(), pool=pool)


def identified(catalog: Catalog, engine: Engine, pool: PairPool | None) -> object:
    Curator(catalog, "Ben").move_photos([photo.id for photo in catalog.photos(GalleryFilter())[:12:2]], None)
    return [schemas.group_record(one) for one in cluster_encounters(catalog, engine, DecisionPolicy(), pool=pool)]


@pytest.mark.parametrize(
    ("work", "matcher", "shortlist"),
    [
        (fitted, "nearest", 12),
        (fitted, "turtle-sift", 12),
        (audited, "nearest", 12),
        (evaluated, "turtle-sift", 14),
        (identified, "nearest", 300),
        (identified, "turtle-sift", 16),
    ],
)
def test_the_same_comes_of_it(copied: Copied, work: Callable[..., object], matcher: str, shortlist: int) -> None:
    plain, spread, engine, pool = copied(), copied(), engine_of(matcher, shortlist), LocalPool()
    expected = work(plain, engine, None)
    assert work(spread, engine, pool) == expected
    assert pairs_known(spread) == pairs_known(plain)
    assert len(pool.batches) > pool.ahead


@pytest.mark.parametrize(
    ("work", "matcher"), [(fitted, "nearest+views"), (audited, "turtle-sift+nearest"), (evaluated, "nearest")]
)
def test_the_same_comes_of_processes_on_this_machine(copied: Copied, work: Callable[..., object], matcher: str) -> None:
    plain, spread, engine = copied(), copied(), engine_of(matcher, 14)
    expected = work(plain, engine, None)
    with LookProcesses(2, worth=40) as processes:
        assert work(spread, engine, processes) == expected
    assert pairs_known(spread) == pairs_known(plain)


def test_what_further_extractors_find_is_found_once_and_kept(copied: Copied) -> None:
    engine = engine_of("nearest", shortlist=12)
    among = [Method("own", engine), Method("vlad", engine.with_matcher(EngineOptions(matcher="encoder:vlad")))]
    plain, spread, pool = copied(), copied(), LocalPool()
    [_, expected], [_, found] = (
        comparison(one, engine, where, among).methods for one, where in ((plain, None), (spread, pool))
    )
    assert pool.prepared == sum(map(len, spread.feature_store.second.digests().values())) > 0
    assert spread.feature_store.second.digests() == plain.feature_store.second.digests()
    assert pairs_known(spread).keys() == pairs_known(plain).keys()
    for one, other in zip(expected.outcomes, found.outcomes, strict=True):  # embeddings are made in other batches
        assert one.turtle == other.turtle
        np.testing.assert_allclose(
            [candidate.score for candidate in one.candidates],
            [candidate.score for candidate in other.candidates],
            atol=1e-3,
        )


def test_an_interrupted_fit_goes_on_and_repeats_nothing(copied: Copied) -> None:
    engine = engine_of("nearest")
    plain, spread = copied(), copied()
    expected = fitted(plain, engine, None)
    dying = LocalPool(dies_after=4)
    with pytest.raises(KeyboardInterrupt):
        fitted(spread, engine, dying)
    kept = pairs_known(spread)
    assert len(kept) == sum(len(keys) - 1 for keys in dying.batches)
    pool = LocalPool()
    pairs, compared, photos, model = fitted(spread, engine, pool)
    assert (pairs, compared + len(kept), photos, model) == expected
    assert pairs_known(spread) == pairs_known(plain)
    assert len(pairs_known(plain)) == len(kept) + sum(len(keys) - 1 for keys in pool.batches)


def test_a_matcher_learns_the_same(tmp_path: Path, untrained: Path) -> None:
    catalog, chosen = filled(tmp_path, 20), options_of(untrained)
    heard: list[list[MatcherRound]] = [[], []]
    plain = train_matcher(catalog, chosen, advance=heard[0].append)
    pool = LocalPool()
    spread = train_matcher(catalog, chosen, advance=heard[1].append, pool=pool)
    pairs = [(keys[0], other) for keys in pool.batches for other in keys[1:]]
    assert len(pairs) > len(set(pairs)) / 2 > 100
    assert repr(heard[1]) == repr(heard[0])  # the first loss is not a number
    assert (spread.gain, spread.error, spread.best.ranks) == (plain.gain, plain.error, plain.best.ranks)


def test_processes_that_do_not_fit_are_refused() -> None:
    asked = Instruments.of(engine_of("nearest"))
    older = Instruments("0.0.9", asked.recipe, asked.options, asked.comparison)
    with pytest.raises(ClusterUnavailable, match=r"and this machine 0\.0\.9: install one version"):
        older.loaded()
    others = Instruments(asked.version, asked.recipe, asked.options, "other weights")
    with pytest.raises(ClusterUnavailable, match="this machine with other weights: all need the same weights"):
        others.loaded()
    assert asked.loaded().comparison == asked.comparison


def test_what_no_name_describes_is_compared_here(copied: Copied) -> None:
    catalog, engine, pool = copied(), engine_of("nearest"), LocalPool()
    nameless = Engine(engine.extractor, engine.encoder, engine.matcher, engine.reranking, engine.score)
    fitted(catalog, nameless, pool)
    assert pool.batches == []
