"""`fit`: what a catalogue's own photos tell about the scores of right and wrong turtles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Catalog
from index.types import Float64, GalleryFilter, Photo, Progress
from retrieval.defaults import FIT_PHOTOS
from retrieval.engine import Engine
from retrieval.fitting.decided_queries import decided_queries
from retrieval.fitting.trial_scores import BUDGET, TrialScores, plan_trials, run_trials
from retrieval.fitting.trials import Trial, TrialPlan
from retrieval.fitting.turtle_scores import TurtleScores, encounters_of, search_of
from retrieval.novelty import MODEL, REPLICATES, CatalogModel, GenuineScores, ImpostorMaxima, NoveltyModel, TooSmall
from retrieval.pipeline import PairPool
from retrieval.scoring import Score, TNorm, ZNorm, no_null, score_pairs

GROWTH = 1.2
"""A catalogue that has grown by this factor is fitted again."""


def fit(
    catalog: Catalog,
    engine: Engine,
    who: str,
    budget: int = BUDGET,
    seed: int = 0,
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> FitReport:
    """Fit confidence null and novelty model from the catalogue's own photos and store them.

    Parameters
    ----------
    budget : int
        Photo pairs to compare at most; photos to query are drawn turtle by turtle until it is used up.
    pool : PairPool or None
        Where pairs are compared; None compares them on this machine.
    """
    started = time.perf_counter()
    with catalog.writing("fit"):
        photos = catalog.identified()
        part = photos > FIT_PHOTOS
        chosen = catalog.drawn(FIT_PHOTOS) if part else catalog.photos(GalleryFilter())
        visitors = decided_queries(catalog, engine)
        trial_scores = run_trials(catalog, chosen, engine, budget, seed, progress, None, visitors, part, pool)
        model = replace(learn(trial_scores, engine.score, seed), photos=photos, budget=budget)
        catalog.save_model(MODEL, engine.evidence, model.to_json(), who)
    queried = {trial.query for trial in trial_scores.trials}
    return FitReport(
        model=model,
        photos=len(queried),
        turtles=len({int(trial_scores.table.turtle[row]) for row in queried}),
        pairs=len((trial_scores.rest.first_matches if trial_scores.rest else trial_scores.pairs).rows),
        compared=trial_scores.compared,
        seconds=time.perf_counter() - started,
        decided=sum(row >= trial_scores.table.gallery_photos for row in queried),
    )


def fit_is_due(catalog: Catalog, engine: Engine) -> bool:
    """Whether there is no model for this recipe, or the catalogue has grown by a fifth since."""
    stored = catalog.model(MODEL, engine.evidence)
    if stored is None:
        return True
    model = CatalogModel.from_json(stored.payload)
    return model.outdated or catalog.identified() >= GROWTH * model.photos


def would_learn_less(catalog: Catalog, engine: Engine, budget: int) -> str | None:
    """A sentence for the user where a fit of this budget would replace one of a larger budget and miss it; else None.

    A catalogue whose photos are all asked about within the budget is learnt from as thoroughly.
    """
    stored = catalog.model(MODEL, engine.evidence)
    model = None if stored is None else CatalogModel.from_json(stored.payload)
    if model is None or model.novelty is None or model.budget <= budget:
        return None
    photos = catalog.identified()
    if photos <= FIT_PHOTOS:
        visitors = decided_queries(catalog, engine)
        if not plan_trials(catalog, catalog.photos(GalleryFilter()), engine, budget, 0, visitors).stopped_at:
            return None
    return (
        f"The model stays, which knows {model.photos} of the {photos} identified photos: it was fitted from more pairs "
        "than are compared while enrolling, so run `turtleidx fit` when there is time."
    )


def learn(
    trial_scores: TrialScores,
    score: Score,
    seed: int = 0,
    replicates: int = REPLICATES,
    before: CatalogModel | None = None,
) -> CatalogModel:
    """The model that these searches give with one way of scoring pairs.

    Parameters
    ----------
    replicates : int
        Bootstrap fits, for the interval of P(new).
    before : CatalogModel or None
        What perhaps was learnt from the same searches; then the model is not fitted again.
    """
    table, trials = trial_scores.table, trial_scores.trials
    null = trial_scores.null
    if null is None:
        return CatalogModel(no_null(), None, table.gallery_photos, "The catalogue has no two turtles to compare.")
    scores = score_pairs(trial_scores.confidences, null, score)
    norm = gallery_norm(trial_scores, scores, seed)
    normalise = _Normalised(table, norm)
    searches = [
        search_of(table, trial, normalise(trial, scores[rows]))
        for trial, rows in zip(trials, trial_scores.rows, strict=True)
    ]
    removed = [one for one in searches if not one.trial.own]
    largest = max((one.trial.gallery for one in removed), default=0)
    cohort = TNorm.fit([one.others for one in removed if one.trial.gallery >= 0.9 * largest])
    impostors = _impostor_maxima(table, [one.standardised(cohort) for one in removed])
    genuine = _genuine_scores(table, [one.standardised(cohort) for one in searches if one.trial.own])
    known = None if before is None else before.novelty
    photos = table.photos_by_turtle_and_side()
    occasions = encounters_of(table, [one.standardised(cohort) for one in searches])
    model = NoveltyModel.fit(
        impostors, genuine, photos, occasions, seed, replicates, cohort, known, trial_scores.stopped_at
    )
    if isinstance(model, TooSmall):
        return CatalogModel(null, None, table.gallery_photos, model.reason)
    return CatalogModel(null, model, table.gallery_photos, norm=norm)


def gallery_norm(trial_scores: TrialScores, scores: Float64, seed: int = 0) -> ZNorm:
    """What gallery photos score with the photos of the trials, each pair once.

    Parameters
    ----------
    scores : float64 [pairs]
        Of `TrialScores.confidences`.
    """
    table = trial_scores.table
    pairs: dict[tuple[int, int], float] = {}
    by_size = sorted(zip(trial_scores.trials, trial_scores.rows, strict=True), key=lambda one: -one[0].gallery)
    for trial, rows in sorted(by_size, key=lambda one: one[0].own > 0):  # others first as a search without the turtle
        asked = table.photos[trial.query]
        if isinstance(asked, Photo):  # visitors are not in the catalogue
            for row, score in zip(trial.shortlist.tolist(), scores[rows].tolist(), strict=True):
                shown = table.photos[row]
                assert isinstance(shown, Photo)
                pairs.setdefault((shown.id, asked.id), score)
    numbers = np.array(list(pairs), np.int64).reshape(-1, 2)
    found = np.array(list(pairs.values()), np.float64)
    return ZNorm.fit(numbers[:, 0], numbers[:, 1], found, table.owners, seed)


class _Normalised:
    """Scores of trials, relative to what each gallery photo scores with turtles other than the trial's own."""

    def __init__(self, table: TrialPlan, norm: ZNorm) -> None:
        self._table, self._norm = table, norm
        self._moments: dict[int, tuple[Float64, Float64]] = {}

    def __call__(self, trial: Trial, scores: Float64) -> Float64:
        turtle = int(self._table.turtle[trial.query])
        if turtle not in self._moments:
            numbers, rows = self._table.numbered()
            mean, spread = np.zeros((2, len(self._table.photos)))
            mean[rows], spread[rows] = self._norm.moments(numbers, self._table.owners, turtle)
            self._moments[turtle] = mean, spread
        mean, spread = self._moments[turtle]
        return self._norm.relative(scores, mean[trial.shortlist], spread[trial.shortlist])


