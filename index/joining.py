"""Bringing a field copy of a catalogue back into the main one: new photos join, differences are shown.

All that joins is one event, so that one undo takes it back. Features are stored before, batch by batch; a crash leaves
them without owners, and the next writer takes them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from index.browsing import Browser
from index.catalog import Catalog
from index.exchange import COLUMNS, cells_of
from index.placing import place_photos
from index.records import PhotoRecord
from index.types import GalleryFilter, Photo, PreparedPhoto, Sighting

BATCH = 64
COMPARED = tuple(name for name in COLUMNS if name not in ("photo", "sha256"))


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the two catalogues say differently about one photo or turtle."""

    record: str
    key: str
    column: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What joining did: photos added, photos that were there already, and where the catalogues differ.

    Differences are shown, never settled: the main catalogue keeps what it has.

    Attributes
    ----------
    event : int or None
        The one event that added the photos; None where nothing was added.
    """

    event: int | None
    added: int
    there: int
    differences: tuple[Difference, ...]


def join(main: Catalog, field: Catalog, who: str, *, dry_run: bool = False) -> JoinReport:
    """Add the photos of a field copy to the main catalogue. Raises RecipeMismatch, CatalogBusy, StorageFull."""
    main.require(field.recipe)
    with nullcontext() if dry_run else main.writing("join"):
        ours, removed = _by_digest(main, removed=False), _by_digest(main, removed=True)
        theirs, dropped = _by_digest(field, removed=False), _by_digest(field, removed=True)
        photos = {photo.sha256: photo for photo in field.photos(GalleryFilter(identified=False))}
        there = ours.keys() | removed.keys()
        new = [record for digest, record in theirs.items() if digest not in there and digest in photos]
        differences = (
            *_turtle_differences(main, field),
            *_photo_differences(ours, theirs),
            *_removal_differences(removed, theirs, ("yes", "")),
            *_removal_differences(ours, dropped, ("", "yes")),
        )
        adding = new and not dry_run
        event = _add(main, field, new, [photos[record.sha256] for record in new], who) if adding else None
    return JoinReport(event, len(new), len(ours.keys() & theirs.keys()), differences)


def _add(main: Catalog, field: Catalog, records: Sequence[PhotoRecord], photos: Sequence[Photo], who: str) -> int:
    """Features batch by batch, so that they need no memory; then, in a second reading, everything else at once."""

    def batches() -> Iterator[list[PreparedPhoto]]:
        for first in range(0, len(records), BATCH):
            chosen = slice(first, first + BATCH)
            yield _prepared(field, records[chosen], photos[chosen])

    for number, batch in enumerate(batches()):
        main.feature_store.put(batch, following=number > 0)
    with main.transaction("join", who) as transaction:
        for batch in batches():
            place_photos(transaction, batch, main.path.parent)
    main.searcher.save_if_due()
    return transaction.event


def _by_digest(catalog: Catalog, *, removed: bool) -> dict[str, PhotoRecord]:
    return {record.sha256: record for record in Browser(catalog).photos(removed=removed)}


def _prepared(field: Catalog, records: Sequence[PhotoRecord], photos: Sequence[Photo]) -> list[PreparedPhoto]:
    parts = zip(records, photos, field.features(photos), field.vectors(photos), strict=True)
    return [
        PreparedPhoto(
            sighting=Sighting(
                path=record.path,
                turtle=record.turtle,
                side=record.side,
                taken_on=record.taken_on,
                encounter=record.encounter_name,
                species=record.species,
                site=record.site,
                observer=record.observer,
                latitude=record.latitude,
                longitude=record.longitude,
                box=record.box,
                notes=record.notes,
            ),
            sha256=record.sha256,
            features=features,
            vector=vector,
            thumbnail=field.thumbnail(photo),
            original_size=record.size,
            quality=record.quality,
        )
        for record, photo, features, vector in parts
    ]


def _photo_differences(ours: dict[str, PhotoRecord], theirs: dict[str, PhotoRecord]) -> list[Difference]:
    found = []
    for digest in sorted(ours.keys() & theirs.keys()):
        mine, other = cells_of(ours[digest], exact=True), cells_of(theirs[digest], exact=True)
        found += [
            Difference("photo", ours[digest].path, name, mine[name], other[name])
            for name in COMPARED
            if mine[name] != other[name]
        ]
    return found


def _removal_differences(
    ours: dict[str, PhotoRecord], theirs: dict[str, PhotoRecord], said: tuple[str, str]
) -> list[Difference]:
    both = sorted(ours.keys() & theirs.keys())
    return [Difference("photo", ours[digest].path, "removed", *said) for digest in both]


def _turtle_differences(main: Catalog, field: Catalog) -> list[Difference]:
    ours = {turtle.id: turtle for turtle in Browser(main).turtles()}
    found = []
    for turtle in Browser(field).turtles():
        mine = ours.get(turtle.id)
        if mine is None:
            continue
        for column in ("status", "merged_into", "species", "note"):
            said, heard = getattr(mine, column), getattr(turtle, column)
            if said != heard:
                found.append(Difference("turtle", turtle.id, column, str(said or ""), str(heard or "")))
    return found
