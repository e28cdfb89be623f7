"""Manifests: a table with one row a photo, read as a stream, so that a million rows need no memory.

Columns: photo (needed), turtle, side, taken_on, encounter, species, site, observer, latitude, longitude, x, y, w, h
(the head box) and role; every other column is kept as notes. Paths are relative to the manifest.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from index.errors import InputError
from index.exchange.paths import PathFinder
from index.exchange.tables import (
    BOX_COLUMNS,
    KNOWN_COLUMNS,
    TEXT_COLUMNS,
    DateOrder,
    Table,
    TableRow,
    Writing,
    checked_day,
    is_error,
    is_reset_day,
    open_table,
    parse_date,
    parse_side,
)
from index.naming import checked_id, checked_path
from index.types import BoxOrigin, HeadBox, Sighting

MOST_PIXELS = 1e9
"""Further out than a head box can lie."""

CLOCK_BEGAN = (
    "is dated {day}, the day on which cameras begin to count when their battery was empty: its date is kept as unknown"
)

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[.,'’\s]\d{3})+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One usable row.

    Attributes
    ----------
    number : int
        Line in the file, the header being 1.
    columns : mapping
        The row as it stands in the file, so that it can be echoed.
    """

    number: int
    sighting: Sighting
    role: str | None
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that cannot be used, and why, in one sentence."""

    number: int
    photo: str
    reason: str
    columns: Mapping[str, str]


class Manifest:
    """The rows of a manifest; every iteration reads the file again.

    Parameters
    ----------
    roles : collection of str
        Keep only rows whose `role` column holds one of these; empty keeps all.
    dates : DateOrder or None
        How dates are written that do not begin with the year, where the column does not show it.

    Raises
    ------
    ManifestError
        When the file as a whole cannot be used; single rows come as `RefusedRow`.
    """

    def __init__(self, path: Path, roles: Collection[str] = (), dates: DateOrder | None = None) -> None:
        needed = {"photo": ""} | ({"role": ", by which rows are chosen"} if roles else {})
        self._folder = path.parent
        self._roles = roles
        self._table: Table = open_table(path, needed, dates=dates)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about what was recognised, and about columns that are only notes."""
        return self._table.remarks

    def __iter__(self) -> Iterator[ManifestRow | RefusedRow]:
        files = PathFinder(self._folder)
        seen: dict[tuple[str, HeadBox | None], TableRow] = {}
        for row in self._table.rows():
            role = row.columns["role"] if self._roles else ""
            if self._roles and role not in self._roles and not is_error(role):
                continue
            try:
                yield self._read(row, files, seen)
            except (ValueError, InputError) as error:
                reason = f"line {row.number}{_joined(str(error))}."
                yield RefusedRow(row.number, row.columns["photo"], reason, row.columns)

    def _read(self, row: TableRow, files: PathFinder, seen: dict[tuple[str, HeadBox | None], TableRow]) -> ManifestRow:
        columns = row.columns
        if row.fault:
            raise ValueError(f" {row.fault}")
        if not columns["photo"]:
            raise ValueError(" names no photo")
        path = checked_path(files.find(checked_path(columns["photo"])))
        sighting = sighting_of(path, columns, self._table.writing)
        first = seen.setdefault((path, sighting.box), row)
        if first is not row:
            raise ValueError(_repeated(first, columns))
        return ManifestRow(row.number, sighting, columns.get("role") or None, columns)


def _repeated(first: TableRow, columns: Mapping[str, str]) -> str:
    owners = first.columns.get("turtle", ""), columns.get("turtle", "")
    if owners[0] != owners[1]:
        names = [owner or "no turtle" for owner in owners]
        return (
            f" says {names[1]} of the same photo and head as line {first.number}, which says {names[0]}: correct one, "
            "or give each turtle its own head box"
        )
    return f" names the same photo as line {first.number}; the first one counts"


