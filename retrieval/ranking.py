"""From matched photos to ranked turtles: a turtle's score is the best of its photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.types import LocalFeatures, Matches, Photo
from retrieval.results import Candidate
from retrieval.scoring import (
    MATCH_THRESHOLD,
    ConfidenceNull,
    PairConfidences,
    Score,
    best_first,
    pair_confidences,
    score_pairs,
)


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


def no_null() -> ConfidenceNull:
    """The null before any fit: different turtles have no matches at all, so that W⁺ is the mean confidence."""
    some = np.zeros(1)
    return ConfidenceNull(np.zeros(1), np.ones(1), np.ones(1), some, np.ones(1))
