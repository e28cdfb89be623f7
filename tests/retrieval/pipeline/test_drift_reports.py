"""Best scores of queries are kept with the model that judged them; a drift is heard until the next fit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.curation.score_log import MOST, RecentScore, recent_scores, remember_scores
from index.types import Matches, Photo, Recipe, Side
from retrieval.novelty.catalog_model import MODEL, CatalogModel
from retrieval.novelty.decision import Verdict
from retrieval.novelty.model import NoveltyModel, fit_novelty
from retrieval.pipeline.drift import MIN_ENCOUNTERS, drift_of, remember
from retrieval.pipeline.results import Identification
from retrieval.scoring.ranking import Candidate
from retrieval.scoring.wasserstein import no_null
from tests.retrieval.generated import World

GALLERY = 100
NO_MATCH = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@cache
def judge() -> CatalogModel:
    world = World(0, GALLERY)
    fitted = fit_novelty(world.impostor_maxima(GALLERY), world.genuine_scores(GALLERY), world.photos, replicates=3)
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
        found.append(
            Identification(
                "a.jpg",
                Verdict.UNDECIDED,
                None,
                0.5,
                0.4,
                0.6,
                0.0,
                "",
                (Candidate("A", 1.0, 0.5, 9, photo, NO_MATCH),),
                9,
                9,
                99,
                GALLERY,
                "nearest-1",
                0.1,
                None,
                Side.LEFT,
                novelty.posterior(scores, GALLERY, 0.5),
                f"{number:064x}",
                None,
                False,
            )
        )
    return found


def test_lower_scores_are_heard_and_a_new_fit_starts_afresh(catalog: Catalog) -> None:
    remember(catalog, answered(80, 0.4))
    drift = drift_of(catalog)
    assert drift is not None
    assert drift.sentence is not None
    assert "turtleidx fit" in drift.sentence
    catalog.save_model(MODEL, "recipe", judge().to_json(), "Ana")
    assert drift_of(catalog) is None
    remember(catalog, answered(80))
    quiet = drift_of(catalog)
    assert quiet is not None
    assert quiet.sentence is None
    assert quiet.encounters == 80


def test_a_photo_asked_twice_and_photos_of_one_encounter_count_once(catalog: Catalog) -> None:
    few = answered(MIN_ENCOUNTERS - 1)
    remember(catalog, few)
    remember(catalog, few)
    day = dt.date(2026, 1, 5)
    same = [replace(one, sha256=f"f{n:063x}", taken_on=day) for n, one in enumerate(few)]
    remember(catalog, same, "one encounter")
    drift = drift_of(catalog)
    assert drift is not None
    assert drift.encounters == MIN_ENCOUNTERS
    model = catalog.model(MODEL)
    assert model is not None
    assert len(recent_scores(catalog, model.event)) == 2 * len(few)


def test_photos_of_the_catalogue_itself_are_not_watched(catalog: Catalog) -> None:
    remember(catalog, [replace(one, enrolled=True) for one in answered(80, 0.4)])
    assert drift_of(catalog) is None


def test_watching_gives_way_to_another_writer_and_leaves_no_event(catalog: Catalog) -> None:
    before = len(catalog.history())
    with Catalog.open(catalog.path).writing("enroll"):
        remember(catalog, answered(30))
    assert drift_of(catalog) is None
    remember(catalog, answered(30))
    assert drift_of(catalog) is not None
    assert len(catalog.history()) == before


def test_only_the_latest_scores_are_kept(catalog: Catalog) -> None:
    many = [RecentScore(f"{n:064x}", str(n), float(n), 50) for n in range(MOST + 20)]
    remember_scores(catalog, many[:30], 7)
    remember_scores(catalog, many[30:], 7)
    kept = recent_scores(catalog, 7)
    assert len(kept) == MOST
    assert kept[-1].score == MOST + 19
    remember_scores(catalog, many[:1], 8)
    assert recent_scores(catalog, 7) == []
