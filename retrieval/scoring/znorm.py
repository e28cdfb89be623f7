"""A gallery photo's scores relative to what photos of other turtles score with it (Z-norm; Auckenthaler et al. 2000).

A busy photo scores high with everybody, and a blurred one with nobody; what speaks for a match is how far a score lies
above those of other turtles' photos. Together with the same on the query's side (`TNorm`) that is the symmetric
normalisation of speaker verification.

What is kept are scores of pairs, never means: whom the photos show, and from which side, is asked when a query is
answered. So photos that were moved, merged, retired, removed or given back since count as what they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from index.types import Bool, Float64, Int64, Owners
from retrieval.scoring.serialization import model_record, read_model

COHORT = 100
"""Scores that are kept of each gallery photo, so that a model stays small however large the catalogue is."""
STRENGTH = 60.0
"""As many scores of a photo of its own tell as much about it as all other photos do."""

WIDEST = 2.0
"""How much a photo's spread may differ from the typical one."""
DIGITS = 6
"""Of the scores that are kept."""

OwnersOf = Callable[[Int64], Owners]
"""From the numbers of photos to whom they show now."""

_KIND, _VERSION = "gallery norm", 1
_NAMES = ("photo", "asked", "score", "mean", "spread")


@dataclass(frozen=True, slots=True, eq=False)
class ZNorm:
    """Scores of gallery photos with other photos of the catalogue that were searched with.

    Attributes
    ----------
    photo, asked : int64 [n]
        Numbers of the gallery photo, ascending, and of the photo that was searched with.
    score : float64 [n]
    mean, spread : float
        Mean over gallery photos of the mean of a photo's scores with other turtles, and the median of their spreads, so
        that a photo which nobody was compared with is taken for a typical one.
    """

    photo: Int64
    asked: Int64
    score: Float64
    mean: float
    spread: float

    @classmethod
    def fit(cls, photo: Int64, asked: Int64, score: Float64, owners_of: OwnersOf, seed: int = 0) -> ZNorm:
        """Keep at most `COHORT` of each photo's scores, drawn at random, and learn what all photos have in common."""
        order = np.lexsort((np.random.default_rng(seed).random(len(photo)), photo))
        photo, asked, score = photo[order], asked[order], score[order]
        turn = np.arange(len(photo)) - np.searchsorted(photo, photo)
        kept = turn < COHORT
        every = cls(photo[kept], asked[kept], score[kept].astype(np.float64).round(DIGITS), 0.0, 1.0)
        count, total, squares = every._but_best(np.unique(every.photo), every._strange(owners_of, None))
        several = count > 1
        if not several.any():
            return every
        count, mean = count[several], total[several] / count[several]
        within = np.sqrt(np.maximum(squares[several] / count - mean**2, 0.0))
        typical = float(np.median(within)) or float(within.mean()) or 1.0
        return cls(every.photo, every.asked, every.score, float(mean.mean()), typical)

    def normalise(self, scores: Float64, photos: Int64, owners_of: OwnersOf, left_out: int | None = None) -> Float64:
        """Scores float64 [k] with gallery photos int64 [k], more as if all of these scored alike with other turtles.

        Parameters
        ----------
        left_out : int or None
            A turtle by its key whose photos tell nothing: that of the photo which is searched with, where it is known.
        """
        which, at = np.unique(photos, return_inverse=True)
        mean, spread = self.moments(which, owners_of, left_out)
        return self.relative(scores, mean[at], spread[at])

    def relative(self, scores: Float64, mean: Float64, spread: Float64) -> Float64:
        """Scores of photos of such moments, float64 [k]: less the mean, and half way to an equal spread.

        Half way, because a second expert's share of a score spreads alike whatever the photo.
        """
        return np.asarray(self.mean + (scores - mean) * np.sqrt(self.spread / spread))

    def moments(self, photos: Int64, owners_of: OwnersOf, left_out: int | None = None) -> tuple[Float64, Float64]:
        """Mean and spread of the scores with other turtles of gallery photos int64 [k], ascending, each once.

        The highest score of each is left out, because it may be of the same turtle under another name. Both are drawn
        towards those of all photos, and the spread is bounded by `WIDEST`.
        """
        count, total, squares = self._but_best(photos, self._strange(owners_of, left_out))
        weight = STRENGTH + count
        mean = (STRENGTH * self.mean + total) / weight
        square = (STRENGTH * (self.spread**2 + self.mean**2) + squares) / weight
        spread = np.sqrt(np.maximum(square - mean**2, 0.0))
        return mean, np.clip(spread, self.spread / WIDEST, self.spread * WIDEST)

    def _strange(self, owners_of: OwnersOf, left_out: int | None) -> Bool:
        """Which scores are of two known turtles, from one side, and not of the turtle that is left out."""
        of_photo, of_asked = owners_of(self.photo), owners_of(self.asked)
        strange = (of_photo.turtle != of_asked.turtle) & (of_photo.side == of_asked.side)
        strange &= (of_photo.turtle >= 0) & (of_asked.turtle >= 0)
        if left_out is not None:
            strange &= of_asked.turtle != left_out
        return np.asarray(strange)

    def _but_best(self, photos: Int64, counted: Bool) -> tuple[Float64, Float64, Float64]:
        """Number, sum and sum of squares of the counted scores of each photo but its highest, float64 [k] each."""
        place = np.minimum(np.searchsorted(photos, self.photo), max(len(photos) - 1, 0))
        counted = counted & (photos[place] == self.photo) if len(photos) else np.zeros(len(self.photo), bool)
        place, score = place[counted], self.score[counted]
        best, some = np.zeros(len(photos)), np.zeros(len(photos))
        if len(place):
            starts = np.flatnonzero(np.diff(place, prepend=-1))
            best[place[starts]], some[place[starts]] = np.maximum.reduceat(score, starts), 1.0
        count, total, squares = (np.bincount(place, weight, len(photos)) for weight in (score**0, score, score**2))
        return count - some, total - best, squares - best**2

    def to_record(self) -> dict[str, object]:
        """What `from_record` reads."""
        return model_record(_KIND, _VERSION, {name: getattr(self, name) for name in _NAMES})

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | str) -> ZNorm:
        """Read what `to_record` gave, or its JSON text; raises CatalogTooNew or CatalogDamaged."""
        read = read_model(record, _KIND, _VERSION, _NAMES)
        photo, asked = (np.asarray(read[name], np.int64) for name in ("photo", "asked"))
        return cls(photo, asked, np.asarray(read["score"], np.float64), read["mean"], read["spread"])
