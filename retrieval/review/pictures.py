"""Match pictures of suspected ids and of unidentified encounters, made from what the catalogue keeps, so that originals
need not be at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from index.catalog import Catalog
from index.types import MATCH_THRESHOLD, Matches, Photo, Pixels
from retrieval.engine import Engine
from retrieval.features import pixels_of, with_views
from retrieval.images import Panel, match_picture
from retrieval.review.groups import Group
from retrieval.review.suspicions import Finding

PICTURED = 3
"""Candidates in the picture of a group."""


def finding_picture(catalog: Catalog, engine: Engine, found: Finding) -> Pixels | None:
    """The best pair of photos across, side by side, RGB uint8 [h, w, 3]; None where a kept picture cannot be read.

    Raises CatalogDamaged.
    """
    first, second = found.photos
    return _beside(catalog, engine, first, [second])


def group_picture(catalog: Catalog, engine: Engine, group: Group) -> Pixels | None:
    """The photo that speaks least for a new turtle beside those that it matches best, RGB uint8 [h, w, 3].

    Where the side is doubted, the photo beside the other side's best. None where nothing was compared, or no kept
    picture can be read. Raises CatalogDamaged.
    """
    other = group.other_side
    if other is not None and other.asked is not None:
        return _beside(catalog, engine, other.asked, [other.photo])
    if group.asked is None or not group.candidates:
        return None
    return _beside(catalog, engine, group.asked, [one.photo for one in group.candidates[:PICTURED]])


def _beside(catalog: Catalog, engine: Engine, photo: Photo, others: Sequence[Photo]) -> Pixels | None:
    picture = pixels_of(catalog.thumbnail(photo))
    shown = [(one, pixels) for one in others if (pixels := pixels_of(catalog.thumbnail(one))) is not None]
    if picture is None or not shown:
        return None
    own, *features = catalog.features([photo, *(one for one, _ in shown)])
    panels = [
        Panel(_caption(photo, other, matches), pixels, theirs, matches)
        for (other, pixels), theirs, matches in zip(shown, features, engine.compare(own, features), strict=True)
    ]
    return match_picture(picture, with_views(own), panels)


def _caption(photo: Photo, other: Photo, matches: Matches) -> str:
    counted = int((matches.confidence >= MATCH_THRESHOLD).sum())
    return f"{_named(photo)}   {_named(other)}   {counted} matches"


def _named(photo: Photo) -> str:
    owner = photo.turtle or f"encounter {photo.encounter}"
    known = [str(one) for one in (owner, f"photo {photo.id}", photo.taken_on, photo.side) if one is not None]
    return ", ".join(known)
