"""Unidentified encounters that show one turtle: what links them, and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from index.types import Photo
from retrieval.novelty import Verdict
from retrieval.pipeline import OtherSide
from retrieval.scoring import Candidate


@dataclass(frozen=True, slots=True)
class Link:
    """Two encounters that match as photos of one turtle do, by their best pair of photos.

    Attributes
    ----------
    probability : float
        That the match is right.
    chance : float
        Share of photos of new turtles that match anybody as well.
    """

    first: int
    second: int
    score: float
    probability: float
    chance: float
    matches: int
    photos: tuple[Photo, Photo]

    def turned(self) -> Link:
        """The same, looked at from the other encounter."""
        return replace(self, first=self.second, second=self.first, photos=self.photos[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Unidentified encounters that show one turtle, and what is said about it.

    Attributes
    ----------
    encounters : tuple of int
        Ascending; the first names the group.
    turtle : str or None
        For KNOWN.
    p_new : float or None
        Probability of a turtle that is neither catalogued nor in another group, by the photo that speaks least for it.
    candidates : tuple of Candidate
        Catalogued turtles and, as "encounter 12", encounters outside the group, best first, by that same photo.
    asked : Photo or None
        That photo.
    other_side : OtherSide or None
        Where nobody of the stated side matches and somebody of the other one does.
    """

    encounters: tuple[int, ...]
    photos: tuple[Photo, ...]
    verdict: Verdict
    turtle: str | None
    p_new: float | None
    reason: str
    candidates: tuple[Candidate, ...]
    links: tuple[Link, ...]
    asked: Photo | None = None
    other_side: OtherSide | None = None
