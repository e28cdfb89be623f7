"""What is known about a photo before it is enrolled: whose head it shows, from which side and where."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from index.types.arrays import Descriptor
from index.types.features import LocalFeatures


class Side(StrEnum):
    """Which side of the head a photo shows; left and right carry different patterns."""

    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    FRONT = "front"


class BoxOrigin(StrEnum):
    """Who says where the head is."""

    GIVEN = "given"
    """A manifest, or whoever enrolled the photo; also every box of a photo that does not say."""
    FOUND = "found"
    """The head finder, surely enough."""
    PERSON = "person"
    """Somebody who looked at the photo."""
    MISSING = "missing"
    """Nobody yet: a head was looked for and not found surely, and the photo waits for a person."""


@dataclass(frozen=True, slots=True)
class HeadBox:
    """The head in pixels of the EXIF-oriented original; keypoints outside are dropped."""

    x: float
    y: float
    w: float
    h: float

    def overlap(self, other: HeadBox) -> float:
        """Share of both boxes' common area that both cover, 0 to 1."""
        across = min(self.x + self.w, other.x + other.w) - max(self.x, other.x)
        down = min(self.y + self.h, other.y + other.h) - max(self.y, other.y)
        both = max(0.0, across) * max(0.0, down)
        return both / (self.w * self.h + other.w * other.h - both)


SAME_HEAD = 0.8
"""Boxes of one file that overlap by this much are one head."""


def same_head(one: HeadBox | None, other: HeadBox | None) -> bool:
    """Whether two sightings in one file are one head; the whole photo, which no box is, holds every head in it."""
    return one is None or other is None or one == other or one.overlap(other) >= SAME_HEAD


def sighting_key(sha256: str, box: HeadBox | None, reading: int) -> str:
    """What features, thumbnails and pairs of a sighting are kept under, 64 hex digits.

    The file's own digest stands for the whole photo that every reader reads alike.

    Parameters
    ----------
    reading : int
        The first reader that gave these pixels.
    """
    if box is None and reading == 1:
        return sha256
    told = "whole" if box is None else ",".join(f"{value:.3f}" for value in (box.x, box.y, box.w, box.h))
    return hashlib.sha256(f"{sha256} {told} {reading}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a person knows about one photo, before anything is computed from it.

    Attributes
    ----------
    path : str
        The file, as it will be shown and found again.
    turtle : str or None
        None stores an unidentified encounter.
    encounter : str or None
        The user's own name of the encounter; None groups photos of one turtle on one day.
    latitude, longitude : float or None
        Degrees, WGS 84.
    notes : mapping
        Every other column of a manifest, as text.
    remarks : tuple of str
        What whoever brings the photo should be told, to stand behind its name; not kept.
    box_origin : BoxOrigin or None
        None is GIVEN where there is a box, and otherwise a photo whose head nobody looked for.
    box_confidence : float or None
        Of the head finder, 0 to 1.
    turn : int
        Quarters of a circle by which the photo is to be turned clockwise so that the head in the box lies upright. Kept
        in the working image alone.
    """

    path: str
    turtle: str | None = None
    side: Side | None = None
    taken_on: dt.date | None = None
    encounter: str | None = None
    species: str | None = None
    site: str | None = None
    observer: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    box: HeadBox | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    box_origin: BoxOrigin | None = None
    box_confidence: float | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPhoto:
    """A photo ready to be enrolled: what is known about it and what was computed from it.

    Attributes
    ----------
    sha256 : str
        Hex digest of the file's bytes; with the head box, the sighting's identity.
    features, vector
        Of a photo that waits for its head's box: no keypoints, and zeros.
    vector : float32 [d] or uint8 [b]
        Global descriptor: a vector of unit length, or a signature.
    thumbnail : bytes
        JPEG, working image in colour, so that match pictures do not need the original.
    original_size : (width, height)
        After EXIF orientation.
    quality : float
        0 (useless) to 1 (sharp, well exposed, many keypoints).
    reading : int
        The first reader of files that gave these pixels; 1 for a file that every reader reads alike.
    reader : int
        The reader that read the file.
    taken_at : str or None
        The moment as its camera wrote it (ISO 8601, fractions and offset kept), for order.
    content : str or None
        Digest of the file without its metadata; None where its format is not taken apart.
    remarks : tuple of str
        What a person should know about the file, to stand behind its name.
    """

    sighting: Sighting
    sha256: str
    features: LocalFeatures
    vector: Descriptor
    thumbnail: bytes
    original_size: tuple[int, int]
    quality: float
    reading: int = 1
    reader: int = 1
    taken_at: str | None = None
    content: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether its head was not found, so that a person draws its box before it can be searched."""
        return self.sighting.box_origin is BoxOrigin.MISSING

    @property
    def key(self) -> str:
        """What its features, thumbnail and pairs are kept under."""
        return sighting_key(self.sha256, self.sighting.box, self.reading)
