"""`fit`: what a catalogue's own photos tell about the scores of right and wrong turtles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from index.catalog import Catalog
from index.types import Float64, GalleryFilter, Int64, Photo, Progress, Shortlist
from retrieval.defaults import FIT_BUDGET, FIT_PHOTOS
from retrieval.engine import Engine
from retrieval.fitting.decided_queries import Decided, decided_queries
from retrieval.fitting.descriptor_similarity import DescriptorSimilarity, no_descriptors
from retrieval.fitting.pair_confidences import CachedComparison, Compared, looks_of, pairs_of
from retrieval.fitting.trials import Trial, TrialPlan
from retrieval.fitting.turtle_scores import TurtleScores, encounters_of, search_of
from retrieval.novelty import MODEL, REPLICATES, CatalogModel, GenuineScores, ImpostorMaxima, NoveltyModel, TooSmall
from retrieval.pipeline import PairPool
from retrieval.scoring import ConfidenceNull, PairConfidences, Score, TNorm, ZNorm, no_null, score_pairs

BUDGET = FIT_BUDGET
NULL_PAIRS = 10_000
"""Pairs of different turtles that tell how their confidences are distributed; more would tell the same."""

GROWTH = 1.2
"""A catalogue that has grown by this factor is fitted again."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstStage:
    """First looks at all of the trials' shortlists, where they judge what the matcher did not see.

    Attributes
    ----------
    share : float
        By which their confidences count.
    seen : tuple of int64 [k]
        For each trial, which places of its shortlist the matcher saw.
    """

    first_matches: Compared
    share: float
    seen: tuple[Int64, ...]


@dataclass(frozen=True, eq=False)
class TrialScores:
    """Searches that were made, with the confidences of all their pairs.

    Attributes
    ----------
    pairs : Compared
        What the matcher saw.
    compared : int
        Pairs that no cache knew.
    rest : FirstStage or None
        What judges the others; None where they are in no trial.
    """

    table: TrialPlan
    trials: tuple[Trial, ...]
    pairs: Compared
    compared: int
    rest: FirstStage | None = None

    @cached_property
    def null(self) -> ConfidenceNull | None:
        """Confidences of different turtles; None where no two were compared."""
        place = self.pairs.rows
        if self.rest is not None:
            first_matches = {pair: len(place) + row for pair, row in self.rest.first_matches.rows.items()}
            place = first_matches | place
        pairs = np.array(list(place), np.int64).reshape(-1, 2)
        first, second = self.table.turtle[pairs[:, 0]], self.table.turtle[pairs[:, 1]]
        some = np.random.default_rng(0).permutation(np.flatnonzero(first != second))[:NULL_PAIRS]
        if not len(some):
            return None
        rows = np.array(list(place.values()), np.int64)[some]
        confidences = PairConfidences.of([self.confidences.of_pair(int(row)) for row in rows])
        return ConfidenceNull.fit(confidences, first[some], second[some])

    @cached_property
    def confidences(self) -> PairConfidences:
        """Of every pair that the matcher saw, then of every pair that was looked at where that counts."""
        if self.rest is None:
            return PairConfidences.of(self.pairs.confidences)
        both = PairConfidences.of([*self.pairs.confidences, *self.rest.first_matches.confidences])
        both.values[both.start[len(self.pairs.confidences)] :] *= np.float32(self.rest.share)
        return both

    @cached_property
    def rows(self) -> tuple[Int64, ...]:
        """Places of each trial's pairs in `confidences`, int64 [k] each."""
        if self.rest is None:
            return tuple(self.pairs.of(trial) for trial in self.trials)
        found = []
        for trial, seen in zip(self.trials, self.rest.seen, strict=True):
            place = len(self.pairs.confidences) + self.rest.first_matches.of(trial)
            place[seen] = self.pairs.of(trial.only(seen))
            found.append(place)
        return tuple(found)


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
        model = replace(learn(trial_scores, engine.score, seed), photos=photos)
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


def run_trials(
    catalog: Catalog,
    photos: Sequence[Photo],
    engine: Engine,
    budget: int = BUDGET,
    seed: int = 0,
    progress: Progress | None = None,
    pairing: CachedComparison | None = None,
    visitors: Decided | None = None,
    part: bool = False,
    pool: PairPool | None = None,
) -> TrialScores:
    """Search some of these identified photos among the others; needs the writer's lock for the cache.

    Parameters
    ----------
    pairing : CachedComparison or None
        Compares as the engine does; None makes one.
    visitors : Decided or None
        Photos of known truth that are asked about too, but are not in the gallery.
    part : bool
        Whether the photos are only some of the catalogue's, which then is searched as a whole too.
    pool : PairPool or None
        Where pairs are compared, those of a `pairing` excepted; None compares them on this machine.
    """
    vectors = catalog.vectors(photos) if photos else no_descriptors(engine)
    asked = () if visitors is None else visitors.photos
    if visitors is not None:
        vectors = np.concatenate((vectors, visitors.vectors))
    alike = DescriptorSimilarity(catalog, engine, [*photos, *asked], vectors)

    def whole(row: int, where: GalleryFilter) -> Shortlist:
        return catalog.shortlist(alike.probe(row), engine.shortlist, where, engine.per_turtle)

    table = TrialPlan(photos, alike.to, engine, asked, whole if part else None)
    trials = table.plan(budget, np.random.default_rng(seed))
    compared = 0
    shown, rest = trials, None
    recipe = engine.reranking
    if recipe.keep is not None:
        looking = looks_of(catalog, engine, pool)
        first_matches = Compared(table.photos, catalog, looking)
        first_matches.run(trials, progress)
        seen = tuple(
            np.array(recipe.kept([first_matches.confidences[place] for place in first_matches.of(trial)]), np.int64)
            for trial in trials
        )
        shown = [trial.only(rows) for trial, rows in zip(trials, seen, strict=True)]
        compared += looking.compared
        if recipe.others is None:
            trials = shown
        else:
            rest = FirstStage(first_matches, recipe.others, seen)
    pairing = pairing or pairs_of(catalog, engine, pool)
    before = pairing.compared
    pairs = Compared(table.photos, catalog, pairing)
    pairs.run(shown, progress)
    return TrialScores(table, tuple(trials), pairs, compared + pairing.compared - before, rest)


def fit_is_due(catalog: Catalog, engine: Engine) -> bool:
    """Whether there is no model for this recipe, or the catalogue has grown by a fifth since."""
    stored = catalog.model(MODEL, engine.evidence)
    if stored is None:
        return True
    model = CatalogModel.from_json(stored.payload)
    return model.outdated or catalog.identified() >= GROWTH * model.photos


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
    model = NoveltyModel.fit(impostors, genuine, photos, occasions, seed, replicates, cohort, known)
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
