"""Bringing a field copy of a catalogue back into the main one: new photos join, differences are shown.

All that joins is one event, so that one undo takes it back. Features are stored before, batch by batch; a crash leaves
them without owners, and the next writer takes them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    ours = {record.sha256: record for record in Browser(main).photos()}
    theirs = {record.sha256: record for record in Browser(field).photos()}
    removed, dropped = ({one.sha256: one for one in Browser(at).photos(removed=True)} for at in (main, field))
    differences = [
        *_turtle_differences(main, field),
        *_photo_differences(ours, theirs),
        *(
            Difference("photo", removed[one].path, "removed", "yes", "")
            for one in sorted(removed.keys() & theirs.keys())
        ),
        *(Difference("photo", ours[one].path, "removed", "", "yes") for one in sorted(ours.keys() & dropped.keys())),
    ]
    photos = {photo.sha256: photo for photo in field.photos(GalleryFilter(identified=False))}
    there = ours.keys() | removed.keys()
    new = [record for digest, record in theirs.items() if digest not in there and digest in photos]
    event = _add(main, field, new, [photos[record.sha256] for record in new], who) if new and not dry_run else None
    return JoinReport(event, len(new), len(ours.keys() & theirs.keys()), tuple(differences))


def _add(main: Catalog, field: Catalog, records: Sequence[PhotoRecord], photos: Sequence[Photo], who: str) -> int:
    """Features batch by batch, so that they need no memory; then, in a second reading, everything else at once."""

    def batches() -> Iterator[list[PreparedPhoto]]:
        for first in range(0, len(records), BATCH):
            chosen = slice(first, first + BATCH)
            yield _prepared(field, records[chosen], photos[chosen])

    with main.writing("join"):
        for number, batch in enumerate(batches()):
            main.feature_store.put(batch, following=number > 0)
        with main.transaction("join", who) as transaction:
            for batch in batches():
                place_photos(transaction, batch, main.path.parent)
        main.searcher.save_if_due()
    return transaction.event


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
