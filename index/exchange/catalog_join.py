"""Bringing a field copy of a catalogue back into the main one: new photos and turtles join, differences are shown.

All that joins is one event, so that one undo takes it back. Features are stored before, batch by batch; a crash leaves
them without owners, and the next writer takes them back.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, replace

from index.catalog import WAITING, Browser, Catalog, read_photos
from index.exchange.brought_photos import further, placed_key, prepared
from index.exchange.catalog_differences import Difference, photo_differences, removal_differences, turtle_differences
from index.exchange.shared_names import NameConflict, Names, SharedPhotos, shared_photos, told_apart, who_is_who
from index.exchange.tables import BOX_COLUMNS
from index.registry import PhotoRecord, Together, Transaction, Turtle, place_photos
from index.types import Photo, PreparedPhoto

BATCH = 64


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What joining did: photos and turtles added, photos that were there already, and where the catalogues differ.

    Differences are shown, never settled: the main catalogue keeps what it has.

    Attributes
    ----------
    event : int or None
        The one event that added photos and turtles; None where nothing was added.
    turtles : tuple of str
        Ids that are new here, with or without photos.
    unread : tuple of str
        Paths of the field copy's photos that nothing is known to compare about, and that therefore stay there.
    conflicts : tuple of NameConflict
        Ids that both catalogues use without a photo in common: their photos stay there too.
    shared : tuple of SharedPhotos
        Photos that have another id here than there.
    renamed : mapping
        Ids of there that came under another one.
    """

    event: int | None
    added: int
    there: int
    differences: tuple[Difference, ...]
    turtles: tuple[str, ...]
    unread: tuple[str, ...]
    conflicts: tuple[NameConflict, ...]
    shared: tuple[SharedPhotos, ...]
    renamed: Mapping[str, str]


def join(
    main: Catalog, field: Catalog, who: str, *, prefix: str = "", same: Collection[str] = (), dry_run: bool = False
) -> JoinReport:
    """Add the photos and turtles of a field copy to the main catalogue.

    New turtles come with their species, note, tags and status, and photos of one encounter stay in one. An id that
    both use without anything in common is a conflict (see `who_is_who` for `prefix` and `same`), and nothing is added
    under it.

    Raises
    ------
    RecipeMismatch, CatalogBusy, StorageFull, UnknownRecord, Conflict
    """
    main.require(field.recipe)
    with nullcontext() if dry_run else main.writing("join"):
        both = _Both.read(main, field)
        shares = shared_photos(both.ours | both.removed, both.theirs | both.dropped)
        names = who_is_who(main, field, both.new, both.here, shares, prefix, same)
        new = [names.of_photo(record) for record in both.new if record.turtle not in names.unresolved]
        new = _named_apart(new, both.ours, both.theirs, field.path.stem)
        turtles = _new_turtles(both.here, _heard(both, names), both.under_other_names(names) - _turtles_of(new))
        made = {turtle.id for turtle in turtles}
        adding = (new or turtles) and not dry_run
        coming = _Coming(turtles, new, [both.photos[one.id] for one in new], _together(both, names, new))
        event = _add(main, field, coming, who) if adding else None
    return JoinReport(
        event,
        len(new),
        len(both.ours.keys() & both.theirs.keys()),
        _differences(both, names, turtles),
        tuple(turtle.id for turtle in turtles),
        tuple(record.path for record in both.fresh if record.id not in both.photos),
        names.conflicts,
        tuple(told_apart(shares, names, both.here, made)),
        names.renamed,
    )


