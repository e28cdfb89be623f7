"""From matched photos to ranked turtles: a turtle's score is the best of its photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from index.types import Matches, Photo
from retrieval.scoring.confidences import PairConfidences, count_matches, pair_confidences
from retrieval.scoring.pair_scoring import PairScoring
from retrieval.scoring.wasserstein import best_first

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A gallery photo that was matched with the query."""

    photo: Photo
    matches: Matches


def rank(
    pairs: Sequence[Pair], keypoints: int, scoring: PairScoring, asked: Photo | None = None
) -> tuple[Candidate, ...]:
    """Turtles of the matched photos, best first; ties go by mean confidence.

    Parameters
    ----------
    keypoints : int
        Of the query.
    asked : Photo or None
        The query, where it is in the catalogue.
    """
    if not pairs:
        return ()
    confidences = PairConfidences.of([pair_confidences(one.matches, keypoints, one.photo.keypoints) for one in pairs])
    scores = scoring.of(confidences, [one.photo for one in pairs], asked)
    identified = [row for row in best_first(scores, confidences.mean()) if pairs[row].photo.turtle is not None]
    return tuple(
        Candidate(
            turtle=str(pairs[row].photo.turtle),
            score=float(scores[row]),
            probability=None,
            matches=count_matches(pairs[row].matches.confidence),
            photo=pairs[row].photo,
            evidence=pairs[row].matches,
        )
        for row in first_of_each(identified, lambda row: pairs[row].photo.turtle)
    )


def first_of_each(best_first: Iterable[Item], individual: Callable[[Item], object]) -> list[Item]:
    """The best photo of each individual, in order: those that come first of their individual.

    Parameters
    ----------
    individual : callable
        Whom a photo shows.
    """
    kept: dict[object, Item] = {}
    for one in best_first:
        kept.setdefault(individual(one), one)
    return list(kept.values())


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A gallery turtle that was compared with the query, by its best photo.

    Attributes
    ----------
    score : float
        By the recipe's score; higher always speaks for the same turtle.
    probability : float or None
        None while the catalogue has no fitted model.
    matches : int
        Keypoint matches with a confidence of at least 0.1 that geometric verification kept.
    photo : Photo
        The turtle's photo with the best score.
    evidence : Matches
        All matches of that photo.
    """

    turtle: str
    score: float
    probability: float | None
    matches: int
    photo: Photo
    evidence: Matches
