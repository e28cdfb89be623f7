"""Match pictures of suspected ids and of unidentified groups, of the catalogue's own photos."""

from __future__ import annotations

from pathlib import PurePath

from index.catalog import Catalog
from index.types import Photo, Pixels, PreparedPhoto, Sighting
from retrieval.engine import Engine
from retrieval.images import Heading
from retrieval.pipeline import compared_picture, described
from retrieval.review.clustering import Group
from retrieval.review.suspicions import Finding

PICTURED = 3
"""Candidates of a group in its picture."""


def finding_picture(catalog: Catalog, engine: Engine, found: Finding) -> Pixels:
    """The best pair of photos across, side by side, RGB uint8 [h, w, 3]. Raises CatalogDamaged."""
    first, second = found.photos
    chance = "" if found.probability is None else f"    P {found.probability:.2f}"
    heading = Heading(f"{first.turtle} and {second.turtle}{chance}", (f"Left: {_named(first)}",))
    return compared_picture(catalog, engine, _stored(catalog, first), [second], heading)


def group_picture(catalog: Catalog, engine: Engine, group: Group, photo: Photo) -> Pixels:
    """One photo of an unidentified group beside the group's candidates, of whom there is one, RGB uint8 [h, w, 3].

    Raises
    ------
    CatalogDamaged
    """
    best = group.candidates[:PICTURED]
    chance = "" if group.p_new is None else f"    P(new) {group.p_new:.2f}"
    numbers = ", ".join(map(str, group.encounters))
    title = f"{PurePath(photo.path).name}    {group.verdict.value}{f' {group.turtle}' if group.turtle else ''}{chance}"
    heading = Heading(title, (f"Encounter {numbers}: {_named(photo)}", group.reason))
    notes = ["" if one.probability is None else f", probability {one.probability:.2f}" for one in best]
    photos = [one.photo for one in best]
    return compared_picture(catalog, engine, _stored(catalog, photo), photos, heading, notes=notes)


def _stored(catalog: Catalog, photo: Photo) -> PreparedPhoto:
    """A photo of the catalogue as a query."""
    [features], [vector] = catalog.features([photo]), catalog.vectors([photo])
    seen = Sighting(photo.path, photo.turtle, photo.side, photo.taken_on, box=photo.box)
    thumbnail = catalog.thumbnail(photo)
    return PreparedPhoto(seen, photo.sha256, features, vector, thumbnail, features.size, photo.quality)


def _named(photo: Photo) -> str:
    about = described(photo.side, photo.taken_on)
    return f"{photo.turtle or 'unidentified'}, photo {photo.id}{f', {about}' if about else ''}"
