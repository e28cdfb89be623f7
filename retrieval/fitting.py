"""`fit`: what a catalogue's own photos tell about the scores of right and wrong turtles.

Every queried photo is searched twice through the same shortlist and matcher as a real query: with its own turtle
removed, in nested random sub-galleries (impostor maxima), and with only its own encounter removed (genuine scores).
Photos of one encounter are never evidence of each other.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.types import Float32, GalleryFilter, Int64, LocalFeatures, Matches, Photo, Side
from retrieval.instruments import Instruments
from retrieval.judgement import MODEL, Judge
from retrieval.novelty import TooSmall, fit_novelty
from retrieval.ranking import no_null
from retrieval.rerank import first_look, strength, strongest
from retrieval.results import FitReport
from retrieval.scoring import ConfidenceNull, PairConfidences, pair_confidences, score_pairs
from retrieval.separation import GenuineScores, ImpostorMaxima

BUDGET = 20_000
"""Pairs that an automatic fit compares at most; those that are cached cost nothing."""

GROWTH = 1.2
"""A catalogue that has grown by this factor is fitted again."""

SMALLEST_GALLERY = 5
"""Turtles of the smallest sub-gallery."""

Progress = Callable[[int, int], None]
"""Called with the number of queries that were just finished, and of all of them."""


Compare = Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One search of one catalogue photo, as rows of the fit's photo table.

    Attributes
    ----------
    query : int
    gallery : int
        Turtles in it.
    shortlist : int64 [k]
        Photos that the search matches.
    own : int
        Photos of the query's turtle in the gallery; 0 with the turtle removed.
    """

    query: int
    gallery: int
    shortlist: Int64
    own: int


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
        table = _Table(catalog.photos(GalleryFilter()), catalog, instruments)
        trials = table.plan(budget, np.random.default_rng(seed))
        compared = 0
        if instruments.reranking.keep is not None:
            looks = _Comparison(table, catalog, instruments.first_look, first_look)
            compared += looks.run(trials, progress)
            trials = [_let_through(trial, looks, instruments.reranking.keep) for trial in trials]
        scored = _Comparison(table, catalog, instruments.comparison, instruments.compare)
        compared += scored.run(trials, progress)
        judge = _judge(table, trials, scored, instruments, seed)
        catalog.save_model(MODEL, instruments.evidence, judge.to_json(), who)
    queried = {trial.query for trial in trials}
    return FitReport(
        fitted=judge.novelty is not None,
        reason=judge.missing,
        photos=len(queried),
        turtles=len({int(table.turtle[row]) for row in queried}),
        pairs=len(scored.rows),
        compared=compared,
        seconds=time.perf_counter() - started,
    )


def fit_is_due(catalog: Catalog, instruments: Instruments) -> bool:
    """Whether there is no model for this recipe, or the catalogue has grown by a fifth since."""
    stored = catalog.model(MODEL)
    if stored is None or stored.recipe != instruments.evidence:
        return True
    return len(catalog.photos(GalleryFilter())) >= GROWTH * Judge.from_json(stored.payload).photos


class _Table:
    """Identified photos as columns, and which of them a search would shortlist."""

    def __init__(self, photos: Sequence[Photo], catalog: Catalog, instruments: Instruments) -> None:
        self.photos = photos
        codes = {name: code for code, name in enumerate(sorted({str(photo.turtle) for photo in photos}))}
        self.turtle = np.array([codes[str(photo.turtle)] for photo in photos], np.int64)
        self.encounter = np.array([photo.encounter for photo in photos], np.int64)
        sides = [None, *Side]
        self.side_code = np.array([sides.index(photo.side) for photo in photos], np.int64)
        self.turtles = len(codes)
        self.vectors = catalog.vectors(photos) if photos else np.zeros((0, 1), np.float32)
        self.instruments = instruments

    def photos_by_turtle_and_side(self) -> Int64:
        """How many photos each turtle has in each gallery that it is in, int64."""
        _, count = np.unique(np.stack((self.turtle, self.side_code)), axis=1, return_counts=True)
        return count.astype(np.int64)

    def plan(self, budget: int, rng: np.random.Generator) -> list[Trial]:
        """Trials of photos drawn turtle by turtle, until their pairs use up the budget."""
        trials: list[Trial] = []
        pairs: set[tuple[int, int]] = set()
        for query in self._turtle_by_turtle(rng):
            planned = self._trials(query, rng)
            pairs |= {_pair(query, int(row)) for trial in planned for row in trial.shortlist}
            if len(pairs) > budget and trials:
                break
            trials += planned
        return trials

    def _turtle_by_turtle(self, rng: np.random.Generator) -> Iterator[int]:
        order = rng.permutation(len(self.photos))
        turn: defaultdict[int, int] = defaultdict(int)
        turns = np.zeros(len(order), np.int64)
        for row in order:
            turns[row] = turn[int(self.turtle[row])]
            turn[int(self.turtle[row])] += 1
        yield from (int(row) for row in sorted(order, key=lambda row: turns[row]))

    def _trials(self, query: int, rng: np.random.Generator) -> list[Trial]:
        same_side = np.flatnonzero(self.side_code == self.side_code[query])
        others = same_side[self.turtle[same_side] != self.turtle[query]]
        own = same_side[
            (self.turtle[same_side] == self.turtle[query]) & (self.encounter[same_side] != self.encounter[query])
        ]
        strangers = rng.permutation(np.unique(self.turtle[others]))
        ranked = others[np.argsort(-(self.vectors[others] @ self.vectors[query]), kind="stable")]
        trials = []
        size = len(strangers)
        while size >= min(SMALLEST_GALLERY, len(strangers)) and size:
            among = ranked[np.isin(self.turtle[ranked], strangers[:size])]
            trials.append(Trial(query, size, self._shortlisted(among), 0))
            size //= 2
        if len(own):
            everyone = np.concatenate((others, own))
            near = everyone[np.argsort(-(self.vectors[everyone] @ self.vectors[query]), kind="stable")]
            trials.append(Trial(query, len(strangers) + 1, self._shortlisted(near), len(own)))
        return trials

    def _shortlisted(self, ranked: Int64) -> Int64:
        """The first of `ranked` that a search would match: at most so many of one turtle."""
        seen: defaultdict[int, int] = defaultdict(int)
        kept: list[int] = []
        for row in ranked:
            seen[int(self.turtle[row])] += 1
            if seen[int(self.turtle[row])] <= self.instruments.per_turtle:
                kept.append(int(row))
            if len(kept) == self.instruments.shortlist:
                break
        return np.array(kept, np.int64)