def _impostor_maxima(table: TrialPlan, searches: Sequence[TurtleScores]) -> ImpostorMaxima:
    return ImpostorMaxima(
        score=np.array([one.others[0] for one in searches], np.float64),
        individual=np.array([table.turtle[one.trial.query] for one in searches], np.int64),
        query=np.array([one.trial.query for one in searches], np.int64),
        gallery=np.array([one.trial.gallery for one in searches], np.int64),
        photos=np.array([one.photos[0] if len(one.photos) else 0 for one in searches], np.int64),
    )


def _genuine_scores(table: TrialPlan, searches: Sequence[TurtleScores]) -> GenuineScores:
    wrong = [np.pad(one.others, (0, 2), constant_values=np.nan)[:2] for one in searches]
    return GenuineScores(
        score=np.array([one.own for one in searches], np.float64),
        individual=np.array([table.turtle[one.trial.query] for one in searches], np.int64),
        photos=np.array([one.trial.own for one in searches], np.int64),
        impostor=np.array([best for best, _ in wrong], np.float64),
        second=np.array([second for _, second in wrong], np.float64),
        gallery=np.array([one.trial.gallery for one in searches], np.int64),
    )


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit used and what came of it.

    Attributes
    ----------
    model : CatalogModel
        What was stored.
    photos, turtles : int
        Photos and turtles that were queried.
    pairs, compared : int
        Photo pairs used, and how many of them had to be compared now; the others were cached.
    decided : int
        Kept queries that were learnt from because a person decided them.
    """

    model: CatalogModel
    photos: int
    turtles: int
    pairs: int
    compared: int
    seconds: float
    decided: int = 0

    @property
    def fitted(self) -> bool:
        """Whether there is a novelty model now; False when the catalogue is too small."""
        return self.model.novelty is not None

    @property
    def reason(self) -> str:
        """What is missing for a novelty model."""
        return self.model.missing
