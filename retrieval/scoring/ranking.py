"""From matched photos to ranked turtles: a turtle's score is the best of its photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from index.types import MATCH_THRESHOLD, LocalFeatures, Matches, Photo
from retrieval.scoring.confidences import PairConfidences, pair_confidences
from retrieval.scoring.wasserstein import ConfidenceNull, Score, best_first, score_pairs


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A gallery photo that was matched with the query."""

    photo: Photo
    features: LocalFeatures
    matches: Matches


def rank(pairs: Sequence[Pair], keypoints: int, null: ConfidenceNull, score: Score) -> tuple[Candidate, ...]:
    """Turtles of the matched photos, best first; ties go by mean confidence.

    Parameters
    ----------
    keypoints : int
        Of the query.
    """
    if not pairs:
        return ()
    confidences = PairConfidences.of([pair_confidences(one.matches, keypoints, len(one.features)) for one in pairs])
    scores = score_pairs(confidences, null, score)
    best: dict[str, Candidate] = {}
    for row in best_first(scores, confidences.mean()):
        photo, evidence = pairs[row].photo, pairs[row].matches
        if photo.turtle is not None and photo.turtle not in best:
            counted = int((evidence.confidence >= MATCH_THRESHOLD).sum())
            best[photo.turtle] = Candidate(photo.turtle, float(scores[row]), None, counted, photo, evidence)
    return tuple(best.values())


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
