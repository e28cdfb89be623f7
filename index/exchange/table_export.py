"""Tables for colleagues and their programs: one row a photo as CSV or Parquet, and capture histories.

Column names are those of an enrolment manifest. Exact coordinates only leave on request, because poachers read
too. Text that a spreadsheet would take for a formula is written with an apostrophe before it, which
`index.exchange.table_import` takes away again.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from index.catalog import Browser, Catalog
from index.files import replacing
from index.registry import PhotoRecord

COLUMNS = (
    *("photo", "sha256", "turtle", "side", "taken_on", "encounter", "species", "site", "observer"),
    *("latitude", "longitude", "x", "y", "w", "h", "notes"),
)
NUMBERS = frozenset({"latitude", "longitude", "x", "y", "w", "h"})
COARSE_DEGREES = 1
"""Decimals of coordinates that are not exact: about 11 km."""

Cells = Mapping[str, str]


def export_table(catalog: Catalog, target: Path, *, exact_locations: bool = False, as_of: dt.date | None = None) -> int:
    """Write every photo as a row of a .csv or .parquet file; gives the number of rows."""
    rows = [cells_of(record, exact_locations) for record in Browser(catalog, as_of).photos()]
    with replacing(target.absolute()) as temporary:
        if target.suffix.lower() == ".parquet":
            _write_parquet(catalog, temporary, rows)
        else:
            write_csv(temporary, COLUMNS, rows)
    return len(rows)


def is_export(catalog: Catalog, file: Path) -> bool:
    """Whether a file is a table as `export_table` writes it."""
    if file.suffix.lower() != ".parquet":
        return header_of(file) == list(COLUMNS)
    try:
        with catalog.reading() as session:
            return session.parquet(file.absolute(), 0)[0] == list(COLUMNS)
    except ValueError:
        return False


def header_of(file: Path) -> list[str]:
    """The columns of a CSV file that `write_csv` may have written; none where it did not."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return next(csv.reader(opened), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def cells_of(record: PhotoRecord, exact: bool) -> dict[str, str]:
    """One photo as text; empty where nothing is known."""
    places = (record.latitude, record.longitude)
    box = record.box
    values: tuple[object, ...] = (
        *(record.path, record.sha256, record.turtle, record.side, record.taken_on, record.encounter_name),
        *(record.species, record.site, record.observer),
        *(place if exact or place is None else round(place, COARSE_DEGREES) for place in places),
        *((None,) * 4 if box is None else (box.x, box.y, box.w, box.h)),
        json.dumps(dict(record.notes), ensure_ascii=False, sort_keys=True) if record.notes else None,
    )
    return {name: "" if value is None else str(value) for name, value in zip(COLUMNS, values, strict=True)}


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    """Write rows as CSV that a spreadsheet may open without running anything."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for cells in rows:
            writer.writerow([cells[name] if name in NUMBERS else harmless(cells[name]) for name in columns])


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if re.match(r"'*[=+\-@\t\r]", text) else text


def original(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if re.match(r"'+[=+\-@\t\r]", text) else text


def _write_parquet(catalog: Catalog, target: Path, rows: Sequence[Cells]) -> None:
    shape = json.dumps([dict.fromkeys(COLUMNS, "VARCHAR")])
    typed = ", ".join(
        f"CAST(nullif({name}, '') AS {'DOUBLE' if name in NUMBERS else 'VARCHAR'}) AS {name}" for name in COLUMNS
    )
    source = f"SELECT {typed} FROM (SELECT unnest(from_json(?, ?), max_depth := 2))"
    with catalog.reading() as session:
        session.write_parquet(target, source, json.dumps([dict(cells) for cells in rows]), shape)
