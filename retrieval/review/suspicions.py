"""What an audit works on and what it says: searches of the catalogue's own photos, and suspected ids."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from index.types import Photo, Shortlist
from retrieval.review.pair_scores import PairScore
from retrieval.scoring import Candidate

PRIOR_WRONG = 0.05
"""Share of ids that are expected to be wrong in each of the ways, before looking."""

LEAST = 0.2
"""Suspicions that are less probable are not worth a look."""


class Kind(StrEnum):
    """What may be wrong with ids."""

    DUPLICATE = "duplicate"
    MIXED = "mixed"
    MISFILED = "misfiled"
    SAME_DAYS = "same days"


@dataclass(frozen=True, slots=True)
class Finding:
    """Ids that are probably wrong, with the evidence and the repair that it speaks for.

    Attributes
    ----------
    turtles : tuple of str
        Two for a duplicate, the id to keep first; one for a mixed identity; for misfiled photos the id that they lie
        under, then the one that they match.
    encounters : tuple of tuple of int
        The two parts of a mixed identity, the smaller one first; the misfiled encounters; empty for a duplicate.
    score : float
        Of the best pair of photos across.
    chance : float or None
        For a mixed identity, that one turtle's parts would match as badly; else that two different turtles would match
        (or be seen together) as well.
    probability : float or None
        That the ids are wrong; None without a fitted model.
    photos : (Photo, Photo)
        The best pair across.
    look_at : int
        Photos that a person has to look at.
    moved : tuple of Photo
        Photos that the repair gives another id: the smaller part of a mixed identity, or what is misfiled.
    to : str or None
        The id that misfiled photos should have; None for a new one.
    days : tuple of date
        On which both of two one-sided ids were seen.
    """

    kind: Kind
    turtles: tuple[str, ...]
    encounters: tuple[tuple[int, ...], ...]
    score: float
    matches: int
    chance: float | None
    probability: float | None
    photos: tuple[Photo, Photo]
    look_at: int
    moved: tuple[Photo, ...] = ()
    to: str | None = None
    days: tuple[dt.date, ...] = ()

    @property
    def worth(self) -> float:
        """What a look at it finds, by photo looked at."""
        return (0.0 if self.probability is None else self.probability) / self.look_at

    @property
    def rank(self) -> tuple[float, float, float]:
        """Sorts first what is most worth a look; without a model, by score alone."""
        return -self.worth, self.chance or 0.0, self.score if self.kind is Kind.MIXED else -self.score


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """A catalogued photo that was compared with others.

    Attributes
    ----------
    others : tuple of Candidate
        Other turtles, best first.
    gallery : Shortlist
        The search that found them.
    own : tuple of PairScore
        Photos of the same turtle's other encounters, best first.
    """

    photo: Photo
    others: tuple[Candidate, ...]
    gallery: Shortlist
    own: tuple[PairScore, ...]
