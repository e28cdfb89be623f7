"""Manifests: a table with one row a photo, read as a stream, so that a million rows need no memory.

Columns: photo (needed), turtle, side, taken_on, encounter, species, site, observer, latitude, longitude, x, y, w, h
(the head box) and role; every other column is kept as notes. Paths are relative to the manifest.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import re
from collections.abc import Collection, Iterator, Mapping
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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from _rows(path, file.read(1 << 16), roles)
    except FileNotFoundError as error:
        raise ManifestError(f"There is no manifest {path}.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8 text; save it as CSV UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise ManifestError(f"{path} cannot be read as a manifest ({error}).") from error


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


def _rows(path: Path, start: str, roles: Collection[str]) -> Iterator[ManifestRow | RefusedRow]:
    header = start.splitlines()[0] if start.strip() else ""
    delimiter = max(DELIMITERS, key=header.count)
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file, delimiter=delimiter, restkey="", restval="")
        names = [name.strip().lower() for name in table.fieldnames or ()]
        if "photo" not in names:
            raise ManifestError(f"{path} has no column named photo (its columns: {', '.join(names) or 'none'}).")
        if len(set(names)) < len(names):
            raise ManifestError(f"{path} has two columns of one name: {', '.join(names)}.")
        if roles and "role" not in names:
            raise ManifestError(f"{path} has no column named role, by which rows are chosen.")
        table.fieldnames = names
        yield from _parsed(path, table, roles)


def _parsed(path: Path, table: csv.DictReader[str], roles: Collection[str]) -> Iterator[ManifestRow | RefusedRow]:
    seen: dict[str, int] = {}
    for row in table:
        number = table.line_num
        columns = {name: str(value).strip() for name, value in row.items() if name}
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
                sighting = _sighting(path.parent, columns)
                yield ManifestRow(number, sighting, columns.get("role") or None, columns)
            except (ValueError, InputError) as error:
                yield RefusedRow(number, photo, f"line {number}: {str(error).rstrip('.')}.", columns)


def _sighting(folder: Path, columns: Mapping[str, str]) -> Sighting:
    text = {name: columns.get(name) or None for name in TEXT_COLUMNS}
    if text["turtle"] is not None:
        checked_id(text["turtle"])
    return Sighting(
        path=checked_path(folder / columns["photo"]),
        side=parse_side(columns["side"]) if columns.get("side") else None,
        taken_on=parse_date(columns["taken_on"]) if columns.get("taken_on") else None,
        latitude=_degrees(columns, "latitude", 90.0),
        longitude=_degrees(columns, "longitude", 180.0),
        box=_box(columns),
        notes={name: value for name, value in columns.items() if name not in KNOWN_COLUMNS and value},
        **text,
    )


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
