"""A kept query is one head of a file, as it was read: its features, pairs and decision are nobody else's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.registry.records import Answer, KeptQuery
from index.types import BoxOrigin, GalleryFilter, HeadBox, LocalFeatures, PreparedPhoto
from retrieval.fitting.decided_queries import decided_queries
from retrieval.fitting.trial_scores import run_trials
from retrieval.images import Question
from retrieval.novelty.catalog_model import Prediction
from retrieval.novelty.decision import Verdict
from retrieval.pipeline import Answer as Answered, keep
from retrieval.pipeline.results import Coverage, Identification, QueryPhoto
from tests.retrieval.lookalikes import engine, enrolled, lookalike

LEFT, RIGHT = HeadBox(0, 0, 900, 1000), HeadBox(1000, 0, 900, 1000)
FILE = "ab" * 32


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return enrolled(tmp_path)


def head(turtle: int, box: HeadBox | None) -> PreparedPhoto:
    """A turtle's head, where it is in a file that shows several."""
    made = lookalike(turtle, 7, None)
    return replace(made, sha256=FILE, sighting=replace(made.sighting, path="boat/both.jpg", box=box))


def kept(catalog: Catalog, asked: PreparedPhoto) -> KeptQuery:
    """What `turtleidx query --keep` leaves of a photo."""
    seen = asked.sighting
    found = Identification(
        QueryPhoto(seen.path, seen.side, asked), Prediction(Verdict.UNDECIDED, None, "", ()), Coverage(), "", 0.0
    )
    evidence = {"side": str(seen.side), "taken_on": str(seen.taken_on), "candidates": []}
    query = keep(catalog, Answered(Question(seen, {}), found), evidence, "Ana")
    assert query is not None
    return query


def kept_before(catalog: Catalog, asked: PreparedPhoto) -> KeptQuery:
    """What earlier versions left of it: features under the file's digest, whatever the head."""
    catalog.feature_store.put_query(asked.sha256, asked.features, asked.thumbnail)
    evidence = json.dumps({"side": "left", "taken_on": str(asked.sighting.taken_on), "candidates": []})
    return Decisions(catalog).keep(asked.sha256, asked.sighting.path, "UNDECIDED", evidence, "Ana")


def decide(catalog: Catalog, query: KeptQuery, turtle: str | None) -> None:
    Decisions(catalog).decide(query.id, Answer.IS if turtle else Answer.NEW, "Ana", turtle=turtle)


def learnt(catalog: Catalog) -> dict[str | None, bytes]:
    """By the turtles of the decided queries: the descriptors that a fit learns from."""
    visitors = decided_queries(catalog, engine()).photos
    found = catalog.features(visitors)
    return {one.turtle: features.descriptors.tobytes() for one, features in zip(visitors, found, strict=True)}


def shown(asked: PreparedPhoto) -> bytes:
    return asked.features.descriptors.tobytes()


def test_two_heads_of_one_file_teach_what_was_decided_about_each(catalog: Catalog) -> None:
    first, second = head(5, LEFT), head(6, RIGHT)
    one, other = kept(catalog, first), kept(catalog, second)
    assert one.id != other.id
    decide(catalog, one, "T005")
    decide(catalog, other, "T006")
    assert learnt(catalog) == {"T005": shown(first), "T006": shown(second)}
    with catalog.writing("fit"):
        trial_scores = run_trials(
            *(catalog, catalog.photos(GalleryFilter()), engine(), 10_000), visitors=decided_queries(catalog, engine())
        )
    assert list(trial_scores.table.file[-2:]) == [FILE, FILE]
    keys = [photo.key for photo in trial_scores.table.photos[-2:]]
    assert keys == [first.key, second.key]
    cache = catalog.pair_cache(engine().comparison, directed=engine().directed)
    theirs = catalog.photos(GalleryFilter())[0].key
    assert cache.missing([(key, theirs) for key in keys]) == 0
    assert cache.missing([(FILE, theirs)]) == 1


