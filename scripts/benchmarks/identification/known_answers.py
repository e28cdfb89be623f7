"""Searches among the photos of one catalogue, in any part of it, with a fitted model; every pair is compared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from index.catalog import Catalog
from index.types import Bool, Float32, Float64, Int64, LocalFeatures, Photo
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.fitting.pair_confidences import CachedComparison, Wanted, looks_of, pairs_of
from retrieval.fitting.trials import TrialPlan
from retrieval.matching import strength, strongest
from retrieval.novelty import Candidates, CatalogModel, Posterior
from retrieval.parallel import in_parts
from retrieval.pipeline import PairPool
from retrieval.scoring import PairConfidences


class Grounds:
    """All photos of a catalogue and what is known about their pairs; needs the writer's lock for the cache.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared that are planned ahead.
    """

    def __init__(self, catalog: Catalog, photos: Sequence[Photo], engine: Engine, pool: PairPool | None = None) -> None:
        self.catalog, self.photos, self.engine, self.pool = catalog, photos, engine, pool
        self.table = TrialPlan(photos, DescriptorSimilarity.of_stored(catalog, engine, photos).to, engine)
        self._looking = looks_of(catalog, engine, pool)
        self._comparing = pairs_of(catalog, engine, pool)

    def plan(self, rows: Int64, gallery: Int64) -> None:
        """Have the pool look at what searches with these photos will want to be looked at."""
        pairing = self._comparing if self.engine.reranking.keep is None else self._looking
        for part in in_parts(rows.tolist(), pairing.ahead):
            pairing.plan([self._wanted(row, self._candidates(row, gallery)) for row in part])

    def _wanted(self, row: int, others: Int64) -> Wanted:
        photo = self.photos[row]
        return Wanted(photo.sha256, partial(self._features, photo), [self.photos[one] for one in others])

    def _candidates(self, row: int, gallery: Int64) -> Int64:
        table, same_side = self.table, gallery[self.table.side_code[gallery] == self.table.side_code[row]]
        near = same_side[np.argsort(-table.similar(row)[same_side], kind="stable")]
        return table.shortlisted(near)

    def shortlist(self, row: int, gallery: Int64) -> tuple[Int64, Bool]:
        """The rows of the gallery that a search with this photo compares, int64 [k], and which the matcher sees."""
        found, recipe = self._candidates(row, gallery), self.engine.reranking
        if recipe.keep is None or len(found) <= recipe.keep:
            return found, np.ones(len(found), bool)
        first_matches = self._confidences(self._looking, row, found)
        seen = np.isin(np.arange(len(found)), strongest([strength(one) for one in first_matches], recipe.keep))
        return (found[seen], seen[seen]) if recipe.others is None else (found, seen)

    def confidences(self, row: int, others: Int64, seen: bool) -> list[Float32]:
        """Match confidences of one photo with others, whom the matcher sees or who are only looked at."""
        if seen:
            return self._confidences(self._comparing, row, others)
        share = np.float32(self.engine.reranking.others or 0)
        return [look * share for look in self._confidences(self._looking, row, others)]

    def _confidences(self, pairing: CachedComparison, row: int, others: Int64) -> list[Float32]:
        wanted = self._wanted(row, others)
        return pairing.confidences(wanted.key, wanted.features, wanted.others)

    def _features(self, photo: Photo) -> LocalFeatures:
        [features] = self.catalog.features([photo])
        return features


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Ranked turtles of one search, and the size of the gallery that it saw.

    Attributes
    ----------
    gallery, turtles : int
        Turtles with a photo of the searched side, and of any side.
    """

    candidates: Candidates
    gallery: int
    turtles: int

    @property
    def best(self) -> float:
        """Highest score, as it was computed."""
        return float(self.candidates.score.max())

    @property
    def first(self) -> int:
        """Code of the turtle with the highest score."""
        return int(self.candidates.turtle[self.candidates.score.argmax()])


class Searcher:
    """Searches with one fitted judge."""

    def __init__(self, grounds: Grounds, model: CatalogModel) -> None:
        self.grounds, self.model = grounds, model
        self._scoring = model.scoring(grounds.catalog, grounds.engine.score)
        self._scores: dict[tuple[tuple[int, int], bool], float] = {}

    def search(self, row: int, gallery: Int64) -> Found | None:
        """Ranked turtles; None where the gallery has no photo of this side."""
        rows, seen = self.grounds.shortlist(row, gallery)
        if not len(rows):
            return None
        turtle, score = self.grounds.table.turtle, np.zeros(len(rows))
        for how in (True, False):
            score[seen == how] = self._score(row, rows[seen == how], how)
        order = np.argsort(-score, kind="stable")
        codes, first = np.unique(turtle[rows][order], return_index=True)
        same_side = gallery[self.grounds.table.side_code[gallery] == self.grounds.table.side_code[row]]
        photos = np.bincount(turtle[same_side], minlength=int(codes.max()) + 1)[codes]
        sizes = len(np.unique(turtle[same_side])), len(np.unique(turtle[gallery]))
        return Found(Candidates(codes, score[order][first], photos.astype(np.int64)), *sizes)

    def posterior(self, found: Found, prior_new: float) -> Posterior:
        """What the judge's model says about it."""
        if self.model.novelty is None:
            raise ValueError(self.model.missing)
        return self.model.novelty.posterior(
            found.candidates, found.gallery, prior_new, 1 - found.gallery / found.turtles
        )

    def _score(self, row: int, others: Int64, seen: bool) -> Float64:
        pairs = [((row, int(other)), seen) for other in others]
        missing = [place for place, pair in enumerate(pairs) if pair not in self._scores]
        if missing:
            confidences = PairConfidences.of(self.grounds.confidences(row, others[missing], seen))
            photos = [self.grounds.photos[other] for other in others[missing]]
            fresh = self._scoring.of(confidences, photos)
            self._scores.update((pairs[place], float(one)) for place, one in zip(missing, fresh, strict=True))
        return np.array([self._scores[pair] for pair in pairs])
