"""Searches of a catalogue's own photos that a fit learns from, and the confidences of all their pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from index.catalog import Browser, Catalog
from index.types import GalleryFilter, Int64, Photo, Progress, Shortlist
from retrieval.defaults import FIT_BUDGET
from retrieval.engine import Engine
from retrieval.fitting.decided_queries import Decided
from retrieval.fitting.descriptor_similarity import DescriptorSimilarity, no_descriptors
from retrieval.fitting.pair_confidences import CachedComparison, Compared, looks_of, pairs_of
from retrieval.fitting.trials import Trial, TrialPlan, WholeGallery
from retrieval.pipeline import PairPool
from retrieval.scoring import ConfidenceNull, PairConfidences

BUDGET = FIT_BUDGET
NULL_PAIRS = 10_000
"""Pairs of different turtles that tell how their confidences are distributed; more would tell the same."""


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
    stopped_at : int
        As in `Planned`.
    """

    table: TrialPlan
    trials: tuple[Trial, ...]
    pairs: Compared
    compared: int
    rest: FirstStage | None = None
    stopped_at: int = 0

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
    planned = plan_trials(catalog, photos, engine, budget, seed, visitors, part)
    return _compared(catalog, planned, engine, progress, pairing, pool)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """Searches to be made.

    Attributes
    ----------
    stopped_at : int
        The budget, where it ended before every photo was asked about that others could be compared with; else 0.
    """

    table: TrialPlan
    trials: tuple[Trial, ...]
    stopped_at: int


def plan_trials(
    catalog: Catalog,
    photos: Sequence[Photo],
    engine: Engine,
    budget: int = BUDGET,
    seed: int = 0,
    visitors: Decided | None = None,
    part: bool = False,
) -> Planned:
    """What `run_trials` would compare, with its arguments."""
    vectors = catalog.vectors(photos) if photos else no_descriptors(engine)
    asked = () if visitors is None else visitors.photos
    if visitors is not None:
        vectors = np.concatenate((vectors, visitors.vectors))
    alike = DescriptorSimilarity(catalog, engine, [*photos, *asked], vectors)

    def whole(row: int, where: GalleryFilter) -> Shortlist:
        return catalog.shortlist(alike.probe(row), engine.shortlist, where, engine.per_turtle)

    everyone = WholeGallery(whole, Browser(catalog).sides) if part else None
    table = TrialPlan(photos, alike.to, engine, asked, everyone)
    trials = table.plan(budget, np.random.default_rng(seed))
    return Planned(table, tuple(trials), budget if _is_left(table, trials, len(photos) + len(asked)) else 0)


def _is_left(table: TrialPlan, trials: Sequence[Trial], photos: int) -> bool:
    """Whether one of the first photos was not asked about, although there are others to compare it with."""
    queried = {trial.query for trial in trials}
    return any(
        (table.searched(row) & (table.turtle != table.turtle[row]) & (table.file != table.file[row])).any()
        for row in range(photos)
        if row not in queried
    )


def _compared(
    catalog: Catalog,
    planned: Planned,
    engine: Engine,
    progress: Progress | None,
    pairing: CachedComparison | None,
    pool: PairPool | None,
) -> TrialScores:
    table, trials = planned.table, planned.trials
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
        shown = tuple(trial.only(rows) for trial, rows in zip(trials, seen, strict=True))
        compared += looking.compared
        if recipe.others is None:
            trials = shown
        else:
            rest = FirstStage(first_matches, recipe.others, seen)
    pairing = pairing or pairs_of(catalog, engine, pool)
    before = pairing.compared
    pairs = Compared(table.photos, catalog, pairing)
    pairs.run(shown, progress)
    return TrialScores(table, trials, pairs, compared + pairing.compared - before, rest, planned.stopped_at)
