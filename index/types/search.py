"""What a search may return and what it returned."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from index.types.arrays import Float32, Int64
from index.types.photos import Photo
from index.types.sightings import Side


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
    unreachable_photos : int
        Further photos that the filter admits, on machines that could not be reached.
    """

    photos: tuple[Photo, ...]
    similarity: Float32
    turtle_photos: Int64
    gallery_photos: int
    gallery_turtles: int
    catalogued_turtles: int
    unreachable_photos: int = 0


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
