"""Scores that catalogue photos got when they were asked about: what a novelty model is fitted to and calibrated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import Float64, Int64
from retrieval.defaults import THOROUGH_FIT_BUDGET


@dataclass(frozen=True, slots=True, eq=False)
class ImpostorMaxima:
    """Best scores of catalogue photos whose own turtle was taken out of the gallery.

    Attributes
    ----------
    score : float64 [n]
    individual : int64 [n]
        Code of the query's turtle.
    query : int64 [n]
        Code of the query's photo; one photo may stand in several rows, one for each sub-gallery.
    gallery : int64 [n]
        Turtles in the sub-gallery, the own one not counted.
    photos : int64 [n]
        Photos that the turtle with the best score had in the gallery.
    """

    score: Float64
    individual: Int64
    query: Int64
    gallery: Int64
    photos: Int64

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: Int64, individual: Int64) -> ImpostorMaxima:
        """These rows, under these codes of individuals."""
        return ImpostorMaxima(self.score[rows], individual, self.query[rows], self.gallery[rows], self.photos[rows])


@dataclass(frozen=True, slots=True, eq=False)
class GenuineScores:
    """Catalogue photos searched with only their own encounter left out.

    Attributes
    ----------
    score : float64 [n]
        Best over the photos of the true turtle's other encounters; NaN where the shortlist missed the turtle.
    individual : int64 [n]
    photos : int64 [n]
        Photos of the true turtle that it could match, at least 1.
    impostor, second : float64 [n]
        Best and second-best score of wrong turtles in the same query; NaN where there was none.
    gallery : int64 [n]
        Turtles in the gallery, the true one counted.
    """

    score: Float64
    individual: Int64
    photos: Int64
    impostor: Float64
    second: Float64
    gallery: Int64

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: Int64, individual: Int64) -> GenuineScores:
        """These rows, under these codes of individuals."""
        return GenuineScores(
            self.score[rows], individual, self.photos[rows], self.impostor[rows], self.second[rows], self.gallery[rows]
        )

    @property
    def shortlisted(self) -> npt.NDArray[np.bool_]:
        """Whether the true turtle was compared, bool [n]."""
        return ~np.isnan(self.score)


@dataclass(frozen=True, slots=True)
class TooSmall:
    """A catalogue that cannot be fitted yet: candidates are ranked, probabilities withheld, the verdict UNDECIDED."""

    reason: str


def asking_more(stopped_at: int) -> str:
    """Says which command asks about more turtles than a fit that stopped at so many pairs."""
    if stopped_at < THOROUGH_FIT_BUDGET:
        return "`turtleidx fit` asks about more"
    return f"`turtleidx fit --budget {2 * stopped_at}` asks about more"
