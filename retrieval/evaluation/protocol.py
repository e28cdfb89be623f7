"""What an evaluation asks: photos of known truth, each against the gallery that it may be compared with.

Photos of one encounter are near-duplicates; a query's own encounter is never in its gallery.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.catalog import Browser, Catalog
from index.errors import InputError
from index.exchange import ManifestRow, RefusedRow, read_manifest
from index.types import GalleryFilter, Occasion, Photo, Refusal, Side, Sighting

GALLERY, KNOWN, NEW = "gallery", "known", "new"
"""Values of a manifest's column role."""


@dataclass(frozen=True, slots=True)
class Query:
    """One photo of known truth.

    Attributes
    ----------
    enrolled : Photo or None
        The catalogue's own photo that is asked about; None for a photo outside it.
    catalogued : bool
        Whether the gallery holds another encounter of the turtle.
    where : GalleryFilter
        The gallery: the photo's own side, where it has one, without what the query must not see.
    turtles : int or None
        Turtles that count as catalogued for this query, where the catalogue holds more.
    """

    sighting: Sighting
    enrolled: Photo | None
    turtle: str
    catalogued: bool
    where: GalleryFilter
    turtles: int | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """Queries, how they came about in a sentence, and photos that cannot be asked about, with the reasons."""

    description: str
    queries: tuple[Query, ...]
    left_out: tuple[Refusal, ...] = ()

    @property
    def share_new(self) -> float:
        """Share of the queries whose turtle is not catalogued; 0.5 without queries."""
        return float(np.mean([not query.catalogued for query in self.queries])) if self.queries else 0.5

    def drawn(self, most: int, seed: int) -> Protocol:
        """At most so many of the queries, drawn at random."""
        if len(self.queries) <= most:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self.queries), most, replace=False))
        words = f"{self.description} {most} of {len(self.queries)} queries were drawn at random."
        return Protocol(words, tuple(self.queries[row] for row in rows), self.left_out)


def has_gallery(manifest: Path) -> bool:
    """Whether a manifest names the gallery itself; raises ManifestError."""
    return next(iter(read_manifest(manifest, [GALLERY])), None) is not None


def from_rows(catalog: Catalog, manifest: Path) -> Protocol:
    """Rows with role known or new against the whole catalogue; raises ManifestError."""
    gallery = catalog.photos(GalleryFilter())
    names = {encounter.id: encounter.name for encounter in Browser(catalog).encounters()}
    queries: list[Query] = []
    left_out: list[Refusal] = []
    for row in read_manifest(manifest, [KNOWN, NEW]):
        made = Refusal(row.photo, row.reason) if isinstance(row, RefusedRow) else _from_row(row, gallery, names)
        if isinstance(made, Refusal):
            left_out.append(made)
        else:
            queries.append(made)
    words = "The manifest's photos of known and new turtles were asked about as if they had just been taken."
    return Protocol(words, tuple(queries), tuple(left_out))


def leave_one_out(catalog: Catalog) -> Protocol:
    """Every identified photo twice: without its own encounter (known), and without its own turtle (new)."""
    gallery = catalog.photos(GalleryFilter())
    turtles = len({photo.turtle for photo in gallery})
    encounters = _encounters_by_turtle(gallery)
    queries: list[Query] = []
    for photo in gallery:
        where = GalleryFilter(side=photo.side, without_photo=photo.id)
        turtle = str(photo.turtle)
        if encounters[turtle, photo.side] - {photo.occasion}:
            known = replace(where, without_encounter=photo.encounter)
            queries.append(Query(_sighting(photo), photo, turtle, True, known))
        new = replace(where, without_turtle=turtle)
        queries.append(Query(_sighting(photo), photo, turtle, False, new, turtles - 1))
    words = (
        "Every photo of the catalogue was asked about with its own encounter hidden (known) and with its own turtle "
        "hidden (new). The probabilities come from a model that was fitted with these photos too, so they look a "
        "little better calibrated here than on photos to come."
    )
    return Protocol(words, tuple(queries))


