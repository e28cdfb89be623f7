"""What the pipeline answers: frozen records that the command line, pages and evaluation share."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from index.types import LocalFeatures, Photo, PreparedPhoto, Refusal, Side
from retrieval.novelty import Prediction, Verdict
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
class QueryPhoto:
    """The photo that was asked about.

    Attributes
    ----------
    path : str
        As the user named it.
    side : Side or None
        Whose gallery was searched; None is the whole one.
    prepared : PreparedPhoto or None
        What was computed from it; None when it could not be read.
    enrolled : Photo or None
        The catalogue's own record of this very photo, where it has one.
    """

    path: str
    side: Side | None = None
    prepared: PreparedPhoto | None = None
    enrolled: Photo | None = None

    @property
    def features(self) -> LocalFeatures | None:
        """Its local features; None when it could not be read."""
        return None if self.prepared is None else self.prepared.features

    @property
    def sha256(self) -> str | None:
        """Of its bytes; None when it could not be read."""
        return None if self.prepared is None else self.prepared.sha256

    @property
    def taken_on(self) -> dt.date | None:
        """As the user or EXIF says."""
        return None if self.prepared is None else self.prepared.sighting.taken_on


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many photos and turtles were matched, and how many the searched gallery holds.

    Attributes
    ----------
    unreachable : int
        Further photos of the gallery, on machines that could not be reached.
    """

    photos: int = 0
    turtles: int = 0
    gallery_photos: int = 0
    gallery_turtles: int = 0
    unreachable: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class OtherSide:
    """The turtle that a photo shows if it is of the other side than was stated, and its best photo of that side.

    Attributes
    ----------
    asked : Photo or None
        The photo whose side is doubted, where it is one of the catalogue's.
    """

    side: Side
    turtle: str
    probability: float | None
    matches: int
    photo: Photo
    asked: Photo | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """The answer about one query photo: what was asked, what the model says, and what was compared for it.

    Attributes
    ----------
    matcher : str
        Id of what matched.
    seconds : float
        Wall-clock time.
    other_side : OtherSide or None
        Where nobody of the stated side matches and somebody of the other one does.
    """

    query: QueryPhoto
    prediction: Prediction
    coverage: Coverage
    matcher: str
    seconds: float
    other_side: OtherSide | None = None

    @property
    def photo(self) -> str:
        """Path of the query photo."""
        return self.query.path

    @property
    def verdict(self) -> Verdict:
        """KNOWN, NEW, UNDECIDED, NOT_COMPARABLE or REFUSED."""
        return self.prediction.verdict

    @property
    def turtle(self) -> str | None:
        """The turtle's id, for KNOWN."""
        return self.prediction.turtle

    @property
    def p_new(self) -> float | None:
        """Probability of a turtle that is not in the catalogue; None without a fitted model."""
        return self.prediction.p_new

    @property
    def reason(self) -> str:
        """One sentence or two."""
        return self.prediction.reason

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Compared turtles, best first."""
        return self.prediction.candidates

    @property
    def unsearched_turtles(self) -> int:
        """Catalogued turtles without a photo in the searched gallery; 0 where that is not known."""
        posterior = self.prediction.posterior
        return 0 if posterior is None else round(posterior.turtles - posterior.gallery)


@dataclass(frozen=True, slots=True, eq=False)
class EncounterAnswer:
    """The answer about one turtle that was photographed several times on one occasion.

    Attributes
    ----------
    photos : tuple of Identification
        The answer about each photo alone.
    prediction : Prediction
        About all of them together; its candidates are most probable first, without a fitted model best first, each by
        its best match in any photo.
    unsearched_turtles : int
        Catalogued turtles without a photo of any side that the encounter shows.
    two_ids : (str, str) or None
        Ids that are known by one side each, where the left photos look like the one and the right ones like the other.
    """

    name: str | None
    photos: tuple[Identification, ...]
    prediction: Prediction
    unsearched_turtles: int
    seconds: float
    two_ids: tuple[str, str] | None = None

    @property
    def verdict(self) -> Verdict:
        """KNOWN, NEW, UNDECIDED, or what all photos have in common."""
        return self.prediction.verdict

    @property
    def turtle(self) -> str | None:
        """The turtle's id, for KNOWN."""
        return self.prediction.turtle

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Compared turtles, most probable first."""
        return self.prediction.candidates
