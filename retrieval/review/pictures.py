"""Match pictures of suspected ids and of unidentified groups, of the catalogue's own photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from index.catalog import Catalog
from index.types import Photo, Pixels, PreparedPhoto, Sighting
from retrieval.engine import Engine
from retrieval.features import pixels_of
from retrieval.images import Heading
from retrieval.pipeline import compared_picture, described
from retrieval.review.groups import Group
from retrieval.review.suspicions import Finding

PICTURED = 3
"""Candidates of a group in its picture."""


def finding_picture(catalog: Catalog, engine: Engine, found: Finding) -> Pixels | None:
    """The best pair of photos across, side by side, RGB uint8 [h, w, 3]. Raises CatalogDamaged."""
    first, second = found.photos
    chance = "" if found.probability is None else f"    P {found.probability:.2f}"
    heading = Heading(f"{first.turtle} and {second.turtle}{chance}", (f"Left: {_named(first)}",))
    return _beside(catalog, engine, first, [second], heading)


def group_picture(catalog: Catalog, engine: Engine, group: Group) -> Pixels | None:
    """The photo that speaks least for a new turtle beside those that it matches best, RGB uint8 [h, w, 3].

    Where the side is doubted, the photo beside the other side's best. None where nothing was compared, or no
    kept picture can be read.

    Raises
    ------
    CatalogDamaged
    """
    other = group.other_side
    if other is not None and other.asked is not None:
        photo, photos, notes = other.asked, [other.photo], [""]
    elif group.asked is not None and group.candidates:
        best = group.candidates[:PICTURED]
        photo, photos = group.asked, [one.photo for one in best]
        notes = ["" if one.probability is None else f", probability {one.probability:.2f}" for one in best]
    else:
        return None
    chance = "" if group.p_new is None else f"    P(new) {group.p_new:.2f}"
    numbers = ", ".join(map(str, group.encounters))
    title = f"{PurePath(photo.path).name}    {group.verdict.value}{f' {group.turtle}' if group.turtle else ''}{chance}"
    heading = Heading(title, (f"Encounter {numbers}: {_named(photo)}", group.reason))
    return _beside(catalog, engine, photo, photos, heading, notes)


def _beside(
    catalog: Catalog,
    engine: Engine,
    photo: Photo,
    others: Sequence[Photo],
    heading: Heading,
    notes: Sequence[str] = (),
) -> Pixels | None:
    """None where a kept picture cannot be read."""
    if any(pixels_of(catalog.thumbnail(one)) is None for one in (photo, *others)):
        return None
    return compared_picture(catalog, engine, _stored(catalog, photo), others, heading, notes=notes)


def _stored(catalog: Catalog, photo: Photo) -> PreparedPhoto:
    """A photo of the catalogue as a query."""
    [features], [vector] = catalog.features([photo]), catalog.vectors([photo])
    seen = Sighting(photo.path, photo.turtle, photo.side, photo.taken_on, box=photo.box)
    thumbnail = catalog.thumbnail(photo)
    return PreparedPhoto(seen, photo.sha256, features, vector, thumbnail, features.size, photo.quality)


def _named(photo: Photo) -> str:
    about = described(photo.side, photo.taken_on)
    return f"{photo.turtle or 'unidentified'}, photo {photo.id}{f', {about}' if about else ''}"
