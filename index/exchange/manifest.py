"""Manifests: a table with one row a photo, read as a stream, so that a million rows need no memory.

Columns: photo (needed), turtle, side, taken_on, encounter, species, site, observer, latitude, longitude, x, y, w, h
(the head box) and role; every other column is kept as notes. Paths are relative to the manifest.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from index.errors import InputError, ManifestError
from index.naming import checked_id, checked_path
from index.types import HeadBox, Side, Sighting

TEXT_COLUMNS = ("turtle", "encounter", "species", "site", "observer")
BOX_COLUMNS = ("x", "y", "w", "h")
KNOWN_COLUMNS = frozenset({"photo", "side", "taken_on", "latitude", "longitude", "role", *TEXT_COLUMNS, *BOX_COLUMNS})
DELIMITERS = ",;\t|"
DATE = re.compile(
    r"(?P<year>\d{4})([-:/]?)(?P<month>\d\d)\2(?P<day>\d\d)"
    r"(?:(?:T|\s+)\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?(?:\s*(?:Z|UTC|[+-]\d\d:?\d\d))?)?",
    re.ASCII,
)
"""A date, and a time as cameras and spreadsheets write it."""
MOST_PIXELS = 1e9
"""Further out than a head box can lie."""


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


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a CSV table as it stands there.

    Attributes
    ----------
    number : int
        Line in the file, the header being 1.
    columns : mapping
        Cells by column, whose names are in lower case; no blanks at the ends.
    surplus : bool
        There are more cells than columns, and not all of those are empty.
    """

    number: int
    columns: Mapping[str, str]
    surplus: bool = False


def read_manifest(path: Path, roles: Collection[str] = ()) -> Iterator[ManifestRow | RefusedRow]:
    """Stream the rows of a CSV file (comma, semicolon, tab or bar; UTF-8).

    Parameters
    ----------
    roles : collection of str
        Keep only rows whose `role` column holds one of these; empty keeps all.

    Raises
    ------
    ManifestError
        When the file as a whole cannot be used; single rows come as `RefusedRow`.
    """
    needed = {"photo": ""} | ({"role": ", by which rows are chosen"} if roles else {})
    yield from _parsed(path.parent, read_rows(path, needed), roles)


def read_rows(
    path: Path, needed: Mapping[str, str], kind: str = "manifest", *, strict: bool = False
) -> Iterator[TableRow]:
    """Stream the rows of any CSV file (comma, semicolon, tab or bar; UTF-8). Raises ManifestError.

    Parameters
    ----------
    needed : mapping
        Columns that must be there, and how the sentence goes on that says that one is not.
    kind : str
        What the file is called in sentences.
    strict : bool
        Refuse quotes that are not closed.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.read(1 << 16)
            header = start.splitlines()[0] if start.strip() else ""
            file.seek(0)
            table = csv.DictReader(file, delimiter=max(DELIMITERS, key=header.count), restval="", strict=strict)
            table.fieldnames = checked_columns(path, table.fieldnames or (), needed)
            for row in table:
                beyond = row.pop(None, None)
                columns = {name: str(text).strip() for name, text in row.items() if name}
                yield TableRow(table.line_num, columns, any(beyond or ()))
    except FileNotFoundError as error:
        raise ManifestError(f"There is no {kind} {path}.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8 text; save it as CSV UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise ManifestError(f"{path} cannot be read as a {kind} ({error}).") from error


def checked_columns(path: Path, columns: Iterable[str], needed: Mapping[str, str]) -> list[str]:
    """Names of columns in lower case. Raises ManifestError where one is missing or there twice."""
    names = [name.strip().lower() for name in columns]
    given = [name for name in names if name]
    if len(set(given)) < len(given):
        raise ManifestError(f"{path} has two columns of one name: {', '.join(given)}.")
    for name, consequence in needed.items():
        if name not in given:
            there = ", ".join(given) or "none"
            raise ManifestError(f"{path} has no column named {name}{consequence} (its columns: {there}).")
    return names


def read_roles(path: Path) -> list[str]:
    """The roles that a manifest's rows have, in order of the alphabet. Raises ManifestError."""
    return sorted({row.columns["role"] for row in read_manifest(path) if row.columns.get("role")})


def parse_date(text: str) -> dt.date:
    """A date written YYYY-MM-DD (or with : or / as in EXIF), with or without a time behind it; ValueError says so."""
    found = DATE.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        return dt.date(*map(int, found.group("year", "month", "day")))
    except ValueError:
        raise ValueError(f"the date {text!r} is not written YYYY-MM-DD") from None


def parse_side(text: str) -> Side:
    """A side by name or first letter; ValueError lists them."""
    for side in Side:
        if text.strip().lower() in (side.value, side.value[0]):
            return side
    raise ValueError(f"the side {text!r} is none of {', '.join(Side)}")


def sighting_of(path: str, columns: Mapping[str, str]) -> Sighting:
    """What a row says about the photo at a path; ValueError or InputError says what in it cannot be."""
    text = {name: columns.get(name) or None for name in TEXT_COLUMNS}
    if text["turtle"] is not None:
        checked_id(text["turtle"])
    return Sighting(
        path=path,
        side=parse_side(columns["side"]) if columns.get("side") else None,
        taken_on=parse_date(columns["taken_on"]) if columns.get("taken_on") else None,
        latitude=_degrees(columns, "latitude", 90.0),
        longitude=_degrees(columns, "longitude", 180.0),
        box=_box(columns),
        notes={name: value for name, value in columns.items() if name not in KNOWN_COLUMNS and value},
        **text,
    )


def _parsed(folder: Path, rows: Iterable[TableRow], roles: Collection[str]) -> Iterator[ManifestRow | RefusedRow]:
    seen: dict[str, int] = {}
    for row in rows:
        number, columns = row.number, row.columns
        if roles and columns["role"] not in roles:
            continue
        photo = columns["photo"]
        if not photo:
            yield RefusedRow(number, photo, f"line {number} names no photo.", columns)
        elif photo in seen:
            reason = f"line {number} names the same photo as line {seen[photo]}; the first one counts."
            yield RefusedRow(number, photo, reason, columns)
        else:
            seen[photo] = number
            try:
                sighting = sighting_of(checked_path(folder / photo), columns)
                yield ManifestRow(number, sighting, columns.get("role") or None, columns)
            except (ValueError, InputError) as error:
                yield RefusedRow(number, photo, f"line {number}: {str(error).rstrip('.')}.", columns)


def _number(columns: Mapping[str, str], name: str) -> float:
    try:
        value = float(columns[name].replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} is {columns[name]!r}, not a number")
    return value


def _degrees(columns: Mapping[str, str], name: str, most: float) -> float | None:
    if not columns.get(name):
        return None
    value = _number(columns, name)
    if not -most <= value <= most:
        raise ValueError(f"{name} is {value:g}, outside -{most:g} to {most:g} degrees")
    return value


def _box(columns: Mapping[str, str]) -> HeadBox | None:
    given = [name for name in BOX_COLUMNS if columns.get(name)]
    if not given:
        return None
    if len(given) < len(BOX_COLUMNS):
        raise ValueError("a head box needs all of x, y, w, h")
    box = HeadBox(*(_number(columns, name) for name in BOX_COLUMNS))
    if max(map(abs, (box.x, box.y, box.w, box.h))) > MOST_PIXELS:
        raise ValueError("the head box lies farther out than any photo reaches")
    if not (box.w > 0 and box.h > 0):
        raise ValueError("a head box needs a width and a height above zero")
    return box
