"""A part of a catalogue teaches what the whole would, for as many comparisons as were granted."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.types import GalleryFilter
from retrieval.fitting.fit_model import fit
from retrieval.fitting.pair_confidences import Cascade
from retrieval.fitting.trial_scores import run_trials
from tests.retrieval.lookalikes import TURTLES, engine, enrolled

SOME = 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enrolled(tmp_path_factory.mktemp("made")).path


@pytest.fixture
def catalog(made: Path, tmp_path: Path) -> Catalog:
    return Catalog.open(Path(shutil.copytree(made, tmp_path / "turtles.catalog")))


def test_whole_turtles_are_drawn_and_always_the_same(catalog: Catalog) -> None:
    drawn = catalog.drawn(SOME)
    assert set(Counter(photo.turtle for photo in drawn).values()) == {2}
    assert len(drawn) == SOME
    assert catalog.drawn(SOME) == drawn
    assert {photo.id for photo in catalog.drawn(9)} < {photo.id for photo in drawn}
    assert catalog.identified() == catalog.count(GalleryFilter()) == len(catalog.drawn(10**6)) == 2 * TURTLES
    Curator(catalog, "Ana").retire_turtle(str(drawn[0].turtle))
    assert catalog.identified() == catalog.count(GalleryFilter()) == 2 * TURTLES - 2
    assert drawn[0] not in catalog.drawn(10**6)


def test_the_drawn_are_searched_in_the_whole(catalog: Catalog) -> None:
    tools = replace(engine(), shortlist=12)
    with catalog.writing("fit"):
        found = run_trials(catalog, catalog.drawn(SOME), tools, 10_000, part=True)
    asked = {trial.query for trial in found.trials}
    assert asked == set(range(SOME))
    whole = [trial for trial in found.trials if trial.gallery >= TURTLES - 1]
    assert len(whole) == 2 * SOME  # without the turtle, and without the encounter
    assert max(int(trial.shortlist.max()) for trial in whole) >= SOME  # photos beside the drawn ones are found
    smaller = [trial for trial in found.trials if trial.gallery < TURTLES - 1]
    assert {trial.gallery for trial in smaller} == {14, 7}
    assert all(int(trial.shortlist.max()) < SOME for trial in smaller)
    assert all((trial.turtle_photos <= 2).all() and len(trial.shortlist) <= 12 for trial in found.trials)
    [photos] = set(found.table.photos_by_turtle_and_side().tolist())
    assert photos == 2
    assert len(found.pairs.rows) == len(found.pairs.confidences)


def test_a_part_says_what_the_whole_says(catalog: Catalog) -> None:
    """With everything drawn, the searches through the index are those that the table makes."""
    tools = replace(engine(), shortlist=12)
    with catalog.writing("fit"):
        whole = run_trials(catalog, catalog.photos(GalleryFilter()), tools, 10_000)
        part = run_trials(catalog, catalog.photos(GalleryFilter()), tools, 10_000, part=True)
    expected = {(t.query, t.gallery, t.own): t for t in whole.trials}
    compared = 0
    for trial in part.trials:
        if trial.gallery >= TURTLES - 1:
            other = expected[trial.query, trial.gallery, trial.own]
            compared += 1
            assert set(trial.shortlist.tolist()) == set(other.shortlist.tolist())
            np.testing.assert_array_equal(np.sort(trial.turtle_photos), np.sort(other.turtle_photos))
    assert compared >= 4 * TURTLES


def test_a_fit_sees_what_the_cascade_lets_through(catalog: Catalog) -> None:
    every = replace(engine(), shortlist=12)
    few = replace(every, reranking=replace(every.reranking, keep=5))
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("fit"):
        whole, seen = (run_trials(catalog, photos, tools, 10_000) for tools in (every, few))
    for all_of_it, some in zip(whole.trials, seen.trials, strict=True):
        assert len(some.shortlist) == len(some.turtle_photos) == min(5, len(all_of_it.shortlist))
        held = dict(zip(all_of_it.shortlist.tolist(), all_of_it.turtle_photos.tolist(), strict=True))
        assert [held[row] for row in some.shortlist.tolist()] == some.turtle_photos.tolist()
    assert fit(catalog, few, "Ben").fitted


def test_whom_the_matcher_does_not_see_is_judged_by_the_first_look(catalog: Catalog) -> None:
    every = replace(engine(), shortlist=12)
    few = replace(every, reranking=replace(every.reranking, keep=5, others=0.5))
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("fit"):
        whole, part = (run_trials(catalog, photos, tools, 10_000) for tools in (every, few))
        assert part.rest is not None
        assert len(part.pairs.rows) < len(whole.pairs.rows) == len(part.rest.first_matches.rows)
        comparer = Cascade(catalog, few)
        for trial, rows, all_rows, seen in zip(part.trials, part.rows, whole.rows, part.rest.seen, strict=True):
            # the matcher of these instruments is what the first look takes too
            expected = [
                (1.0 if place in seen else 0.5) * whole.confidences.of_pair(int(row)).sum()
                for place, row in enumerate(all_rows)
            ]
            found = [part.confidences.of_pair(int(row)).sum() for row in rows]
            np.testing.assert_allclose(found, expected, rtol=1e-5)
            among = [photos[row] for row in trial.shortlist]
            query = photos[trial.query]
            [features] = catalog.features([query])
            compared, confidences = comparer.compare(query.sha256, lambda own=features: own, among)  # type: ignore[misc]
            assert compared == list(range(len(among)))
            np.testing.assert_allclose([one.sum() for one in confidences], expected, rtol=1e-5)
    assert fit(catalog, few, "Ben").fitted
