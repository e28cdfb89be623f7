"""What the pipeline answers: frozen rows that the command line prints and evaluation counts."""

from __future__ import annotations

from dataclasses import dataclass

from index.types import LocalFeatures, Matches, Photo
from retrieval.decision import Verdict


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that could not be used, and why, in one sentence."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """What became of the photos that were to be enrolled.

    Attributes
    ----------
    seconds : float
        Wall-clock time.
    """

    enrolled: tuple[Photo, ...]
    already_there: tuple[Photo, ...]
    refused: tuple[Refusal, ...]
    seconds: float


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


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """The answer about one query photo.

    Attributes
    ----------
    turtle : str or None
        For KNOWN.
    p_new, p_new_low, p_new_high : float or None
        Probability of a turtle that is not in the catalogue, with its 90 % bootstrap interval.
    p_not_compared : float or None
        Probability of a catalogued turtle that the search did not compare.
    candidates : tuple of Candidate
        Best first.
    compared_photos, compared_turtles, gallery_photos, gallery_turtles : int
        What was matched, and what the searched gallery holds.
    features : LocalFeatures or None
        The query's own, for pictures; None when it could not be read.
    """

    photo: str
    verdict: Verdict
    turtle: str | None
    p_new: float | None
    p_new_low: float | None
    p_new_high: float | None
    p_not_compared: float | None
    reason: str
    candidates: tuple[Candidate, ...]
    compared_photos: int
    compared_turtles: int
    gallery_photos: int
    gallery_turtles: int
    matcher: str
    seconds: float
    features: LocalFeatures | None


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit used and what came of it.

    Attributes
    ----------
    fitted : bool
        False when the catalogue is too small; `reason` says what is missing.
    photos, turtles : int
        Photos and turtles that were queried.
    pairs, compared : int
        Photo pairs used, and how many of them had to be compared now; the others were cached.
    """

    fitted: bool
    reason: str
    photos: int
    turtles: int
    pairs: int
    compared: int
    seconds: float