def _joined(words: str) -> str:
    """How a reason stands behind a line's number."""
    plain = words.rstrip(".")
    return plain if plain.startswith(" ") else f": {plain}"


def read_manifest(path: Path, roles: Collection[str] = (), dates: DateOrder | None = None) -> Manifest:
    """The rows of a manifest, as `Manifest` gives them. Raises ManifestError."""
    return Manifest(path, roles, dates)


def read_roles(path: Path) -> list[str]:
    """The roles that a manifest's rows have, in order of the alphabet. Raises ManifestError."""
    return sorted({row.columns["role"] for row in open_table(path, {"photo": ""}).rows() if row.columns.get("role")})


def sighting_of(path: str, columns: Mapping[str, str], writing: Writing = Writing()) -> Sighting:  # noqa: B008
    """What a row says about the photo at a path; ValueError or InputError says what in it cannot be."""
    text = {name: columns.get(name) or None for name in TEXT_COLUMNS}
    if text["turtle"] is not None:
        checked_id(text["turtle"])
    day, remarks = _day(columns.get("taken_on"), writing.dates)
    box = _box(columns, writing.commas)
    return Sighting(
        path=path,
        side=parse_side(columns["side"]) if columns.get("side") else None,
        taken_on=day,
        latitude=_degrees(columns, "latitude", 90.0, writing.commas),
        longitude=_degrees(columns, "longitude", 180.0, writing.commas),
        box=box,
        box_origin=None if box is None else BoxOrigin.GIVEN,
        box_confidence=None,
        turn=0,
        notes={name: value for name, value in columns.items() if name not in KNOWN_COLUMNS and value},
        remarks=remarks,
        **text,
    )


def _day(text: str | None, order: DateOrder | None) -> tuple[dt.date | None, tuple[str, ...]]:
    """A day, or that it is one on which clocks begin, in words that stand behind the photo's name."""
    if not text:
        return None, ()
    day = checked_day(parse_date(text, order))
    return (None, (CLOCK_BEGAN.format(day=day),)) if is_reset_day(day) else (day, ())


def _number(columns: Mapping[str, str], name: str, commas: bool) -> float:
    text = columns[name]
    if _WITH_COMMA.fullmatch(text) and not commas:
        raise ValueError(f"{name} is {text!r}, with a comma where decimals begin with a point")
    if _GROUPED.fullmatch(text) and not re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", text) and not _is_degrees(name, text):
        raise ValueError(f"{name} is {text!r}, which has marks between thousands or two meanings: write 1234.5")
    plain = text.replace(",", ".") if _WITH_COMMA.fullmatch(text) else text
    value = float(plain) if _NUMBER.fullmatch(plain) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} is {text!r}, not a number")
    return value


def _is_degrees(name: str, text: str) -> bool:
    """Whether a comma before three digits can only begin decimals, because there are not so many degrees."""
    return name in ("latitude", "longitude") and _WITH_COMMA.fullmatch(text) is not None


def _degrees(columns: Mapping[str, str], name: str, most: float, commas: bool) -> float | None:
    if not columns.get(name):
        return None
    value = _number(columns, name, commas)
    if not -most <= value <= most:
        raise ValueError(f"{name} is {value:g}, outside -{most:g} to {most:g} degrees")
    return value


def _box(columns: Mapping[str, str], commas: bool) -> HeadBox | None:
    given = [name for name in BOX_COLUMNS if columns.get(name)]
    if not given:
        return None
    if len(given) < len(BOX_COLUMNS):
        raise ValueError("a head box needs all of x, y, w, h")
    box = HeadBox(*(_number(columns, name, commas) for name in BOX_COLUMNS))
    if max(map(abs, (box.x, box.y, box.w, box.h))) > MOST_PIXELS:
        raise ValueError("the head box lies farther out than any photo reaches")
    if not (box.w > 0 and box.h > 0):
        raise ValueError("a head box needs a width and a height above zero")
    return box
