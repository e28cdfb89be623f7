"""Tables for colleagues and their programs: one row a photo as CSV or Parquet, and capture histories.

Column names are those of an enrolment manifest. Exact coordinates only leave on request, because poachers read
too. Text that a spreadsheet would take for a formula is written with an apostrophe before it, which importing
takes away again.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.browsing import Browser
from index.catalog import Catalog
from index.durable import replacing
from index.errors import ManifestError
from index.placing import Placing
from index.records import PhotoRecord
from index.registry import Transaction
from index.regrouping import several
from index.types import Side

COLUMNS = (
    *("photo", "sha256", "turtle", "side", "taken_on", "encounter", "species", "site", "observer"),
    *("latitude", "longitude", "x", "y", "w", "h", "notes"),
)
NUMBERS = frozenset({"latitude", "longitude", "x", "y", "w", "h"})
COARSE_DEGREES = 1
"""Decimals of coordinates that are not exact: about 11 km."""

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a table changed.

    Attributes
    ----------
    updated, unchanged : int
        Photos of the catalogue that the table names.
    missing : tuple of str
        sha256 of photos that the catalogue does not have; enroll their files to get them.
    """

    updated: int
    unchanged: int
    missing: tuple[str, ...]


def export_table(catalog: Catalog, target: Path, *, exact_locations: bool = False, as_of: dt.date | None = None) -> int:
    """Write every photo as a row of a .csv or .parquet file; gives the number of rows."""
    rows = [cells_of(record, exact_locations) for record in Browser(catalog, as_of).photos()]
    with replacing(target.absolute()) as temporary:
        if target.suffix.lower() == ".parquet":
            _write_parquet(catalog, temporary, rows)
        else:
            write_csv(temporary, COLUMNS, rows)
    return len(rows)


def import_table(catalog: Catalog, source: Path, who: str, why: str = "", *, dry_run: bool = False) -> ImportReport:
    """Set what a table says about photos that are in the catalogue, as one event. Raises ManifestError.

    Parameters
    ----------
    why : str
        Stands in the history before the name of the table.
    """
    rows = _read_parquet(catalog, source) if source.suffix.lower() == ".parquet" else read_csv(source)
    wanted = {cells.get("sha256", ""): cells for cells in rows}
    if not rows or "sha256" not in rows[0]:
        raise ManifestError(f"{source} has no rows with a sha256 column: export a table to see what one looks like.")
    if len(wanted) != len(rows):
        raise ManifestError(f"{source} names a photo twice: keep one row of each sha256.")
    present = {record.sha256: record for record in Browser(catalog).photos()}
    changed = {}
    for digest in wanted.keys() & present.keys():
        now, coarse = (cells_of(present[digest], exact) for exact in (True, False))
        # a coordinate that was made coarse on the way out says nothing against the exact one
        said = {name: text for name, text in wanted[digest].items() if text not in (now.get(name), coarse.get(name))}
        if said.keys() & set(COLUMNS) - {"photo"}:
            changed[digest] = {**now, **said}
    reason = f"{why} ({source})" if why else str(source)
    with (
        catalog.writing("import"),
        catalog.transaction("import table", who, reason, dry_run=dry_run) as transaction,
    ):
        _apply(transaction, {present[digest].id: cells for digest, cells in changed.items()}, source)
    there = wanted.keys() & present.keys()
    return ImportReport(len(changed), len(there) - len(changed), tuple(sorted(wanted.keys() - present.keys())))


def cells_of(record: PhotoRecord, exact: bool) -> dict[str, str]:
    """One photo as text; empty where nothing is known."""
    places = (None, None) if record.latitude is None else (record.latitude, record.longitude)
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


