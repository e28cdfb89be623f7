"""The frozen value types that everything else speaks in."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""A picture in RGB, [h, w, 3]."""
Descriptor = npt.NDArray[Any]
"""Global descriptors: vectors (float32) or signatures (uint8), as the catalogue's recipe says."""

MIN_KEYPOINTS = 64
"""A photo with fewer keypoints "cannot be compared", which is different from "new"."""


class Side(StrEnum):
    """Which side of the head a photo shows; left and right carry different patterns."""

    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    FRONT = "front"


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


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """Keypoints of one photo, strongest first.

    Attributes
    ----------
    xy : float32 [n, 2]
        Position in pixels of the working image, pixel centres at whole numbers.
    scale : float32 [n]
        Diameter of the described neighbourhood in pixels (OpenCV's ``KeyPoint.size``).
    orientation : float32 [n]
        Radians, counted as OpenCV does (clockwise on screen, because y points down).
    descriptors : uint8 [n, 128] for SIFT, float16 [n, d] otherwise
        As the extractor gives them; RootSIFT is computed when they are used.
    size : (width, height)
        The working image in pixels.
    source : PhotoSource or None
        The photo that they were found in, where more can be learnt about it.
    """

    xy: Float32
    scale: Float32
    orientation: Float32
    descriptors: npt.NDArray[np.uint8] | npt.NDArray[np.float16]
    size: tuple[int, int]
    source: PhotoSource | None = None

    def __len__(self) -> int:
        return len(self.xy)


class PhotoSource(Protocol):
    """A photo by its stored working image, and what further extractors found in it.

    Further features come from the stored image only, so that they are the same whenever and by whatever way they are
    computed: at enrolment, later, or for a query.
    """

    def image(self) -> bytes:
        """JPEG of the working image. Raises CatalogDamaged where it is missing."""

    def beside(self, extractor: str) -> LocalFeatures | None:
        """What this extractor found, if it is known."""

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """Remember what this extractor found."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Mutual matches of one photo pair, without a threshold.

    Attributes
    ----------
    pairs : int32 [m, 2]
        Row numbers of a query keypoint and of a candidate keypoint; each keypoint at most once.
    confidence : float32 [m]
        In 0..1; 0 where geometric verification rejected the match.
    points : tuple of float32 [m, 2] or None
        Where the matches lie in either photo, where that is not at the photos' keypoints; `pairs` then numbers points
        of the matcher's own. Of no rows where whole photos are alike.
    """

    pairs: Int32
    confidence: Float32
    points: tuple[Float32, Float32] | None = None

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What made a catalogue's features and vectors: ids name method, parameters and weights.

    Attributes
    ----------
    extractor, encoder : str
        Ids such as ``sift-512-320-v3`` and ``vlad-1``.
    dimension : int
        Length of the global descriptors.
    votes : bool
        Global descriptors are signatures of visual words (bytes, see `visual_words.signature`) instead of vectors.
    """

    extractor: str
    encoder: str
    dimension: int
    votes: bool = False


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


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPhoto:
    """A photo ready to be enrolled: what is known about it and what was computed from it.

    Attributes
    ----------
    sha256 : str
        Hex digest of the file's bytes; with the head box, the sighting's identity.
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
    def key(self) -> str:
        """What its features, thumbnail and pairs are kept under."""
        return sighting_key(self.sha256, self.sighting.box, self.reading)


class Progress(Protocol):
    """Told how a long piece of work goes."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many more items are done, out of `total` where that is known by now."""


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
class GalleryFilter:
    """Which enrolled photos a search may return. None means no restriction.

    Attributes
    ----------
    identified : bool
        Only photos that belong to a turtle.
    without_turtle : str or None
        Leave this turtle's photos out (how impostor scores are measured).
    without_encounter : int or None
        Leave this encounter's photos out (how genuine scores are measured).
    without_photo : int or None
        Leave this photo out (it is the query itself).
    """

    side: Side | None = None
    species: str | None = None
    site: str | None = None
    taken_from: dt.date | None = None
    taken_to: dt.date | None = None
    identified: bool = True
    without_turtle: str | None = None
    without_encounter: int | None = None
    without_photo: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """Gallery photos whose global descriptors are nearest to the query's, best first.

    Attributes
    ----------
    photos : tuple of Photo
    similarity : float32 [len(photos)]
        Of the global descriptors: cosine, or votes.
    turtle_photos : int64 [len(photos)]
        How many photos of each photo's turtle the filter admits, shortlisted or not.
    gallery_photos, gallery_turtles : int
        How many photos and turtles the filter admits, shortlisted or not.
    catalogued_turtles : int
        How many turtles have a photo at all, admitted or not.
    """

    photos: tuple[Photo, ...]
    similarity: Float32
    turtle_photos: Int64
    gallery_photos: int
    gallery_turtles: int
    catalogued_turtles: int


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Whom photos show at present, and from which side.

    Attributes
    ----------
    turtle : int64 [n]
        The turtles' registry keys; -1 where the photo shows nobody who is known, or cannot be searched.
    side : int64 [n]
        A number for each side; -1 where none is stated.
    """

    turtle: Int64
    side: Int64


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


MATCH_THRESHOLD = 0.1
"""Confidence from which a match counts for `Score.MATCH_COUNT`, as in LightGlue's reference implementation."""
