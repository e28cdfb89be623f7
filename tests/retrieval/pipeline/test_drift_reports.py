"""Best scores of queries are kept with the model that judged them; a drift is heard until the next fit."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.score_log import MOST, RecentScore, recent_scores, remember_scores
from index.types import Matches, Photo, Recipe, Side
from retrieval.novelty.catalog_model import MODEL, CatalogModel, Prediction
from retrieval.novelty.decision import Verdict
from retrieval.novelty.model import NoveltyModel
from retrieval.pipeline.drift import MIN_ENCOUNTERS, drift_of, prior_of, recent_score, remember
from retrieval.pipeline.results import Coverage, Identification, QueryPhoto
from retrieval.scoring.ranking import Candidate
from retrieval.scoring.wasserstein import no_null
from tests.index.making import photo as made_photo
from tests.retrieval.generated import World

GALLERY = 100
NO_MATCH = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@cache
def judge() -> CatalogModel:
    world = World(0, GALLERY)
    fitted = NoveltyModel.fit(
        world.impostor_maxima(GALLERY),
        world.genuine_scores(GALLERY),
        world.photos,
        world.occasions(GALLERY),
        replicates=3,
    )
    assert isinstance(fitted, NoveltyModel)
    return CatalogModel(no_null(), fitted, GALLERY)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog.create(tmp_path / "turtles.catalog", Recipe("sift-512-320", "vlad-1", 8))
    made.save_model(MODEL, "recipe", judge().to_json(), "Ana")
    return made


def answered(count: int, factor: float = 1.0) -> list[Identification]:
    """Queries of a world like the fitted one; their scores are multiplied."""
    world, novelty = World(1, GALLERY), judge().novelty
    assert novelty is not None
    found = []
    for number, asked in enumerate(world.queries(count, GALLERY).candidates):
        scores = replace(asked, score=factor * asked.score, turtle=np.arange(len(asked)))
        photo = Photo(number, f"{number:064x}", "a.jpg", f"T{number}", number, Side.LEFT, None, 500, 0.5)
        posterior = novelty.posterior(scores, GALLERY, 0.5)
        said = Prediction(Verdict.UNDECIDED, None, "", (Candidate("A", 1.0, 0.5, 9, photo, NO_MATCH),), posterior)
        query = QueryPhoto("a.jpg", Side.LEFT, replace(made_photo(1), sha256=f"{number:064x}"))
        found.append(Identification(query, said, Coverage(9, 9, 99, GALLERY), "nearest-1", 0.1))
    return found


def test_lower_scores_are_heard_and_a_new_fit_starts_afresh(catalog: Catalog) -> None:
    remember(catalog, [recent_score(one) for one in answered(80, 0.4)])
    drift = drift_of(catalog)
    assert drift is not None
    assert drift.sentence is not None
    assert "turtleidx fit" in drift.sentence
    catalog.save_model(MODEL, "recipe", judge().to_json(), "Ana")
    assert drift_of(catalog) is None
    remember(catalog, [recent_score(one) for one in answered(80)])
    quiet = drift_of(catalog)
    assert quiet is not None
    assert quiet.sentence is None
    assert quiet.encounters == 80


def test_a_photo_asked_twice_and_photos_of_one_encounter_count_once(catalog: Catalog) -> None:
    few = answered(MIN_ENCOUNTERS - 1)
    for _ in range(2):
        remember(catalog, [recent_score(one) for one in few])
    day = dt.date(2026, 1, 5)
    for number, one in enumerate(few):
        assert one.query.prepared is not None
        dated = replace(one.query.prepared.sighting, taken_on=day)
        again = replace(one.query.prepared, sha256=f"f{number:063x}", sighting=dated)
        same = replace(one, query=replace(one.query, prepared=again))
        remember(catalog, [recent_score(same, "one encounter")])
    drift = drift_of(catalog)
    assert drift is not None
    assert drift.encounters == MIN_ENCOUNTERS
    model = catalog.model(MODEL)
    assert model is not None
    assert len(recent_scores(catalog, model.event)) == 2 * len(few)


def test_photos_of_the_catalogue_itself_are_not_watched(catalog: Catalog) -> None:
    itself = Photo(1, "0" * 64, "a.jpg", "T1", 1, Side.LEFT, None, 500, 0.5)
    queries = [replace(one, query=replace(one.query, enrolled=itself)) for one in answered(80, 0.4)]
    remember(catalog, [recent_score(one) for one in queries])
    assert drift_of(catalog) is None


def test_watching_gives_way_to_another_writer_and_leaves_no_event(catalog: Catalog) -> None:
    before = len(Browser(catalog).history())
    with Catalog.open(catalog.path).writing("enroll"):
        remember(catalog, [recent_score(one) for one in answered(30)])
    assert drift_of(catalog) is None
    remember(catalog, [recent_score(one) for one in answered(30)])
    assert drift_of(catalog) is not None
    assert len(Browser(catalog).history()) == before


def test_only_the_latest_scores_are_kept(catalog: Catalog) -> None:
    many = [RecentScore(f"{n:064x}", str(n), float(n), 50) for n in range(MOST + 20)]
    remember_scores(catalog, many[:30], 7)
    remember_scores(catalog, many[30:], 7)
    kept = recent_scores(catalog, 7)
    assert len(kept) == MOST
    assert kept[-1].score == MOST + 19
    remember_scores(catalog, many[:1], 8)
    assert recent_scores(catalog, 7) == []


def test_a_model_is_kept_for_each_recipe(catalog: Catalog) -> None:
    first = catalog.model(MODEL, "recipe")
    assert first is not None
    remember(catalog, [recent_score(one) for one in answered(30)], "recipe")
    catalog.save_model(MODEL, "other recipe", replace(judge(), photos=7).to_json(), "Ana")
    newest, kept = catalog.model(MODEL), catalog.model(MODEL, "recipe")
    assert newest is not None
    assert kept is not None
    assert (newest.recipe, kept.recipe, kept.payload, kept.event) == (
        "other recipe",
        "recipe",
        first.payload,
        first.event,
    )
    assert CatalogModel.load(catalog, "recipe").photos == GALLERY
    assert CatalogModel.load(catalog, "other recipe").photos == 7
    assert "another recipe" in CatalogModel.load(catalog, "a third recipe").missing
    assert prior_of(catalog, "recipe").encounters > 0
    assert prior_of(catalog, "other recipe").encounters == 0
    catalog.save_model(MODEL, "recipe", replace(judge(), photos=8).to_json(), "Ana")
    assert CatalogModel.load(catalog, "recipe").photos == 8
    assert CatalogModel.load(catalog, "other recipe").photos == 7


def test_a_model_of_an_earlier_version_says_what_to_do(catalog: Catalog) -> None:
    old = json.loads(judge().to_json()) | {"version": 2}
    catalog.save_model(MODEL, "recipe", json.dumps(old), "Ana")
    model = CatalogModel.load(catalog, "recipe")
    assert model.novelty is None
    assert model.outdated
    assert "turtleidx fit" in model.missing
    assert drift_of(catalog) is None