def read_csv(source: Path) -> list[dict[str, str]]:
    """Read rows of CSV. Raises ManifestError."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            return [
                {name: text if name in NUMBERS else original(text) for name, text in row.items()}
                for row in csv.DictReader(file, strict=True, restval="")
            ]
    except (OSError, UnicodeDecodeError, csv.Error, TypeError, AttributeError) as error:
        raise ManifestError(f"{source} cannot be read as a table ({error}).") from error


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
    with catalog.reading() as session:
        quoted = str(target).replace("'", "''")
        source = f"SELECT {typed} FROM (SELECT unnest(from_json(?, ?), max_depth := 2))"
        session.run(
            f"COPY ({source}) TO '{quoted}' (FORMAT parquet)",
            *(json.dumps([dict(cells) for cells in rows]), shape),
        )


def _read_parquet(catalog: Catalog, source: Path) -> list[dict[str, str]]:
    if not source.is_file():
        raise ManifestError(f"There is no file {source}.")
    with catalog.reading() as session:
        names = [str(row[0]) for row in session.rows("DESCRIBE SELECT * FROM read_parquet(?)", str(source))]
        rows = session.rows("SELECT * FROM read_parquet(?)", str(source))
    return [dict(zip(names, ("" if value is None else str(value) for value in row), strict=True)) for row in rows]


def _apply(transaction: Transaction, changed: Mapping[int, Cells], source: Path) -> None:
    names = [cells for cells in changed.values() if cells["turtle"]]
    placing = Placing(
        transaction, {cells["turtle"] for cells in names}, {c["encounter"] for c in changed.values() if c["encounter"]}
    )
    old = {
        int(number): (int(encounter), turtle, day, name)
        for number, encounter, turtle, day, name in transaction.rows(
            "SELECT p.id, p.encounter, t.id, p.taken_on, e.name FROM photos p JOIN encounters e ON e.id = p.encounter "
            f"LEFT JOIN turtles t ON t.key = e.turtle WHERE p.id IN ({several(changed)})"
        )
    }
    rows = []
    for number, cells in changed.items():
        encounter, *place = old[number]
        day = _day(cells["taken_on"], source)
        asked = [cells["turtle"] or None, day, cells["encounter"] or None]
        if asked != place:
            key = placing.turtle(cells["turtle"], cells["species"] or None) if cells["turtle"] else None
            encounter = placing.encounter(key, day, cells["encounter"] or None)
        rows.append({"id": number, "encounter": encounter, **_columns(cells, source)})
    placing.write()
    for row in rows:
        kept = ", ".join(f"?::{_TYPES.get(name, 'VARCHAR')} AS {name}" for name in row if name != "id")
        values = [value for name, value in row.items() if name != "id"]
        transaction.journal.update("photos", kept, "id = ?", *values, row["id"])
    left = several({encounter for encounter, *_ in old.values()})
    used = f"SELECT encounter FROM photos WHERE encounter IN ({left})"
    transaction.journal.remove("encounters", f"id IN ({left}) AND id NOT IN ({used})")


_TYPES = {
    "encounter": "BIGINT",
    "taken_on": "DATE",
    "notes": "JSON",
    **dict.fromkeys(("latitude", "longitude", "box_x", "box_y", "box_w", "box_h"), "DOUBLE"),
}


def _columns(cells: Cells, source: Path) -> dict[str, object]:
    try:
        numbers = {name: float(cells[name]) if cells[name] else None for name in NUMBERS}
        return {
            "side": str(Side(cells["side"])) if cells["side"] else None,
            "taken_on": cells["taken_on"] or None,
            **{name: cells[name] or None for name in ("species", "site", "observer")},
            "latitude": numbers["latitude"],
            "longitude": numbers["longitude"],
            **{f"box_{name}": numbers[name] for name in "xywh"},
            "notes": json.dumps(json.loads(cells["notes"] or "{}"), ensure_ascii=False, separators=(",", ":")),
        }
    except ValueError as error:
        raise ManifestError(f"{source} has a value that cannot be read: {error}.") from error


def _day(text: str, source: Path) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ManifestError(f"{source} has a date that is not YYYY-MM-DD: {text}.") from error
