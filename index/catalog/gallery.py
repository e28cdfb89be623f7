"""Which photos a search may return: the registry's columns in memory, so that a filter is array arithmetic."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from index.registry import Session
from index.types import Checkpoint, GalleryFilter, HeadBox, Int64, Photo, Side

NONE = -1
SIDES = tuple(Side)
UNDATED = int(np.iinfo(np.int32).min)
_SIDE_CODE = " ".join(f"WHEN '{side}' THEN {code}" for code, side in enumerate(SIDES))

_JOINED = "photos p JOIN encounters e ON e.id = p.encounter LEFT JOIN turtles t ON t.key = e.turtle"

_UNDATED_OF = "CASE WHEN e.name IS NULL AND p.taken_on IS NULL THEN e.turtle END"
"""Undated photos of a turtle are of one occasion, unless their encounter has a name."""

_COLUMNS = f"""
SELECT p.id, p.encounter, coalesce(t.key, {NONE}) AS turtle,
       CAST(CASE p.side {_SIDE_CODE} ELSE {NONE} END AS TINYINT) AS side,
       CAST(coalesce(p.taken_on - DATE '1970-01-01', {UNDATED}) AS INTEGER) AS taken,
       hash(coalesce(t.species, p.species)) AS species, hash(p.site) AS site, hash(p.sha256) AS file,
       coalesce(2 * {_UNDATED_OF} + 1, 2 * e.id) AS occasion
FROM {_JOINED} WHERE NOT p.removed AND p.keypoints > 0 AND coalesce(t.status, 'active') = 'active' ORDER BY p.id
"""

_IDENTIFIED = (
    "photos p JOIN encounters e ON e.id = p.encounter JOIN turtles t ON t.key = e.turtle "
    "WHERE NOT p.removed AND p.keypoints > 0 AND t.status = 'active'"
)

# each step only reads what the one before it needs; joined as a whole, all encounters and turtles would be read
_PHOTOS = f"""
WITH p AS MATERIALIZED (SELECT * FROM photos WHERE {{condition}}),
e AS MATERIALIZED (SELECT id, turtle, name FROM encounters WHERE id IN (SELECT encounter FROM p)),
t AS MATERIALIZED (SELECT key, id FROM turtles WHERE key IN (SELECT turtle FROM e))
SELECT p.id, p.sha256, p.path, t.id, p.encounter, p.side, p.taken_on, p.keypoints, p.quality, p.sighting,
       {_UNDATED_OF}, p.box_x, p.box_y, p.box_w, p.box_h
FROM p JOIN e ON e.id = p.encounter LEFT JOIN t ON t.key = e.turtle
"""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Every photo that can be searched, at one state of the registry, in order of id.

    Attributes
    ----------
    ids, encounter, turtle : int64 [n]
        Registry keys; turtle is -1 where nobody was identified.
    side : int8 [n]
        Position in `SIDES`, or -1.
    taken : int32 [n]
        Days since 1970, or UNDATED.
    species, site : uint64 [n]
        Hashes, because a million names are slow to carry.
    file : uint64 [n]
        Hashes of the files' digests.
    occasion : int64 [n]
        Even numbers for encounters, odd ones for the undated photos that a turtle has without an encounter's name.
    turtle_keys : mapping
        From an id to its key.
    """

    ids: Int64
    encounter: Int64
    turtle: Int64
    side: npt.NDArray[np.int8]
    taken: npt.NDArray[np.int32]
    species: npt.NDArray[np.uint64]
    site: npt.NDArray[np.uint64]
    file: npt.NDArray[np.uint64]
    occasion: Int64
    species_hashes: Mapping[str, int]
    site_hashes: Mapping[str, int]
    turtle_keys: Mapping[str, int]

    @cached_property
    def turtles(self) -> int:
        """How many turtles have a photo that can be searched."""
        return len(np.unique(self.turtle[self.turtle != NONE]))

    def admitted(self, where: GalleryFilter) -> npt.NDArray[np.bool_]:
        """Which photos a filter admits, bool [n]."""
        admitted = np.ones(len(self.ids), bool)
        if where.identified:
            admitted &= self.turtle != NONE
        if where.side is not None:
            admitted &= self.side == SIDES.index(where.side)
        if where.species is not None:
            admitted &= _equals(self.species, self.species_hashes, where.species)
        if where.site is not None:
            admitted &= _equals(self.site, self.site_hashes, where.site)
        if where.taken_from is not None:
            admitted &= self.taken >= _days(where.taken_from)
        if where.taken_to is not None:
            admitted &= (self.taken <= _days(where.taken_to)) & (self.taken != UNDATED)
        if where.without_turtle is not None and where.without_turtle in self.turtle_keys:
            admitted &= self.turtle != self.turtle_keys[where.without_turtle]
        if where.without_encounter is not None:
            admitted &= ~np.isin(self.occasion, self.occasion[self.encounter == where.without_encounter])
        if where.without_photo is not None:
            admitted &= ~np.isin(self.file, self.file[self.ids == where.without_photo])
        return admitted

    def individuals(self, rows: npt.NDArray[Any]) -> Int64:
        """One number per individual for some rows: even ones are turtles, odd ones unidentified encounters."""
        turtle, encounter = self.turtle[rows], self.encounter[rows]
        individuals: Int64 = np.where(turtle == NONE, 2 * encounter + 1, 2 * turtle)
        return individuals


