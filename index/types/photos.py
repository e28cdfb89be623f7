"""What the registry holds about enrolled photos, and what became of those that were brought."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Protocol

from index.types.sightings import HeadBox, Side

Occasion = tuple[Literal["encounter", "undated"], int]
"""An encounter by its number, or all undated photos of a turtle by its key."""


class Kept(Protocol):
    """A photo whose features are kept, whether it is enrolled or was only asked about."""

    @property
    def key(self) -> str:
        """What they are kept under."""

    @property
    def path(self) -> str:
        """Where the photo was."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An enrolled photo as the registry holds it. `id` is also its id in the vector index.

    Attributes
    ----------
    sha256 : str
        Of the file, which may show other turtles in other head boxes.
    stored_under : str or None
        What its features and pairs are kept under; None is the file's digest.
    undated_of : int or None
        The registry's key of the turtle whose undated photos count as one occasion, this one among them.
    """

    id: int
    sha256: str
    path: str
    turtle: str | None
    encounter: int
    side: Side | None
    taken_on: dt.date | None
    keypoints: int
    quality: float
    stored_under: str | None = None
    undated_of: int | None = None
    box: HeadBox | None = None

    @property
    def key(self) -> str:
        """What its features, thumbnail and pairs are kept under."""
        return self.stored_under or self.sha256

    @property
    def occasion(self) -> Occasion:
        """Photos of one occasion are never evidence of each other."""
        return ("encounter", self.encounter) if self.undated_of is None else ("undated", self.undated_of)


@dataclass(frozen=True, slots=True)
class EnrollOutcome:
    """What became of one prepared photo: a new row, or the row that already held this head of these bytes.

    Attributes
    ----------
    elsewhere : bool
        The row that is there belongs to another turtle, or to none, and was left as it is.
    """

    photo: Photo
    already_there: bool
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the registry that a saved index holds.

    Attributes
    ----------
    event : int
        Every photo enrolled up to this event is in the file.
    token : str
        The event's own random mark, so that an event number that was used twice (a registry rolled back by a
        power loss) is not taken for the same state.
    """

    event: int
    token: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that could not be used, and why, in one sentence."""

    path: str
    reason: str
