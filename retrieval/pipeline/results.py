"""What the pipeline answers: frozen rows that the command line prints and evaluation counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from index.types import LocalFeatures, Refusal, Side
from retrieval.novelty import Posterior, Verdict
from retrieval.scoring import Candidate


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """What became of the photos that were to be enrolled.

    Attributes
    ----------
    enrolled, already_there : tuple of int
        Photo ids, which stay small where a million photos do not.
    seconds : float
        Wall-clock time.
    remarks : tuple of Refusal
        What a person should know about photos that were not refused: the reason stands behind the path.
    """

    enrolled: tuple[int, ...]
    already_there: tuple[int, ...]
    refused: tuple[Refusal, ...]
    seconds: float
    remarks: tuple[Refusal, ...] = ()


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
    side : Side or None
        Whose gallery was searched; None is the whole one.
    posterior : Posterior or None
        What the model says, its turtles being row numbers of `candidates`; None without a fitted model or gallery.
    sha256 : str or None
        Of the photo's bytes; None when it could not be read.
    taken_on : date or None
        As the user or EXIF says.
    enrolled : bool
        Whether the photo itself is in the catalogue.
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
    side: Side | None = None
    posterior: Posterior | None = None
    sha256: str | None = None
    taken_on: dt.date | None = None
    enrolled: bool = False

    @property
    def unsearched_turtles(self) -> int:
        """Catalogued turtles without a photo in the searched gallery; 0 where that is not known."""
        return 0 if self.posterior is None else round(self.posterior.turtles - self.posterior.gallery)


@dataclass(frozen=True, slots=True, eq=False)
class EncounterAnswer:
    """The answer about one turtle that was photographed several times on one occasion.

    Attributes
    ----------
    photos : tuple of Identification
        The answer about each photo alone.
    candidates : tuple of Candidate
        Most probable first, without a fitted model best first; each by its best match in any photo.
    unsearched_turtles : int
        Catalogued turtles without a photo of any side that the encounter shows.
    """

    name: str | None
    photos: tuple[Identification, ...]
    verdict: Verdict
    turtle: str | None
    p_new: float | None
    p_new_low: float | None
    p_new_high: float | None
    p_not_compared: float | None
    reason: str
    candidates: tuple[Candidate, ...]
    unsearched_turtles: int
    seconds: float
