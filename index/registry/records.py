"""What the registry tells about its records: frozen rows, nothing that could change the catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from index.types import BoxOrigin, HeadBox, Side


class TurtleStatus(StrEnum):
    """Whether an id is in use. Only active turtles are searched."""

    ACTIVE = "active"
    RETIRED = "retired"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Turtle:
    """One individual, with what its photos add up to.

    Attributes
    ----------
    photos, encounters : int
        Removed photos are not counted.
    sides : frozenset of Side
        Sides that at least one photo shows.
    first_seen, last_seen : date or None
        Of the dated photos.
    merged_into : str or None
        The id that took this one's photos over.
    """

    id: str
    status: TurtleStatus
    species: str | None
    note: str | None
    tags: tuple[str, ...]
    photos: int
    encounters: int
    sides: frozenset[Side]
    first_seen: dt.date | None
    last_seen: dt.date | None
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class Encounter:
    """One occasion on which one turtle was photographed.

    Attributes
    ----------
    name : str or None
        The user's own name; None where the one-day rule grouped the photos.
    turtle : str or None
        None while nobody has said which turtle it is.
    day : date or None
        The first on which one of its photos was taken; None where no photo has a date.
    """

    id: int
    name: str | None
    turtle: str | None
    day: dt.date | None
    photos: int
    sides: frozenset[Side]


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """Everything that the registry knows about one photo.

    Attributes
    ----------
    relative : str or None
        Path relative to the folder that holds the catalogue, for photos below it.
    species : str or None
        As the manifest said; the turtle's own may differ.
    latitude, longitude : float or None
        Degrees, WGS 84.
    size : (width, height)
        Of the original in pixels, after EXIF orientation.
    notes : mapping
        Every other column of the manifest.
    key : str
        What features, thumbnail and pairs are kept under.
    reader, reading : int
        The reader that read the file, and the first one that gave these pixels.
    read_box : HeadBox or None
        The head box that was read; `box` is what people say now.
    taken_at : str or None
        The moment as the camera wrote it, ISO 8601.
    content : str or None
        Digest of the file without its metadata.
    box_origin : BoxOrigin or None
        Who says where the head is; None where nobody looked for one.
    box_confidence : float or None
        The head finder's, 0 to 1.
    """

    id: int
    sha256: str
    path: str
    relative: str | None
    turtle: str | None
    encounter: int
    encounter_name: str | None
    side: Side | None
    taken_on: dt.date | None
    species: str | None
    site: str | None
    observer: str | None
    latitude: float | None
    longitude: float | None
    box: HeadBox | None
    keypoints: int
    quality: float
    size: tuple[int, int]
    removed: bool
    notes: Mapping[str, str]
    key: str = ""
    reader: int = 1
    reading: int = 1
    read_box: HeadBox | None = None
    taken_at: str | None = None
    content: str | None = None
    box_origin: BoxOrigin | None = None
    box_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change of the registry: what was done, when (UTC), by whom and why.

    Attributes
    ----------
    command : str
        What was being run when it happened.
    undoes : int or None
        The event that this one took back.
    """

    id: int
    at: dt.datetime
    who: str
    action: str
    command: str
    why: str
    undoes: int | None


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A fitted model as JSON text, with the recipe that it was fitted with and the event that stored it."""

    kind: str
    recipe: str
    payload: str
    made_at: dt.datetime
    event: int


@dataclass(frozen=True, slots=True)
class CatalogSummary:
    """What a catalogue holds at a glance.

    Attributes
    ----------
    left, right, top, front, unsided : int
        Photos by the side they show.
    unidentified : int
        Encounters without a turtle.
    waiting : int
        Photos in which no head was found surely, and which wait for a person to draw its box.
    registry_bytes, features_bytes, vectors_bytes : int
        Size on disk.
    vectors_recall : float or None
        Share of the exact answer that searches find, measured when a large gallery was coded; None where all are exact.
    models : tuple of StoredModel
        The newest of each kind.
    health : tuple of str
        One sentence for each thing that is not as it should be; empty when all is well.
    """

    photos: int
    turtles: int
    encounters: int
    unidentified: int
    removed: int
    left: int
    right: int
    top: int
    front: int
    unsided: int
    registry_bytes: int
    features_bytes: int
    vectors_bytes: int
    vectors_recall: float | None
    models: tuple[StoredModel, ...]
    health: tuple[str, ...]
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One changed row: its content before and after as JSON text; both None for a new row that needs no telling."""

    record: str
    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What an operation did: the event that recorded it (None: a dry run, or nothing to do), the changed rows,
    and the ids of the turtles that are numbered in them."""

    event: int | None
    changes: tuple[Change, ...]
    names: Mapping[int, str] = field(default_factory=dict)


class Answer(StrEnum):
    """What a person decided about a query."""

    IS = "is"
    NEW = "new"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a named person decided about a kept query; `turtle` goes with the answer "is"."""

    id: int
    query: int
    answer: Answer
    turtle: str | None
    who: str
    why: str
    made_at: dt.datetime


@dataclass(frozen=True, slots=True)
class KeptQuery:
    """A query with the evidence that was shown for it.

    Attributes
    ----------
    evidence : str
        JSON text: candidates, probabilities, model ids, thresholds.
    decision : Decision or None
        The newest.
    """

    id: int
    sha256: str
    path: str
    verdict: str
    evidence: str
    made_at: dt.datetime
    decision: Decision | None