class _Comparison:
    """Confidences of the planned pairs: from the cache where they are known, compared and cached otherwise."""

    def __init__(self, table: _Table, catalog: Catalog, name: str, compare: Compare) -> None:
        self.table = table
        self.catalog = catalog
        self.compare = compare
        self.cache = catalog.pair_cache(name)
        self.rows: dict[tuple[int, int], int] = {}
        self.confidences: list[Float32] = []

    def run(self, trials: Sequence[Trial], progress: Progress | None) -> int:
        """Fetch or compare every pair; returns how many were compared."""
        wanted: dict[int, list[int]] = defaultdict(list)
        for trial in trials:
            for row in map(int, trial.shortlist):
                if _pair(trial.query, row) not in self.rows:
                    self.rows[_pair(trial.query, row)] = len(self.rows)
                    wanted[trial.query].append(row)
        self.confidences = [np.zeros(0, np.float32)] * len(self.rows)
        compared = 0
        for query, others in wanted.items():
            compared += self._compare(query, others)
            if progress:
                progress(1, len(wanted))
        return compared

    def _compare(self, query: int, others: list[int]) -> int:
        photos = self.table.photos
        keys = [(photos[query].sha256, photos[row].sha256) for row in others]
        known = self.cache.get(keys)
        missing = [place for place, found in enumerate(known) if found is None]
        if missing:
            rows = [others[place] for place in missing]
            [own] = self.catalog.features([photos[query]])
            features = self.catalog.features([photos[row] for row in rows])
            matches = self.compare(own, features)
            fresh = [pair_confidences(one, len(own), len(it)) for one, it in zip(matches, features, strict=True)]
            self.cache.put([keys[place] for place in missing], fresh)
            known = self.cache.get(keys)  # as the cache rounds them, so that a second fit gives the same model
        for row, found in zip(others, known, strict=True):
            if found is not None:
                self.confidences[self.rows[_pair(query, row)]] = found
        return len(missing)

    def scores_of(self, trial: Trial, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Scores of a trial's shortlist, float64 [k]."""
        return scores[[self.rows[_pair(trial.query, int(row))] for row in trial.shortlist]]


def _let_through(trial: Trial, looks: _Comparison, keep: int) -> Trial:
    """The trial with those of its shortlist that the cascade lets the matcher see."""
    strengths = [strength(looks.confidences[looks.rows[_pair(trial.query, int(row))]]) for row in trial.shortlist]
    return replace(trial, shortlist=trial.shortlist[strongest(strengths, keep)])


def _judge(table: _Table, trials: Sequence[Trial], scored: _Comparison, instruments: Instruments, seed: int) -> Judge:
    pairs = list(scored.rows)
    first = np.array([table.turtle[a] for a, _ in pairs], np.int64)
    second = np.array([table.turtle[b] for _, b in pairs], np.int64)
    different = np.flatnonzero(first != second)
    if not len(different):
        return Judge(no_null(), None, len(table.photos), "The catalogue has no two turtles to compare.")
    impostor_pairs = PairConfidences.of([scored.confidences[row] for row in different])
    null = ConfidenceNull.fit(impostor_pairs, first[different], second[different])
    scores = score_pairs(PairConfidences.of(scored.confidences), null, instruments.score)
    impostors = _impostor_maxima(table, [trial for trial in trials if not trial.own], scored, scores)
    genuine = _genuine_scores(table, [trial for trial in trials if trial.own], scored, scores)
    model = fit_novelty(impostors, genuine, table.photos_by_turtle_and_side(), seed)
    if isinstance(model, TooSmall):
        return Judge(null, None, len(table.photos), model.reason)
    return Judge(null, model, len(table.photos))


def _impostor_maxima(
    table: _Table, trials: Sequence[Trial], scored: _Comparison, scores: npt.NDArray[np.float64]
) -> ImpostorMaxima:
    best = []
    for trial in trials:
        of_trial = scored.scores_of(trial, scores)
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
    table: _Table, trials: Sequence[Trial], scored: _Comparison, scores: npt.NDArray[np.float64]
) -> GenuineScores:
    right, wrong = [], []
    for trial in trials:
        of_trial = scored.scores_of(trial, scores)
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


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)
