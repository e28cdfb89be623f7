"""How a catalogue scores pairs: its confidence null, the way of scoring, and what gallery photos score with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.types import Float64, Photo
from retrieval.scoring.confidences import PairConfidences
from retrieval.scoring.score import Score
from retrieval.scoring.wasserstein import ConfidenceNull, score_pairs
from retrieval.scoring.znorm import OwnersOf, ZNorm


@dataclass(frozen=True, slots=True, eq=False)
class PairScoring:
    """Scores of pairs of a photo that is asked about with gallery photos.

    Attributes
    ----------
    norm : ZNorm or None
        None takes scores as they are.
    owners_of : callable
        From the numbers of photos to whom they show now.
    """

    null: ConfidenceNull
    score: Score
    norm: ZNorm | None
    owners_of: OwnersOf

    def of(self, pairs: PairConfidences, photos: Sequence[Photo], asked: Photo | None = None) -> Float64:
        """Score every pair, float64 [pairs].

        Parameters
        ----------
        photos : sequence of Photo
            The gallery photo of each pair.
        asked : Photo or None
            The other one, where it is in the catalogue: what its turtle scores with others then counts for nothing.
        """
        scores = score_pairs(pairs, self.null, self.score)
        if self.norm is None or not len(scores):
            return scores
        numbers = np.array([photo.id for photo in photos], np.int64)
        left_out = None if asked is None else int(self.owners_of(np.array([asked.id])).turtle[0])
        return self.norm.normalise(scores, numbers, self.owners_of, left_out)
