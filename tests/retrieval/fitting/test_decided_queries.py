"""What people decided about kept queries enters the next fit, each query once and never as a gallery photo."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.registry.records import Answer
from index.types import GalleryFilter, PreparedPhoto
from retrieval.fitting.decided_queries import decided_queries
from retrieval.fitting.fit_model import fit
from retrieval.fitting.trial_scores import run_trials
from retrieval.images.pictures import jpeg
from tests.index.making import day
from tests.retrieval.lookalikes import engine, enrolled, lookalike


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enrolled(tmp_path_factory.mktemp("made")).path


@pytest.fixture
def catalog(made: Path, tmp_path: Path) -> Catalog:
    return Catalog.open(Path(shutil.copytree(made, tmp_path / "turtles.catalog")))


def keep(catalog: Catalog, shown: PreparedPhoto, answer: Answer, turtle: str | None = None) -> int:
    """A kept query about a photo, decided."""
    thumbnail = jpeg(np.zeros((32, 32, 3), np.uint8))
    catalog.feature_store.put_query(shown.sha256, shown.features, thumbnail)
    evidence = json.dumps({"side": "left", "taken_on": str(shown.sighting.taken_on)})
    kept = Decisions(catalog).keep(shown.sha256, shown.sighting.path, "UNDECIDED", evidence, "Ana")
    Decisions(catalog).decide(kept.id, answer, "Ana", turtle=turtle)
    return kept.id


def test_is_new_and_unsure_teach_what_they_say(catalog: Catalog) -> None:
    known, new, unsure = lookalike(5, 7, None), lookalike(101, 7, None), lookalike(6, 7, None)
    keep(catalog, known, Answer.IS, "T005")
    keep(catalog, new, Answer.NEW)
    keep(catalog, unsure, Answer.UNSURE)
    learnt = decided_queries(catalog, engine())
    assert [photo.sha256 for photo in learnt.photos] == [known.sha256, new.sha256]
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("fit"):
        trial_scores = run_trials(catalog, photos, engine(), budget=10_000, visitors=learnt)
    table = trial_scores.table
    of_known = [trial for trial in trial_scores.trials if trial.query == len(photos)]
    of_new = [trial for trial in trial_scores.trials if trial.query == len(photos) + 1]
    assert [trial.own for trial in of_known if trial.own] == [2]
    assert next(trial.gallery for trial in of_known if not trial.own) == 23
    assert all(trial.own == 0 for trial in of_new)
    assert of_new[0].gallery == 24
    assert all((trial.shortlist < len(photos)).all() for trial in trial_scores.trials)
    assert len(table.photos_by_turtle_and_side()) == 24


def test_a_fit_counts_the_decisions_it_used(catalog: Catalog) -> None:
    without = fit(catalog, engine(), "Ana")
    keep(catalog, lookalike(5, 7, None), Answer.IS, "T005")
    keep(catalog, lookalike(101, 7, None), Answer.NEW)
    report = fit(catalog, engine(), "Ana")
    assert (without.decided, report.decided) == (0, 2)
    assert report.photos == without.photos + 2
    assert report.fitted


def test_a_decision_counts_once_and_follows_merges_and_undo(catalog: Catalog) -> None:
    shown = lookalike(5, 7, None)
    query = keep(catalog, shown, Answer.NEW)
    Decisions(catalog).decide(query, Answer.IS, "Ben", turtle="T005")
    Curator(catalog, "Ana").merge_turtles("T006", ["T005"])
    [photo] = decided_queries(catalog, engine()).photos
    assert photo.turtle == "T006"
    Curator(catalog, "Ana").undo()
    Curator(catalog, "Ana").undo()
    [photo] = decided_queries(catalog, engine()).photos
    assert photo.turtle is None
    catalog.enroll([replace(shown, sighting=replace(shown.sighting, turtle="T005"))], "Ana")
    assert decided_queries(catalog, engine()).photos == ()


def test_photos_of_the_same_day_are_no_evidence(catalog: Catalog) -> None:
    shown = lookalike(5, 7, None)
    shown = replace(shown, sighting=replace(shown.sighting, taken_on=day(20 * 5 + 1)))
    keep(catalog, shown, Answer.IS, "T005")
    with catalog.writing("fit"):
        trial_scores = run_trials(
            *(catalog, catalog.photos(GalleryFilter()), engine(), 10_000),
            visitors=decided_queries(catalog, engine()),
        )
    assert [trial.own for trial in trial_scores.trials if trial.query == 48 and trial.own] == [1]


def test_what_a_query_showed_survives_check_and_compact(catalog: Catalog) -> None:
    keep(catalog, lookalike(5, 7, None), Answer.IS, "T005")
    assert check_catalog(catalog).repaired == ()
    compact_catalog(catalog, "Ana")
    assert len(decided_queries(catalog, engine()).photos) == 1
