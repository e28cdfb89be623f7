"""A query over shards gets what it gets of the undivided catalogue: verdict, order, probabilities, the same bits."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import CatalogDamaged, CatalogMissing, ClusterUnavailable
from index.shards.assignment import Members
from index.shards.shard import Shard
from index.shards.sharded_index import Held
from index.shards.sharding import shard_catalog
from index.types import GalleryFilter, PreparedPhoto, Side, Sighting
from retrieval.cluster.connecting import greeted
from retrieval.cluster.sent_photo import query_for_many
from retrieval.cluster.shard_worker import Greeting
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.novelty.catalog_model import CatalogModel
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.pipeline.encounters import identify_encounter
from retrieval.pipeline.identification import identify, read_query
from retrieval.pipeline.results import EncounterAnswer, Identification
from synthetic.samples import Sample, SampleSet
from tests.index.shards.local import change_something
from tests.retrieval.cluster.inprocess import LocalWorkers, gallery_of

pytestmark = pytest.mark.whole

NEAREST = EngineOptions(matcher="nearest")


@pytest.fixture(scope="module")
def engine(fitted: Path) -> Engine:
    return Engine.load(Catalog.open(fitted).recipe, NEAREST)


@pytest.fixture(scope="module")
def asked(samples: SampleSet, engine: Engine) -> dict[str, PreparedPhoto]:
    """Photos that are not enrolled, of known turtles and of strangers, read once."""
    chosen = [one for one in samples.samples if one.role == "new" or one.photo.endswith("-2.jpg")]
    return {one.photo: prepared(samples, one, engine) for one in [*chosen[:5], *chosen[-3:]]}


def prepared(samples: SampleSet, one: Sample, engine: Engine) -> PreparedPhoto:
    found = read_query(Sighting(str(samples.folder / one.photo), side=one.side), engine)
    assert isinstance(found, PreparedPhoto)
    return found


def told(found: Identification | EncounterAnswer) -> tuple[object, ...]:
    """All that an answer says, but for how long it took."""
    prediction = found.prediction
    coverage = found.coverage if isinstance(found, Identification) else None
    candidates = [
        (one.turtle, one.score, one.probability, one.matches, one.photo.id, one.evidence.confidence.tobytes())
        for one in found.candidates
    ]
    return found.verdict, found.turtle, prediction.reason, prediction.p_new, coverage, candidates


def copied(fitted: Path, folder: str) -> Catalog:
    return Catalog.open(Path(shutil.copytree(fitted, Path(folder) / "turtles.catalog")))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shards=st.integers(1, 7),
    changes=st.lists(st.integers(0, 999), max_size=4),
    behind=st.booleans(),
    sides=st.lists(st.sampled_from([None, Side.LEFT, Side.RIGHT]), min_size=3, max_size=3),
    first=st.integers(0, 7),
    shortlist=st.sampled_from([3, 12, 300]),
)
def test_answers_are_those_of_the_undivided_catalogue(
    fitted: Path,
    engine: Engine,
    asked: dict[str, PreparedPhoto],
    shards: int,
    changes: Sequence[int],
    behind: bool,
    sides: Sequence[Side | None],
    first: int,
    shortlist: int,
) -> None:
    engine = replace(engine, shortlist=shortlist)
    with tempfile.TemporaryDirectory() as folder:
        catalog = copied(fitted, folder)
        if behind:
            shard_catalog(catalog, Path(folder) / "shards", shards)
        for seed in changes:
            change_something(catalog, seed)
        if not behind:
            shard_catalog(catalog, Path(folder) / "shards", shards)
        gallery, _ = gallery_of(catalog, engine, Path(folder) / "shards", NEAREST)
        model = CatalogModel.load(catalog, Engine.load(catalog.recipe, NEAREST).evidence)
        assert model.novelty is not None
        photos = [*asked.values()][first:][: len(sides)]
        for query, side in zip(photos, sides, strict=False):
            sighting = replace(query.sighting, side=side)
            one = replace(query, sighting=sighting)
            expected = identify(catalog, sighting, engine, model, query=one)
            assert told(identify(catalog, sighting, engine, model, query=one, gallery=gallery)) == told(expected)


def test_an_encounter_and_an_enrolled_photo_get_the_same(
    fitted: Path, engine: Engine, samples: SampleSet, tmp_path: Path
) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 4)
    gallery, _ = gallery_of(catalog, engine, tmp_path / "shards", NEAREST)
    model = CatalogModel.load(catalog, engine.evidence)
    known = [one for one in samples.samples if one.turtle == "T004"]
    photos = [Sighting(str(samples.folder / one.photo), side=one.side) for one in known]
    together = identify_encounter(catalog, photos, engine, model)
    assert told(identify_encounter(catalog, photos, engine, model, gallery=gallery)) == told(together)
    assert together.photos[0].query.enrolled is not None
    for one, alone in zip(photos, together.photos, strict=True):
        assert told(identify(catalog, one, engine, model, gallery=gallery)) == told(alone)


@pytest.mark.parametrize("matcher", ["nearest+views", "turtle-sift+views", "turtle-sift"])
def test_the_cascade_lets_the_same_candidates_through(
    fitted: Path, samples: SampleSet, tmp_path: Path, matcher: str
) -> None:
    """With a network, whose batches are others in shards, within 1e-4."""
    catalog, options = copied(fitted, str(tmp_path)), EngineOptions(matcher=matcher, shortlist=16)
    engine = Engine.load(catalog.recipe, options)
    shard_catalog(catalog, tmp_path / "shards", 3)
    gallery, _ = gallery_of(catalog, engine, tmp_path / "shards", options)
    model = CatalogModel.load(catalog, engine.evidence)
    one = next(one for one in samples.samples if one.photo.endswith("-2.jpg"))
    query = prepared(samples, one, engine)
    whole = identify(catalog, query.sighting, engine, model, query=query)
    found = identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)
    assert [one.photo.id for one in found.candidates] == [one.photo.id for one in whole.candidates]
    scores = [[one.score for one in answer.candidates] for answer in (found, whole)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    assert found.coverage == whole.coverage


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_shard_that_dies_on_the_way_is_left_out_and_comes_back(
    fitted: Path, samples: SampleSet, tmp_path: Path, calls: int
) -> None:
    """Whether before the search, the first look or the comparison."""
    catalog, options = copied(fitted, str(tmp_path)), EngineOptions(matcher="turtle-sift+views", shortlist=16)
    engine = Engine.load(catalog.recipe, options)
    shard_catalog(catalog, tmp_path / "shards", 2)
    gallery, workers = gallery_of(catalog, engine, tmp_path / "shards", options)
    one = next(one for one in samples.samples if one.photo.endswith("-2.jpg"))
    query, model = prepared(samples, one, engine), CatalogModel.load(catalog, engine.evidence)
    whole = identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)
    workers.dying = {1: calls}
    found = identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)
    assert found.coverage.unreachable > 0
    assert found.coverage.unreachable + found.coverage.gallery_photos == whole.coverage.gallery_photos
    assert "could not be reached" in found.reason
    workers.dead, workers.dying = set(), {}
    assert identify(catalog, query.sighting, engine, model, query=query, gallery=gallery).coverage == whole.coverage


def test_never_new_while_photos_are_out_of_reach(
    fitted: Path, engine: Engine, asked: dict[str, PreparedPhoto], tmp_path: Path
) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 5)
    gallery, workers = gallery_of(catalog, engine, tmp_path / "shards", NEAREST)
    model = CatalogModel.load(catalog, engine.evidence)
    policy = DecisionPolicy(0.9, Rates(0.01, 0.01, 0.4))

    def answers() -> list[Identification]:
        return [identify(catalog, one.sighting, engine, model, policy, one, gallery=gallery) for one in asked.values()]

    whole = answers()
    assert {Verdict.NEW, Verdict.KNOWN} <= {one.verdict for one in whole}
    for shard in range(5):
        workers.dead = {shard}
        for found in answers():
            assert found.coverage.unreachable > 0
            assert found.verdict is not Verdict.NEW
            assert found.verdict is not Verdict.KNOWN or f"{found.turtle}/" in found.photo
    workers.dead = set(range(5))
    assert {one.verdict for one in answers()} == {Verdict.UNDECIDED}


def test_a_record_that_a_shard_has_lost_is_compared_here(
    fitted: Path, engine: Engine, asked: dict[str, PreparedPhoto], tmp_path: Path
) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 2)
    gallery, _ = gallery_of(catalog, engine, tmp_path / "shards", NEAREST)
    model = CatalogModel.load(catalog, engine.evidence)
    query = next(iter(asked.values()))
    whole = identify(catalog, query.sighting, engine, model, query=query)
    shard = Shard(tmp_path / "shards", 0, catalog.recipe)
    shard.feature_store.delete(shard.members().names()[::2])
    found = identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)
    assert told(found) == told(whole)
    catalog.feature_store.delete(shard.members().names()[::2])
    with pytest.raises(CatalogDamaged, match="missing"):
        identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)


def test_a_new_photo_is_searched_at_once_and_a_retired_turtle_no_more(
    fitted: Path, engine: Engine, asked: dict[str, PreparedPhoto], tmp_path: Path
) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 2)
    gallery, _ = gallery_of(catalog, engine, tmp_path / "shards", NEAREST)
    model = CatalogModel.load(catalog, engine.evidence)
    first, second = [*asked.values()][:2]
    catalog.enroll([replace(first, sighting=replace(first.sighting, turtle="T900"))], "Ana")
    Curator(catalog, "Ana").retire_turtle("T002")
    assert gallery.newer() == 1
    for query in (first, second):
        expected = identify(catalog, query.sighting, engine, model, query=query)
        assert told(identify(catalog, query.sighting, engine, model, query=query, gallery=gallery)) == told(expected)


def test_nodes_that_do_not_fit_are_refused(fitted: Path, engine: Engine, tmp_path: Path) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 2)
    with pytest.raises(ClusterUnavailable, match="same weights"):
        gallery_of(catalog, engine, tmp_path / "shards", EngineOptions(matcher="nearest+views"))


def test_nodes_of_another_version_and_missing_shards_are_refused(fitted: Path, engine: Engine, tmp_path: Path) -> None:
    catalog = copied(fitted, str(tmp_path))
    shard_catalog(catalog, tmp_path / "shards", 2)
    workers = LocalWorkers(tmp_path / "shards", catalog, NEAREST)
    older = Greeting("0.0.9", engine.comparison, Held(Members.none(), 0))
    with pytest.raises(ClusterUnavailable, match=r"shard 0 runs turtleidx 0\.0\.9"):
        greeted(catalog, engine, Answers(dict.fromkeys(workers.workers, older)), 2)
    workers.dead = {1}
    with pytest.raises(ClusterUnavailable, match="ray status"):
        greeted(catalog, engine, workers, 2)
    shutil.rmtree(tmp_path / "shards/shard-0001")
    workers.dead = set()
    with pytest.raises(CatalogMissing, match="--repair"):
        greeted(catalog, engine, workers, 2)


class Answers(LocalWorkers):
    """Workers that always give the same answers."""

    def __init__(self, answers: dict[int, object]) -> None:
        self._answers = answers

    def call(self, method: str, arguments: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        assert method == "greet"
        return {number: self._answers[number] for number in arguments}


def test_what_is_computed_of_a_query_alone_travels_with_it(fitted: Path, samples: SampleSet) -> None:
    catalog = Catalog.open(fitted)
    engine = Engine.load(catalog.recipe, EngineOptions(matcher="nearest+views"))
    one = next(one for one in samples.samples if one.photo.endswith("-2.jpg"))
    query, photos = prepared(samples, one, engine).features, catalog.features(catalog.photos(GalleryFilter())[:6])
    sent = pickle.loads(pickle.dumps(query_for_many(engine, query)))
    assert sent.source.image() == b""  # so that nobody could make the views of it
    for found, expected in zip(engine.look(sent, photos), engine.look(query, photos), strict=True):
        np.testing.assert_array_equal(found.pairs, expected.pairs)
        np.testing.assert_array_equal(found.confidence, expected.confidence)
    own = sum(len(look.pairs[look.pairs[:, 0] < len(query)]) for look in engine.look(sent, photos))
    assert own < sum(map(len, engine.look(sent, photos)))
    embedding = engine.with_matcher(EngineOptions(matcher="encoder:vlad"))
    sent = pickle.loads(pickle.dumps(query_for_many(embedding, query)))
    assert [*sent.source.known] == [*embedding.matcher.beside]  # type: ignore[attr-defined]
