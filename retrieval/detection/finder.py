"""The door: what finds heads, and what it says of a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from index.types import HeadBox, Pixels, Side


@dataclass(frozen=True, slots=True)
class FoundHead:
    """A head in a photograph.

    Attributes
    ----------
    box : HeadBox
        In pixels of the photo that was looked at.
    confidence : float
        0 to 1; what it is worth is learnt from boxes that people drew (`turtleidx train detector`).
    side : Side or None
        LEFT or RIGHT, the likelier one; None where the finder does not tell sides.
    side_probability : float
        That `side` is right, 0.5 to 1; 0 without a side.
    angle : float or None
        Radians by which the photo is to be turned clockwise so that the snout points to the left on left sides, to the
        right on right ones.
    """

    box: HeadBox
    confidence: float
    side: Side | None = None
    side_probability: float = 0.0
    angle: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a finder says of one photograph.

    Attributes
    ----------
    heads : tuple of FoundHead
        Surest first.
    cut_out : bool
        The photo is a head that somebody cut out already: it is left as it is.
    """

    heads: tuple[FoundHead, ...]
    cut_out: bool = False


class HeadFinder(Protocol):
    """Finds the heads of turtles."""

    @property
    def id(self) -> str:
        """Names the method and its weights."""

    @property
    def threshold(self) -> float:
        """Over this confidence a box is taken, under it a person draws one."""

    @property
    def certified(self) -> bool:
        """Whether the threshold was set on photos whose boxes people drew."""

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        """What is in each of n photos, RGB uint8 [h, w, 3]."""
