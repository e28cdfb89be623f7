"""What people do to a catalogue after enrolling: each operation is one event, kept whole and undone whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from index.catalog import MOVE_HEAD, SET_HEAD, Catalog, bring_readings_back, replace_readings
from index.curation.encounters import (
    identify_encounters,
    merge_encounters,
    place_by_day,
    place_with,
    settle_encounters,
    split_encounter,
)
from index.curation.requirements import (
    refuse_deleted,
    refuse_taken,
    refuse_twins,
    require_photos,
    touched_turtles,
    turtle_key,
    turtle_names,
)
from index.errors import Conflict, InputError, UnknownRecord
from index.naming import checked_id, whole_path
from index.registry import (
    Change,
    ChangeReport,
    Placement,
    Transaction,
    TurtleStatus,
    builders_on,
    newest_standing,
    refuse_for,
    relative_to,
    several,
    undone,
)
from index.types import PreparedPhoto, Side

FINAL = {
    "create": "made the catalogue itself",
    "compact": "deleted bytes for good",
    "reindex": "read the originals again (another `turtleidx reindex` does that too)",
}


class Curator:
    """A named person who changes a catalogue.

    Parameters
    ----------
    who, why : str
        Stand in the history.
    dry_run : bool
        Find out what would change, and change nothing.

    Every method returns what it did. All raise UnknownRecord for what is not there, Conflict for what contradicts
    the registry, CatalogBusy while another process writes.
    """

    def __init__(self, catalog: Catalog, who: str, why: str = "", *, dry_run: bool = False) -> None:
        self._catalog = catalog
        self._who = who
        self._why = why
        self._dry_run = dry_run

    def create_turtle(self, name: str, species: str | None = None, note: str | None = None) -> ChangeReport:
        """Add a turtle without photos."""

        def change(transaction: Transaction) -> None:
            refuse_taken(transaction, name)
            placing = Placement(transaction, [])
            placing.turtle(name, species, note)
            placing.write()

        return self._do("create turtle", change)

    def rename_turtle(self, name: str, new: str) -> ChangeReport:
        """Give a turtle another id; everything that belongs to it follows."""

        def change(transaction: Transaction) -> None:
            key = turtle_key(transaction, name)
            refuse_taken(transaction, new)
            transaction.journal.update("turtles", "?::VARCHAR AS id", "key = ?", checked_id(new), key)

        return self._do("rename turtle", change)

    def merge_turtles(self, into: str, others: Collection[str]) -> ChangeReport:
        """Say that several ids are one turtle: `into` takes over the photos and tags of the others."""

        def change(transaction: Transaction) -> None:
            key = turtle_key(transaction, into)
            keys = [turtle_key(transaction, name) for name in others]
            if key in keys or not keys:
                raise InputError("Name one turtle to keep and at least one other to merge into it.")
            if transaction.row("SELECT 1 FROM turtles WHERE key = ? AND status = 'retired'", key):
                raise Conflict(
                    f"Turtle {into} is retired, so searches would pass over the others' photos: restore it first."
                )
            journal = transaction.journal
            journal.update("encounters", "?::BIGINT AS turtle", f"turtle IN ({several(keys)})", key)
            journal.update(
                "turtles",
                f"""coalesce(species, (SELECT min(species) FROM turtles WHERE key IN ({several(keys)}))) AS species,
                list_sort(list_distinct(flatten((SELECT list(coalesce(tags, [])) FROM turtles
                                                 WHERE key IN ({several([key, *keys])}))))) AS tags""",
                "key = ?",
                key,
            )
            journal.update(
                "turtles",
                f"CASE WHEN key IN ({several(keys)}) THEN 'merged' ELSE status END AS status, ?::BIGINT AS merged_into",
                f"key IN ({several(keys)}) OR merged_into IN ({several(keys)})",
                key,
            )
            settle_encounters(transaction, [key])

        return self._do("merge turtles", change)

    def split_turtle(self, name: str, photos: Collection[int], new: str) -> ChangeReport:
        """Say that some photos of a turtle show another one, which gets the new id."""

        def change(transaction: Transaction) -> None:
            key = turtle_key(transaction, name)
            refuse_taken(transaction, new)
            own = transaction.rows(
                "SELECT p.id FROM photos p JOIN encounters e ON e.id = p.encounter "
                "WHERE e.turtle = ? AND NOT p.removed",
                key,
            )
            foreign = set(photos) - {row[0] for row in own}
            if foreign:
                raise UnknownRecord(f"Photo {min(foreign)} does not belong to turtle {name}.")
            if len(set(photos)) == len(own):
                raise InputError(f"That is every photo of {name}: rename the turtle instead.")
            place_with(transaction, photos, new)

        return self._do("split turtle", change)

    def retire_turtle(self, name: str) -> ChangeReport:
        """Take an id out of use: its photos are kept, but searches pass over them."""
        return self._set_status(name, TurtleStatus.ACTIVE, TurtleStatus.RETIRED, "retire turtle")

    def restore_turtle(self, name: str) -> ChangeReport:
        """Take a retired id back into use."""
        return self._set_status(name, TurtleStatus.RETIRED, TurtleStatus.ACTIVE, "restore turtle")

    def note_turtle(self, name: str, note: str | None) -> ChangeReport:
        """Replace a turtle's note; None takes it away."""
        return self._set_turtle(name, "?::VARCHAR AS note", note, "note turtle")

    def species_turtle(self, name: str, species: str | None) -> ChangeReport:
        """Say which species a turtle is."""
        return self._set_turtle(name, "?::VARCHAR AS species", species, "set species")

    def tag_turtle(self, name: str, add: Collection[str] = (), remove: Collection[str] = ()) -> ChangeReport:
        """Add and take away tags."""

        def change(transaction: Transaction) -> None:
            key = turtle_key(transaction, name)
            (tags,) = transaction.rows("SELECT coalesce(tags, []) FROM turtles WHERE key = ?", key)[0]
            kept = sorted((set(tags) | set(add)) - set(remove))
            transaction.journal.update("turtles", "?::VARCHAR[] AS tags", "key = ?", kept, key)

        return self._do("tag turtle", change)

    def move_photos(self, photos: Collection[int], turtle: str | None) -> ChangeReport:
        """Say which turtle photos show (made when new); None: nobody knows. Encounters follow the one-day rule."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, photos)
            place_with(transaction, photos, turtle)

        return self._do("move photos", change)

    def remove_photos(self, photos: Collection[int]) -> ChangeReport:
        """Take photos out of every search and count; their bytes stay until `compact`."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, photos)
            transaction.journal.update("photos", "true AS removed", f"id IN ({several(photos)})")

        return self._do("remove photos", change)

    def restore_photos(self, photos: Collection[int]) -> ChangeReport:
        """Bring removed photos back. Raises Conflict for those that `compact` deleted or that are there again."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, photos, removed=True)
            transaction.journal.update("photos", "false AS removed", f"id IN ({several(photos)})")
            refuse_twins(transaction, photos)
            refuse_deleted(transaction, self._catalog.feature_store)

        return self._do("restore photos", change)

    def set_side(self, photos: Collection[int], side: Side | None) -> ChangeReport:
        """Correct which side photos show."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, photos)
            value = None if side is None else str(side)
            transaction.journal.update("photos", "?::VARCHAR AS side", f"id IN ({several(photos)})", value)

        return self._do("set side", change)

    def set_date(self, photos: Collection[int], taken_on: dt.date | None) -> ChangeReport:
        """Correct the day photos were taken; encounters follow the one-day rule unless they are named."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, photos)
            transaction.journal.update("photos", "?::DATE AS taken_on", f"id IN ({several(photos)})", taken_on)
            place_by_day(transaction, photos)

        return self._do("set date", change)

    def set_heads(self, read: Mapping[int, PreparedPhoto]) -> ChangeReport:
        """Say where heads are, in photos that were read again within these boxes.

        What was read before is kept for undo; pairs that were compared are kept under it and count no more.

        Parameters
        ----------
        read : mapping
            By the photos' numbers; each sighting says the box, its origin, and the side, which stays where it is None.
        """

        def change(transaction: Transaction) -> None:
            require_photos(transaction, read.keys())
            for number, photo in read.items():
                seen = photo.sighting
                box = (None,) * 4 if seen.box is None else (seen.box.x, seen.box.y, seen.box.w, seen.box.h)
                transaction.journal.update(
                    "photos",
                    "?::DOUBLE AS box_x, ?::DOUBLE AS box_y, ?::DOUBLE AS box_w, ?::DOUBLE AS box_h, "
                    "?::VARCHAR AS box_origin, ?::DOUBLE AS box_confidence, coalesce(?::VARCHAR, side) AS side",
                    "id = ?",
                    *(*box, seen.box_origin and str(seen.box_origin), seen.box_confidence),
                    *(seen.side and str(seen.side), number),
                )
            replace_readings(transaction, read)

        with self._catalog.reading() as session:
            known = f"SELECT count(*) FROM descriptors WHERE photo IN ({several(read.keys())})"
            action = MOVE_HEAD if session.number(known) else SET_HEAD
        if self._dry_run:
            return self._do(action, change)
        with self._catalog.writing(action):  # nobody compacts the features meanwhile
            self._catalog.feature_store.put_beside(list(read.values()))
            return self._do(action, change)

    def relocate_photos(self, found: Mapping[int, Path]) -> ChangeReport:
        """Say where the originals of photos lie now."""

        def change(transaction: Transaction) -> None:
            require_photos(transaction, found.keys())
            base = self._catalog.path.parent
            for number, path in found.items():
                whole = whole_path(path)
                values = (whole.as_posix(), relative_to(whole, base), number)
                transaction.journal.update("photos", "?::VARCHAR AS path, ?::VARCHAR AS relative", "id = ?", *values)

        return self._do("relocate photos", change)

    def merge_encounters(self, into: int, others: Collection[int]) -> ChangeReport:
        """Say that several encounters of one turtle were one occasion."""
        return self._do("merge encounters", lambda transaction: merge_encounters(transaction, into, others))

    def split_encounter(self, encounter: int, photos: Collection[int], name: str) -> ChangeReport:
        """Say that some photos of an encounter were an occasion of their own, which needs a name."""
        return self._do("split encounter", lambda transaction: split_encounter(transaction, encounter, photos, name))

    def identify_encounters(self, encounters: Collection[int], turtle: str | None) -> ChangeReport:
        """Say that unidentified encounters show one turtle; None: a new one, which gets the next free id."""

        def change(transaction: Transaction) -> None:
            name = self._catalog.next_turtle_id() if turtle is None else turtle
            identify_encounters(transaction, encounters, name)

        return self._do("identify", change)

    def undo(self, event: int | None = None) -> ChangeReport:
        """Take an event back (the newest that stands, by default). Raises Conflict naming a later event in the way."""
        with self._catalog.reading() as session:
            dead = undone(session)
            if event is None:
                event = newest_standing(session)
            row = session.row("SELECT action FROM events WHERE id = ?", event)
        if row is None:
            raise UnknownRecord(f"There is no event {event}.")
        if event in dead or row[0] in FINAL:
            reason = "is undone already" if event in dead else FINAL[row[0]]
            raise Conflict(f"Event {event} ({row[0]}) cannot be undone, because it {reason}.")

        def change(transaction: Transaction) -> None:
            transaction.journal.take_back(event)
            bring_readings_back(transaction)
            settle_encounters(transaction, touched_turtles(transaction))
            later = builders_on(transaction, event)
            if later:
                refuse_for(transaction, event, later)
            refuse_deleted(transaction, self._catalog.feature_store)

        return self._do(f"undo {row[0]}", change, undoes=event)

    def _set_status(self, name: str, now: TurtleStatus, new: TurtleStatus, action: str) -> ChangeReport:
        def change(transaction: Transaction) -> None:
            key = turtle_key(transaction, name, any_status=True)
            status = TurtleStatus(transaction.rows("SELECT status FROM turtles WHERE key = ?", key)[0][0])
            if status is not now:
                raise Conflict(f"Turtle {name} is {status}, not {now}.")
            transaction.journal.update("turtles", "?::VARCHAR AS status", "key = ?", str(new), key)

        return self._do(action, change)

    def _set_turtle(self, name: str, assignment: str, value: str | None, action: str) -> ChangeReport:
        def change(transaction: Transaction) -> None:
            transaction.journal.update("turtles", assignment, "key = ?", value, turtle_key(transaction, name))

        return self._do(action, change)

    def _do(self, action: str, change: Callable[[Transaction], None], undoes: int | None = None) -> ChangeReport:
        command = f"{action} (dry run)" if self._dry_run else action
        with (
            self._catalog.writing(command),
            self._catalog.transaction(action, self._who, self._why, undoes, dry_run=self._dry_run) as transaction,
        ):
            change(transaction)
            rows = transaction.rows(
                "SELECT record, key, before, after FROM journal WHERE event = ? ORDER BY seq", transaction.event
            )
            event = transaction.event if rows and not self._dry_run else None
            names = turtle_names(transaction, rows)
        return ChangeReport(event, tuple(Change(*row) for row in rows), names)
