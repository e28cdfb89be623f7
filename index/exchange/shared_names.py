"""Who is who when two catalogues meet: an id that both use means one turtle only where something else says so.

Two field laptops both give the next free id, and two labs may both number from T001. So one id stands for one turtle
where the catalogues share a photo of it, where one of them was copied from the other after the turtle was made, or
where a person says so; otherwise it is a conflict, and nothing is added under that id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from index.catalog import Catalog
from index.errors import Conflict, UnknownRecord
from index.naming import checked_id
from index.registry import PhotoRecord, Turtle


@dataclass(frozen=True, slots=True)
class NameConflict:
    """An id that both catalogues use, without a photo in common.

    Attributes
    ----------
    turtle : str
    ours, theirs : int
        Photos here, and photos that were to come.
    belongs_to : tuple of str
        Ids here that hold photos which the other catalogue has under this id.
    """

    turtle: str
    ours: int
    theirs: int
    belongs_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SharedPhotos:
    """Photos that are of one id there and of another one here: probably one turtle.

    Attributes
    ----------
    both_here : bool
        Whether both ids are used here now, so that they can be merged.
    """

    theirs: str
    ours: str
    photos: int
    both_here: bool


@dataclass(frozen=True, slots=True)
class Names:
    """What the other catalogue's ids mean here.

    Attributes
    ----------
    renamed : mapping
        Ids of there that come under another one.
    conflicts : tuple of NameConflict
        Ids whose photos stay out.
    strangers : frozenset of str
        Ids that mean another turtle there, of which nothing is to come.
    """

    renamed: Mapping[str, str]
    conflicts: tuple[NameConflict, ...]
    strangers: frozenset[str]

    def of_photo(self, record: PhotoRecord) -> PhotoRecord:
        """A photo of there under the id that its turtle has here."""
        if record.turtle is None or record.turtle not in self.renamed:
            return record
        return replace(record, turtle=self.renamed[record.turtle])

    def of_turtle(self, turtle: Turtle) -> Turtle:
        """A turtle of there under the id that it has here."""
        into = turtle.merged_into
        return replace(
            turtle,
            id=self.renamed.get(turtle.id, turtle.id),
            merged_into=None if into is None else self.renamed.get(into, into),
        )

    @property
    def unresolved(self) -> frozenset[str]:
        """Ids that mean another turtle there than here."""
        return self.strangers | {one.turtle for one in self.conflicts}


Shares = Mapping[str, Counter[str]]
"""How many photos of each id of there are here, by the id that they have here."""


def shared_photos(ours: Mapping[str, PhotoRecord], theirs: Mapping[str, PhotoRecord]) -> Shares:
    """Count the photos (by digest) that both catalogues say a turtle of."""
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for digest in ours.keys() & theirs.keys():
        mine, other = ours[digest].turtle, theirs[digest].turtle
        if mine is not None and other is not None:
            shares[other][mine] += 1
    return shares


def who_is_who(
    main: Catalog,
    field: Catalog,
    coming: Sequence[PhotoRecord],
    here: Mapping[str, Turtle],
    shares: Shares,
    prefix: str = "",
    same: Collection[str] = (),
) -> Names:
    """Which ids of there mean the turtle of that id here. Raises UnknownRecord, Conflict, InputError.

    Parameters
    ----------
    coming : sequence of PhotoRecord
        Photos that are to be added.
    prefix : str
        Put before ids in conflict, which then come as turtles of their own; empty leaves them out.
    same : collection of str
        Ids that a person says mean the same turtle.
    """
    counts = Counter(record.turtle for record in coming if record.turtle is not None)
    for name in same:
        if name not in here or name not in counts:
            raise UnknownRecord(f"--same {name} names no turtle that both catalogues have with photos to come.")
    copied = _common_origins(main, field)
    renamed, conflicts, strangers = {}, [], set()
    for name in sorted(counts.keys() | shares.keys()):
        belongs_to = tuple(sorted(shares.get(name, {})))
        if name not in here or name in same or name in copied or _stands_for(name, here) & set(belongs_to):
            continue
        if prefix and (name in counts or prefix + name in belongs_to):
            renamed[name] = _prefixed(prefix, name, here, belongs_to)
        elif name in counts:
            mine = here[here[name].merged_into or name]
            conflicts.append(NameConflict(name, mine.photos, counts[name], belongs_to))
        else:
            strangers.add(name)
    return Names(renamed, tuple(conflicts), frozenset(strangers))


def told_apart(shares: Shares, names: Names, here: Mapping[str, Turtle], made: Collection[str]) -> list[SharedPhotos]:
    """Ids of there whose photos all have one other id here; `made` are those that come along."""
    found = []
    for name, owners in sorted(shares.items()):
        if name in names.unresolved or owners.keys() & (_stands_for(name, here) | {names.renamed.get(name)}):
            continue
        ours, photos = min(owners.items(), key=lambda one: (-one[1], one[0]))
        found.append(SharedPhotos(name, ours, photos, name in here or name in made))
    return found


def _stands_for(name: str, here: Mapping[str, Turtle]) -> set[str]:
    """The id, and the one that took its photos over."""
    found = here.get(name)
    return {name} if found is None or found.merged_into is None else {name, found.merged_into}


def _prefixed(prefix: str, name: str, here: Mapping[str, Turtle], belongs_to: Sequence[str]) -> str:
    made = checked_id(prefix + name)
    if made in here and made not in belongs_to:
        raise Conflict(f"There is a turtle {made} here already: choose another --prefix.")
    return made


def _common_origins(main: Catalog, field: Catalog) -> set[str]:
    """Ids of turtles that were made by one event, before one catalogue was copied from the other."""
    ours, theirs = _origins(main), _origins(field)
    return {name for name, origin in ours.items() if origin == theirs.get(name)}


def _origins(catalog: Catalog) -> dict[str, tuple[int, str]]:
    """The key of each turtle and the random mark of the event that made it, by id."""
    with catalog.reading() as session:
        rows = session.rows(
            """WITH made AS (SELECT key, min(event) AS event FROM journal WHERE record = 'turtles' GROUP BY key)
            SELECT t.id, t.key, e.token FROM turtles t JOIN made ON made.key = CAST(t.key AS VARCHAR)
            JOIN events e ON e.id = made.event"""
        )
    return {str(name): (int(key), str(token)) for name, key, token in rows}