@dataclass(frozen=True, slots=True)
class _Both:
    """What both catalogues hold: photos by digest, `removed` and `dropped` being what was taken out of either.

    `fresh` are photos that are not here, `new` those of them that can be compared and so can come.
    """

    here: Mapping[str, Turtle]
    heard: Sequence[Turtle]
    ours: dict[str, PhotoRecord]
    removed: dict[str, PhotoRecord]
    theirs: dict[str, PhotoRecord]
    dropped: dict[str, PhotoRecord]
    photos: Mapping[int, Photo]
    fresh: Sequence[PhotoRecord]
    new: Sequence[PhotoRecord]

    @classmethod
    def read(cls, main: Catalog, field: Catalog) -> _Both:
        lists = [Browser(catalog).photos(removed=removed) for catalog in (main, field) for removed in (False, True)]
        several = _several_heads(*lists)
        ours, removed, theirs, dropped = ({_name(one, several): one for one in records} for records in lists)
        with field.reading() as session:  # also those of retired turtles, which no search would give
            searched_or_waiting = f"NOT removed AND (keypoints > 0 OR {WAITING})"
            photos = {photo.id: photo for photo in read_photos(session, searched_or_waiting)}
        there = ours.keys() | removed.keys()
        fresh = [record for digest, record in theirs.items() if digest not in there]
        here = {turtle.id: turtle for turtle in Browser(main).turtles()}
        new = [record for record in fresh if record.id in photos]
        return cls(here, Browser(field).turtles(), ours, removed, theirs, dropped, photos, fresh, new)

    def under_other_names(self, names: Names) -> set[str | None]:
        """Ids of there with photos that are here."""
        there = self.ours.keys() | self.removed.keys()
        known = [one for name, one in (*self.theirs.items(), *self.dropped.items()) if name in there]
        return _turtles_of([names.of_photo(one) for one in known])


def _turtles_of(records: Sequence[PhotoRecord]) -> set[str | None]:
    return {record.turtle for record in records}


def _heard(both: _Both, names: Names) -> list[Turtle]:
    """Turtles of there under their ids here, but for those that mean another turtle, and what was merged into them."""
    unresolved = names.unresolved
    return [
        names.of_turtle(turtle)
        for turtle in both.heard
        if turtle.id not in unresolved and turtle.merged_into not in unresolved
    ]


def _named_apart(
    new: Sequence[PhotoRecord], ours: Mapping[str, PhotoRecord], theirs: Mapping[str, PhotoRecord], source: str
) -> list[PhotoRecord]:
    """Unidentified encounters that have the name of another one here get the name of their catalogue behind it."""
    nobodys = {record.encounter_name for record in ours.values() if record.turtle is None}
    common = {theirs[digest].encounter_name for digest in ours.keys() & theirs.keys()}
    taken = nobodys - common - {None}
    return [
        replace(one, encounter_name=f"{one.encounter_name} ({source})")
        if one.turtle is None and one.encounter_name in taken
        else one
        for one in new
    ]


def _differences(both: _Both, names: Names, turtles: Sequence[Turtle]) -> tuple[Difference, ...]:
    return (
        *turtle_differences(both.here, _heard(both, names), turtles),
        *photo_differences(both.ours, {digest: names.of_photo(one) for digest, one in both.theirs.items()}),
        *removal_differences(both.removed, both.theirs, ("yes", "")),
        *removal_differences(both.ours, both.dropped, ("", "yes")),
    )


def _new_turtles(here: Mapping[str, Turtle], heard: Sequence[Turtle], elsewhere: Set[str | None]) -> list[Turtle]:
    """Turtles that are to be made here.

    An id whose photos are all here under other names (`elsewhere`) was renamed or split off: making it would only be
    in the way of doing the same here, and the differences tell of it.
    """
    new = {turtle.id: turtle for turtle in heard if turtle.id not in here and turtle.id not in elsewhere}
    known = here.keys() | new.keys()
    return [turtle for turtle in new.values() if turtle.merged_into is None or turtle.merged_into in known]