def since(catalog: Catalog, day: dt.date) -> Protocol:
    """Photos taken on a day or later against those taken before it; raises InputError where nothing is older."""
    gallery = catalog.photos(GalleryFilter())
    older = [photo for photo in gallery if photo.taken_on is not None and photo.taken_on < day]
    if not older:
        raise InputError(f"No identified photo of {catalog.path} was taken before {day}: choose a later day.")
    encounters = _encounters_by_turtle(older)
    turtles = {photo.turtle for photo in older}
    queries: list[Query] = []
    left_out: list[Refusal] = []
    for photo in gallery:
        if photo.taken_on is None or photo.taken_on < day:
            continue
        turtle = str(photo.turtle)
        seen = bool(encounters.get((turtle, photo.side), set()) - {photo.occasion})
        if turtle in turtles and not seen:
            left_out.append(_other_side(photo.path, turtle))
            continue
        where = GalleryFilter(
            side=photo.side,
            taken_to=day - dt.timedelta(days=1),
            without_encounter=photo.encounter,
            without_photo=photo.id,
        )
        queries.append(Query(_sighting(photo), photo, turtle, seen, where, len(turtles)))
    words = (
        f"Photos taken on {day} or later were asked about in the catalogue as it was before. The probabilities come "
        "from a model that was fitted with all photos."
    )
    return Protocol(words, tuple(queries), tuple(left_out))


def _from_row(row: ManifestRow, gallery: Sequence[Photo], names: dict[int, str | None]) -> Query | Refusal:
    sighting, turtle = row.sighting, row.sighting.turtle
    if turtle is None:
        return Refusal(sighting.path, f"{sighting.path} names no turtle, so that no answer could be called right.")
    where = GalleryFilter(side=sighting.side)
    own = [photo for photo in gallery if photo.turtle == turtle]
    if row.role == NEW:
        if own:
            return Refusal(sighting.path, f"{sighting.path} is called new, but the gallery holds turtle {turtle}.")
        return Query(sighting, None, turtle, False, where)
    if not own:
        return Refusal(sighting.path, f"{sighting.path} is called known, but the gallery lacks turtle {turtle}.")
    comparable = [photo for photo in own if sighting.side in (None, photo.side)]
    same = {photo.encounter for photo in comparable if _same_encounter(sighting, photo, names)}
    if all(photo.encounter in same for photo in comparable):
        return _other_side(sighting.path, turtle)
    if len(same) > 1:
        reason = f"{sighting.path} may be of several encounters of turtle {turtle}: name its encounter."
        return Refusal(sighting.path, reason)
    return Query(sighting, None, turtle, True, replace(where, without_encounter=min(same, default=None)))


def _same_encounter(sighting: Sighting, photo: Photo, names: dict[int, str | None]) -> bool:
    if sighting.encounter is not None:
        return names.get(photo.encounter) == sighting.encounter
    return sighting.taken_on is not None and photo.taken_on == sighting.taken_on


def _other_side(path: str, turtle: str) -> Refusal:
    reason = f"{path} can be neither found nor new: turtle {turtle} is in the gallery, but by no other encounter of "
    return Refusal(path, reason + "the same side.")


def _encounters_by_turtle(photos: Sequence[Photo]) -> dict[tuple[str, Side | None], set[Occasion]]:
    """Encounters of each turtle by side; under None those of all photos, because such queries search every side."""
    found: dict[tuple[str, Side | None], set[Occasion]] = {}
    for photo in photos:
        for side in {photo.side, None}:
            found.setdefault((str(photo.turtle), side), set()).add(photo.occasion)
    return found


def _sighting(photo: Photo) -> Sighting:
    return Sighting(photo.path, photo.turtle, photo.side, photo.taken_on)