def read_gallery(session: Session) -> Gallery:
    """Read the searchable photos at the session's state."""
    columns = session.columns(_COLUMNS)
    return Gallery(
        ids=_plain(columns["id"], np.int64),
        encounter=_plain(columns["encounter"], np.int64),
        turtle=_plain(columns["turtle"], np.int64),
        side=_plain(columns["side"], np.int8),
        taken=_plain(columns["taken"], np.int32),
        species=_plain(columns["species"], np.uint64),
        site=_plain(columns["site"], np.uint64),
        file=_plain(columns["file"], np.uint64),
        occasion=_plain(columns["occasion"], np.int64),
        species_hashes=_hashes(session, "SELECT species FROM photos UNION SELECT species FROM turtles"),
        site_hashes=_hashes(session, "SELECT DISTINCT site FROM photos"),
        turtle_keys={str(name): int(key) for name, key in session.rows("SELECT id, key FROM turtles")},
    )


def read_checkpoint(session: Session) -> Checkpoint:
    """The registry's last event."""
    row = session.row("SELECT id, token FROM events ORDER BY id DESC LIMIT 1")
    return Checkpoint(0, "") if row is None else Checkpoint(int(row[0]), str(row[1]))


def read_photos(session: Session, condition: str, *values: object) -> list[Photo]:
    """Photos that meet a condition on the columns of photos."""
    return [_photo(row) for row in session.rows(_PHOTOS.format(condition=condition), *values)]


def count_identified(session: Session) -> int:
    """How many photos of turtles can be searched."""
    return session.number(f"SELECT count(*) FROM {_IDENTIFIED}")


def read_drawn(session: Session, most: int) -> list[Photo]:
    """All searchable photos of some turtles, with the last of them so many photos or a few more.

    The turtles are drawn at random, but always in the same order, so that what was compared for one fit serves the
    next.
    """
    drawn = f"""
        SELECT key FROM (
            SELECT t.key AS key, sum(count(*)) OVER (ORDER BY hash(t.key), t.key) - count(*) AS before
            FROM {_IDENTIFIED} GROUP BY t.key
        ) WHERE before < ?"""
    encounters = f"SELECT id FROM encounters WHERE turtle IN ({drawn})"
    return read_photos(session, f"NOT removed AND keypoints > 0 AND encounter IN ({encounters})", most)


def capped(individuals: Sequence[int] | Int64, most: int) -> list[int]:
    """Positions to keep, in order, so that no individual stands more than `most` times."""
    seen: dict[int, int] = {}
    kept = []
    for position, individual in enumerate(map(int, individuals)):
        seen[individual] = seen.get(individual, 0) + 1
        if seen[individual] <= most:
            kept.append(position)
    return kept


def _photo(row: tuple[Any, ...]) -> Photo:
    number, sha256, path, turtle, encounter, side, taken_on, keypoints, quality, key, undated_of = row[:11]
    return Photo(
        number,
        sha256,
        path,
        turtle,
        encounter,
        None if side is None else Side(side),
        taken_on,
        keypoints,
        quality,
        stored_under=key,
        undated_of=undated_of,
        box=None if row[11] is None else HeadBox(*row[11:]),
    )


def _plain(column: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.asarray(np.ma.getdata(column), dtype)


def _hashes(session: Session, names: str) -> Mapping[str, int]:
    sql = f"SELECT name, hash(name) FROM ({names}) found(name) WHERE name IS NOT NULL"
    return {str(name): int(code) for name, code in session.rows(sql)}


def _equals(column: npt.NDArray[np.uint64], hashes: Mapping[str, int], name: str) -> npt.NDArray[np.bool_]:
    if name not in hashes:
        return np.zeros(len(column), bool)
    equal: npt.NDArray[np.bool_] = column == np.uint64(hashes[name])
    return equal


def _days(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days
