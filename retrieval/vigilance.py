"""Watching the best scores of queries for drift; the statistic itself is in `retrieval.drift`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from index.catalog import Catalog
from index.errors import CatalogBusy
from index.recent import RecentScore, recent_scores, remember_scores
from retrieval.drift import MIN_ENCOUNTERS, Drift, RecentScores, detect_drift
from retrieval.judgement import MODEL, Judge
from retrieval.results import Identification


def remember(catalog: Catalog, answered: Sequence[Identification], encounter: str | None = None) -> None:
    """Keep the best scores of photos that are not in the catalogue themselves.

    Photos of one encounter count as one: those that are answered together, else those of one day that resemble the same
    turtle most. While another process writes, or where the catalogue cannot be written, nothing is kept.
    """
    stored = catalog.model(MODEL)
    scores = [
        RecentScore(one.sha256, encounter or _encounter(one), one.posterior.score, round(one.posterior.gallery))
        for one in answered
        if one.posterior is not None and one.candidates and one.sha256 is not None and not one.enrolled
    ]
    if stored is None or not scores:
        return
    with contextlib.suppress(CatalogBusy, PermissionError):  # the watch is no reason to refuse an answer
        remember_scores(catalog, scores, stored.event)


def drift_of(catalog: Catalog) -> Drift | None:
    """How recent queries compare with the fitted model; None without a model, or with too few encounters."""
    stored = catalog.model(MODEL)
    recent = [] if stored is None else recent_scores(catalog, stored.event)
    encounters = {one.encounter for one in recent}
    if stored is None or len(encounters) < MIN_ENCOUNTERS:
        return None
    novelty = Judge.from_json(stored.payload).novelty
    if novelty is None:
        return None
    code = {name: number for number, name in enumerate(sorted(encounters))}
    return detect_drift(
        novelty,
        RecentScores(
            np.array([one.score for one in recent], np.float64),
            np.array([one.gallery for one in recent], np.int64),
            np.array([code[one.encounter] for one in recent], np.int64),
        ),
    )


def _encounter(found: Identification) -> str:
    if found.taken_on is None:
        return str(found.sha256)
    return f"{found.taken_on}/{found.candidates[0].turtle}"