def test_another_box_of_a_kept_photo_leaves_what_was_decided_about(catalog: Catalog) -> None:
    first, later = head(5, LEFT), head(6, RIGHT)
    decide(catalog, kept(catalog, first), "T005")
    kept(catalog, later)
    assert learnt(catalog) == {"T005": shown(first)}


def test_the_same_head_is_asked_about_once(catalog: Catalog) -> None:
    first = head(5, LEFT)
    open_one = kept(catalog, first)
    assert kept(catalog, first).id == open_one.id
    decide(catalog, open_one, "T006")
    moved = head(5, HeadBox(2, 1, 900, 1000))
    decide(catalog, kept(catalog, moved), "T005")
    assert learnt(catalog) == {"T005": shown(moved)}


def test_a_head_that_is_enrolled_is_left_out_and_the_file_s_other_one_is_not(catalog: Catalog) -> None:
    first, second = head(5, LEFT), head(6, RIGHT)
    catalog.enroll([replace(first, sighting=replace(first.sighting, turtle="T005"))], "Ana")
    decide(catalog, kept(catalog, second), "T006")
    assert learnt(catalog) == {"T006": shown(second)}
    catalog.enroll([replace(second, sighting=replace(second.sighting, turtle="T006"))], "Ana")
    assert learnt(catalog) == {}


def test_heads_of_one_file_survive_check_compact_and_each_other_s_removal(catalog: Catalog) -> None:
    first, second = head(5, LEFT), head(6, RIGHT)
    decide(catalog, kept(catalog, first), "T005")
    decide(catalog, kept(catalog, second), "T006")
    [outcome] = catalog.enroll([replace(second, sighting=replace(second.sighting, turtle="T006"))], "Ana")
    Curator(catalog, "Ana").remove_photos([outcome.photo.id])
    assert check_catalog(catalog).repaired == ()
    compact_catalog(catalog, "Ana")
    assert learnt(catalog) == {"T005": shown(first), "T006": shown(second)}
    assert check_catalog(catalog).repaired == ()


def test_what_an_earlier_version_kept_is_found_and_left_alone(catalog: Catalog) -> None:
    before = head(5, LEFT)
    old = kept_before(catalog, before)
    decide(catalog, old, "T005")
    kept(catalog, head(7, None))
    kept(catalog, head(6, RIGHT))
    assert learnt(catalog) == {"T005": shown(before)}
    compact_catalog(catalog, "Ana")
    assert check_catalog(catalog).repaired == ()
    assert learnt(catalog) == {"T005": shown(before)}


def test_a_photo_that_waits_for_its_head_takes_nothing_from_what_was_decided_about_all_of_it(catalog: Catalog) -> None:
    asked = head(5, None)
    decide(catalog, kept(catalog, asked), "T005")
    none = np.zeros(0, np.float32)
    nothing = LocalFeatures(none.reshape(0, 2), none, none, np.zeros((0, 128), np.uint8), asked.features.size)
    waits = replace(asked.sighting, box_origin=BoxOrigin.MISSING)
    catalog.enroll([replace(asked, sighting=waits, features=nothing, vector=np.zeros_like(asked.vector))], "Ana")
    assert learnt(catalog) == {"T005": shown(asked)}


def test_a_decision_of_the_review_page_leaves_what_was_decided_about_another_head(catalog: Catalog) -> None:
    first, second = head(5, LEFT), head(6, RIGHT)
    decide(catalog, kept(catalog, first), "T005")
    catalog.enroll([replace(second, sighting=replace(second.sighting, turtle="T006"))], "Ana")
    of_the_page = json.dumps({"encounters": [1], "photos": [], "side": "left", "taken_on": None, "candidates": []})
    page = Decisions(catalog).keep(FILE, second.sighting.path, "UNDECIDED", of_the_page, "Ben")
    decide(catalog, page, "T006")
    assert learnt(catalog) == {"T005": shown(first)}
