"""How alike photos of a catalogue are: scores of pairs, compared once and cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from index.catalog import Catalog
from index.types import Float32, LocalFeatures, Matches, Photo, Shortlist
from retrieval.engine import Engine
from retrieval.fitting import Cascade, Wanted
from retrieval.novelty import NoveltyModel, posterior_of
from retrieval.pipeline import PairPool
from retrieval.scoring import (
    Candidate,
    PairConfidences,
    PairScoring,
    best_first,
    count_matches,
    first_of_each,
)

_NO_MATCHES = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class PairScore:
    """How a photo compares with another one of the catalogue.

    Attributes
    ----------
    photo : Photo
        The other one.
    score : float
        By the recipe's score.
    matches : int
        Keypoint matches with a confidence of at least 0.1.
    """

    photo: Photo
    score: float
    matches: int


class PairScorer:
    """Compares photos of a catalogue with its recipe; needs the writer's lock, because it fills the cache.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared that are planned ahead; None compares each when it is asked for.
    """

    def __init__(self, catalog: Catalog, engine: Engine, scoring: PairScoring, pool: PairPool | None = None) -> None:
        self._catalog = catalog
        self._engine = engine
        self._scoring = scoring
        self._cascade = Cascade(catalog, engine, pool=pool)
        self._cache = catalog.pair_cache(engine.comparison, directed=engine.directed)

    @property
    def compared(self) -> int:
        """Pairs that the matcher looked at; those from the cache are not counted."""
        return self._cascade.pairs.compared

    def to_compare(self, photo: Photo, others: Sequence[Photo], own: Sequence[Photo]) -> int:
        """How many pairs the matcher would have to look at, at most: few of the others, and all of the turtle's own."""
        keep = self._engine.reranking.keep
        missing = self._missing(photo, others)
        return (missing if keep is None else min(keep, missing)) + self._missing(photo, own)

    def _missing(self, photo: Photo, others: Sequence[Photo]) -> int:
        return self._cache.missing([(photo.key, other.key) for other in _of_other_files(photo, others)])

    @property
    def ahead(self) -> int:
        """For so many photos at a time comparisons are to be planned."""
        return self._cascade.ahead

    def plan(
        self,
        searches: Sequence[tuple[Photo, Sequence[Photo]]],
        in_full: Sequence[tuple[Photo, Sequence[Photo]]] = (),
    ) -> None:
        """Have the pool compare photos with others, as `likenesses` asks for them or `in_full` as `all_likenesses`."""
        self._cascade.plan([self._wanted(*one) for one in searches])
        self._cascade.pairs.plan([self._wanted(*one) for one in in_full])

    def _wanted(self, photo: Photo, others: Sequence[Photo]) -> Wanted:
        return Wanted(photo.key, partial(self._features, photo), _of_other_files(photo, others))

    def likenesses(self, photo: Photo, others: Sequence[Photo]) -> list[PairScore]:
        """The photo against those of the others that the recipe compares, best first; never within one file."""
        others = _of_other_files(photo, others)
        rows, found = self._cascade.compare(photo.key, partial(self._features, photo), others)
        return self._scored(photo, [others[row] for row in rows], found)

    def all_likenesses(self, photo: Photo, others: Sequence[Photo]) -> list[PairScore]:
        """The photo against every one of the others as the matcher sees them, best first; never within one file."""
        others = _of_other_files(photo, others)
        found = self._cascade.pairs.confidences(photo.key, partial(self._features, photo), others)
        return self._scored(photo, others, found)

    def _scored(self, photo: Photo, others: Sequence[Photo], found: Sequence[Float32]) -> list[PairScore]:
        if not found:
            return []
        confidences = PairConfidences.of(found)
        scores = self._scoring.of(confidences, others, photo)
        return [
            PairScore(others[row], float(scores[row]), count_matches(found[row]))
            for row in best_first(scores, confidences.mean())
        ]

    def _features(self, photo: Photo) -> LocalFeatures:
        [features] = self._catalog.features([photo])
        return features


def chance_of_another(
    novelty: NoveltyModel, ranking: Sequence[Candidate], gallery: Shortlist, turtle: str, prior: float
) -> float:
    """P(the photo shows another turtle than this candidate of the ranking): half a catalogued one, half a new one."""
    found = posterior_of(novelty, ranking, gallery, 0.5)
    at = [candidate.turtle for candidate in ranking].index(turtle)
    right = (1 - prior) * float(np.exp(found.evidence[at]))
    others = float(np.exp(np.delete(found.evidence, at)).sum()) / max(found.turtles - 1, 1)
    wrong = prior * (1 + others) / 2
    return wrong / (wrong + right)


def candidates_of(likenesses: Sequence[PairScore], name: Callable[[Photo], str]) -> tuple[Candidate, ...]:
    """Individuals by their best photo, best first; `name` says whom a photo shows."""
    ordered = sorted(likenesses, key=lambda one: -one.score)
    return tuple(
        Candidate(name(one.photo), one.score, None, one.matches, one.photo, _NO_MATCHES)
        for one in first_of_each(ordered, lambda one: name(one.photo))
    )


def _of_other_files(photo: Photo, others: Sequence[Photo]) -> list[Photo]:
    return [other for other in others if other.sha256 != photo.sha256]