def _together(both: _Both, names: Names, new: Sequence[PhotoRecord]) -> Together:
    """Unnamed encounters of there, with where those are here whose photos both catalogues say the same about."""
    unnamed = [record for record in new if record.encounter_name is None]
    days: dict[int, dt.date] = {}
    for record in unnamed:
        if record.taken_on is not None:
            days[record.encounter] = min(record.taken_on, days.get(record.encounter, record.taken_on))
    here: dict[int, set[int]] = defaultdict(set)
    for digest in both.ours.keys() & both.theirs.keys():
        mine, other = both.ours[digest], names.of_photo(both.theirs[digest])
        if (mine.turtle, mine.taken_on, mine.encounter_name) == (other.turtle, other.taken_on, None):
            here[other.encounter].add(mine.encounter)
    known = {there: min(numbers) for there, numbers in here.items() if len(numbers) == 1}
    return Together({placed_key(record): record.encounter for record in unnamed}, days, known)


@dataclass(frozen=True, slots=True)
class _Coming:
    """What is to be added: turtles, and photos as both halves of the field copy know them."""

    turtles: Sequence[Turtle]
    records: Sequence[PhotoRecord]
    photos: Sequence[Photo]
    together: Together


def _add(main: Catalog, field: Catalog, coming: _Coming, who: str) -> int:
    """Features batch by batch, so that they need no memory; then, in a second reading, everything else at once."""

    slices = [slice(first, first + BATCH) for first in range(0, len(coming.records), BATCH)]

    def batches() -> Iterator[list[PreparedPhoto]]:
        for chosen in slices:
            yield prepared(field, coming.records[chosen], coming.photos[chosen])

    for number, batch in enumerate(batches()):
        main.feature_store.put(batch, following=number > 0)
        main.feature_store.second.put(further(field, coming.records[slices[number]]))
    with main.transaction("join", who) as transaction:
        _add_turtles(transaction, coming.turtles)
        base, together = main.path.parent, coming.together
        numbers = [number for batch in batches() for number in place_photos(transaction, batch, base, together)]
        _set_boxes(transaction, dict(zip(numbers, coming.records, strict=True)))
    if coming.records:
        main.searcher.save_if_due()
    return transaction.event


def _add_turtles(transaction: Transaction, turtles: Sequence[Turtle]) -> None:
    keys = {str(name): int(key) for name, key in transaction.rows("SELECT id, coalesce(merged_into, key) FROM turtles")}
    keys.update(zip((turtle.id for turtle in turtles), transaction.take_ids("turtle", len(turtles)), strict=True))
    rows = [
        {
            "key": keys[turtle.id],
            "id": turtle.id,
            "status": str(turtle.status),
            "species": turtle.species,
            "note": turtle.note,
            "tags": list(turtle.tags),
            "merged_into": None if turtle.merged_into is None else keys[turtle.merged_into],
        }
        for turtle in turtles
    ]
    transaction.journal.put("turtles", rows)


def _set_boxes(transaction: Transaction, placed: Mapping[int, PhotoRecord]) -> None:
    """Head boxes that were told anew there and not read yet stay so here, so that `reindex` reads them."""
    for number, record in placed.items():
        if record.box != record.read_box:
            box = (None,) * 4 if record.box is None else (record.box.x, record.box.y, record.box.w, record.box.h)
            columns = ", ".join(f"?::DOUBLE AS box_{name}" for name in BOX_COLUMNS)
            transaction.journal.update("photos", columns, "id = ?", *box, number)


def _several_heads(*lists: Sequence[PhotoRecord]) -> set[str]:
    """Digests of files of which a list knows more than one head."""
    counted = (Counter(record.sha256 for record in records) for records in lists)
    return {digest for count in counted for digest, number in count.items() if number > 1}


def _name(record: PhotoRecord, several: Set[str]) -> str:
    """What a photo is known by in both catalogues: its file, with its head box where there are several in it."""
    box = record.box
    if record.sha256 not in several or box is None:
        return record.sha256
    return f"{record.sha256} {box.x:.0f} {box.y:.0f} {box.w:.0f} {box.h:.0f}"
