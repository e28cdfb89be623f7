"""`fit`: what a catalogue's own photos tell about the scores of right and wrong turtles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.types import GalleryFilter, Int64, Photo
from retrieval.instruments import Instruments
from retrieval.judgement import MODEL, Judge
from retrieval.novelty import TooSmall, fit_novelty
from retrieval.pairing import Compared, Pairing, Progress
from retrieval.ranking import no_null
from retrieval.rehearsal import Rehearsal, Trial
from retrieval.rerank import first_look, strength, strongest
from retrieval.results import FitReport
from retrieval.scoring import ConfidenceNull, PairConfidences, Score, score_pairs
from retrieval.separation import GenuineScores, ImpostorMaxima

BUDGET = 20_000
"""Pairs that an automatic fit compares at most; those that are cached cost nothing."""

GROWTH = 1.2
"""A catalogue that has grown by this factor is fitted again."""


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsed:
    """Searches that were made, with the confidences of all their pairs.

    Attributes
    ----------
    compared : int
        Pairs that no cache knew.
    """

    table: Rehearsal
    trials: tuple[Trial, ...]
    pairs: Compared
    compared: int


def fit(
    catalog: Catalog,
    instruments: Instruments,
    who: str,
    budget: int = BUDGET,
    seed: int = 0,
    progress: Progress | None = None,
) -> FitReport:
    """Fit confidence null and novelty model from the catalogue's own photos and store them.

    Parameters
    ----------
    budget : int
        Photo pairs to compare at most; photos to query are drawn turtle by turtle until it is used up.
    """
    started = time.perf_counter()
    with catalog.writing("fit"):
        rehearsed = rehearse(catalog, catalog.photos(GalleryFilter()), instruments, budget, seed, progress)
        judge = learn(rehearsed, instruments.score, seed)
        catalog.save_model(MODEL, instruments.evidence, judge.to_json(), who)
    queried = {trial.query for trial in rehearsed.trials}
    return FitReport(
        fitted=judge.novelty is not None,
        reason=judge.missing,
        photos=len(queried),
        turtles=len({int(rehearsed.table.turtle[row]) for row in queried}),
        pairs=len(rehearsed.pairs.rows),
        compared=rehearsed.compared,
        seconds=time.perf_counter() - started,
    )


def rehearse(
    catalog: Catalog,
    photos: Sequence[Photo],
    instruments: Instruments,
    budget: int = BUDGET,
    seed: int = 0,
    progress: Progress | None = None,
) -> Rehearsed:
    """Search some of these identified photos among the others; needs the writer's lock for the cache."""
    table = Rehearsal(photos, catalog.vectors(photos) if photos else np.zeros((0, 1), np.float32), instruments)
    trials = table.plan(budget, np.random.default_rng(seed))
    compared = 0
    if instruments.reranking.keep is not None:
        looking = Pairing(catalog, instruments.first_look, first_look)
        looks = Compared(photos, catalog, looking)
        looks.run(trials, progress)
        trials = [_let_through(trial, looks, instruments.reranking.keep) for trial in trials]
        compared += looking.compared
    pairing = Pairing(catalog, instruments.comparison, instruments.compare)
    pairs = Compared(photos, catalog, pairing)
    pairs.run(trials, progress)
    return Rehearsed(table, tuple(trials), pairs, compared + pairing.compared)


def fit_is_due(catalog: Catalog, instruments: Instruments) -> bool:
    """Whether there is no model for this recipe, or the catalogue has grown by a fifth since."""
    stored = catalog.model(MODEL)
    if stored is None or stored.recipe != instruments.evidence:
        return True
    return len(catalog.photos(GalleryFilter())) >= GROWTH * Judge.from_json(stored.payload).photos


def _let_through(trial: Trial, looks: Compared, keep: int) -> Trial:
    """The trial with those of its shortlist that the cascade lets the matcher see."""
    strengths = [strength(looks.confidences[place]) for place in looks.of(trial)]
    return replace(trial, shortlist=trial.shortlist[strongest(strengths, keep)])


def learn(rehearsed: Rehearsed, score: Score, seed: int = 0) -> Judge:
    """The model that these searches give with one way of scoring pairs."""
    table, trials = rehearsed.table, rehearsed.trials
    pairs = np.array(list(rehearsed.pairs.rows), np.int64).reshape(-1, 2)
    first, second = table.turtle[pairs[:, 0]], table.turtle[pairs[:, 1]]
    different = np.flatnonzero(first != second)
    if not len(different):
        return Judge(no_null(), None, len(table.photos), "The catalogue has no two turtles to compare.")
    confidences = rehearsed.pairs.confidences
    impostor_pairs = PairConfidences.of([confidences[row] for row in different])
    null = ConfidenceNull.fit(impostor_pairs, first[different], second[different])
    scores = score_pairs(PairConfidences.of(confidences), null, score)
    impostors = _impostor_maxima(table, [one for one in trials if not one.own], rehearsed.pairs, scores)
    genuine = _genuine_scores(table, [one for one in trials if one.own], rehearsed.pairs, scores)
    model = fit_novelty(impostors, genuine, table.photos_by_turtle_and_side(), seed)
    if isinstance(model, TooSmall):
        return Judge(null, None, len(table.photos), model.reason)
    return Judge(null, model, len(table.photos))


def _impostor_maxima(
    table: Rehearsal, trials: Sequence[Trial], pairs: Compared, scores: npt.NDArray[np.float64]
) -> ImpostorMaxima:
    best = []
    for trial in trials:
        of_trial = scores[pairs.of(trial)]
        winner = table.turtle[trial.shortlist[int(np.argmax(of_trial))]]
        side = table.side_code == table.side_code[trial.query]
        best.append((float(of_trial.max()), int((side & (table.turtle == winner)).sum())))
    return ImpostorMaxima(
        score=np.array([score for score, _ in best], np.float64),
        individual=np.array([table.turtle[trial.query] for trial in trials], np.int64),
        query=np.array([trial.query for trial in trials], np.int64),
        gallery=np.array([trial.gallery for trial in trials], np.int64),
        photos=np.array([photos for _, photos in best], np.int64),
    )


def _genuine_scores(
    table: Rehearsal, trials: Sequence[Trial], pairs: Compared, scores: npt.NDArray[np.float64]
) -> GenuineScores:
    right, wrong = [], []
    for trial in trials:
        of_trial = scores[pairs.of(trial)]
        own = table.turtle[trial.shortlist] == table.turtle[trial.query]
        right.append(float(of_trial[own].max()) if own.any() else np.nan)
        others = best_of_each(of_trial[~own], table.turtle[trial.shortlist][~own])
        wrong.append(np.pad(others, (0, 2), constant_values=np.nan)[:2])
    return GenuineScores(
        score=np.array(right, np.float64),
        individual=np.array([table.turtle[trial.query] for trial in trials], np.int64),
        photos=np.array([trial.own for trial in trials], np.int64),
        impostor=np.array([best for best, _ in wrong], np.float64),
        second=np.array([second for _, second in wrong], np.float64),
        gallery=np.array([trial.gallery for trial in trials], np.int64),
    )


def best_of_each(scores: npt.NDArray[np.float64], turtle: Int64) -> npt.NDArray[np.float64]:
    """Best score of each turtle, highest first, float64 [turtles]."""
    order = np.argsort(-scores, kind="stable")
    _, first = np.unique(turtle[order], return_index=True)
    return np.asarray(scores[order][np.sort(first)])
