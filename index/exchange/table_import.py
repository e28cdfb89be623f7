"""A table that comes back: what it says about photos that are in the catalogue is set, as one event.

Columns are those of an enrolment manifest, and so is what may stand in them; a photo is known by its sha256. Cells
that say what the registry says change nothing, however they are written; an empty one takes a value away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.catalog import Browser, Catalog
from index.errors import InputError, ManifestError
from index.exchange.manifest import RefusedRow, sighting_of
from index.exchange.near_ids import NearIds, difference
from index.exchange.retelling import PhotoChange, apply_changes
from index.exchange.table_export import COARSE_DEGREES, COLUMNS, NUMBERS, cells_of, original
from index.exchange.tables import BOX_COLUMNS, DateOrder, TableRow, Writing, meant, open_table, recognised
from index.registry import PhotoRecord
from index.types import same_head

NEEDED = {"sha256": ": export a table to see what one looks like"}
OWN = frozenset({"sha256", "notes", "number", "encounter_name"})
IGNORED = frozenset({"photo", "sha256", "role"})
OF_A_LIST = frozenset({"number", "encounter_name"})
"""Columns of `turtleidx photos list --csv`, whose column `encounter` holds numbers and not names."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a table changed.

    Attributes
    ----------
    updated, unchanged : int
        Photos of the catalogue that the table names.
    missing : tuple of str
        sha256 of photos that the catalogue does not have; enroll their files to get them.
    refused : tuple of RefusedRow
        Rows that cannot be used; nothing of them was set.
    noted : tuple of str
        Columns that a manifest would keep as notes, and so did this table.
    remarks : tuple of str
        Sentences about what was recognised.
    """

    updated: int
    unchanged: int
    missing: tuple[str, ...]
    refused: tuple[RefusedRow, ...]
    noted: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def import_table(
    catalog: Catalog,
    source: Path,
    who: str,
    why: str = "",
    *,
    dry_run: bool = False,
    dates: DateOrder | None = None,
    new_ids: bool = False,
) -> ImportReport:
    """Set what a table says about photos that are in the catalogue, as one event.

    Raises ManifestError when no row can be used, or the table as a whole.

    Parameters
    ----------
    why : str
        Stands in the history before the name of the table.
    dates : DateOrder or None
        How dates are written that do not begin with the year, where the column does not show it.
    new_ids : bool
        Ids that look like known ones, or like those of earlier rows, are those of other turtles.
    """
    parquet = source.suffix.lower() == ".parquet"
    read = _read_parquet(catalog, source) if parquet else _read_table(source, dates)
    rows = read.rows
    unit = "row" if parquet else "line"
    usable, refused = _usable(rows, source, unit)
    with catalog.writing("import"):
        present: dict[int | str, PhotoRecord] = {record.id: record for record in Browser(catalog).photos()}
        wanted, unclear = _by_photo(usable, list(present.values()), read, source, unit)
        refused += unclear
        others = _other_ids(catalog)
        ids = None if new_ids else NearIds.of(catalog)
        changes = []
        for row, record in ((row, present[name]) for name, row in wanted.items() if name in present):
            try:
                told = _told(record, row, others, read.writing, ids)
                changes.append(PhotoChange(record, told))
                if ids is not None and told.turtle is not None:
                    ids.add(told.turtle)
            except (ValueError, InputError) as error:
                place = f"{unit} {row.number}"
                refused.append(RefusedRow(row.number, record.path, f"{place}: {str(error).rstrip('.')}.", row.columns))
        refused.sort(key=lambda row: row.number)
        missing = tuple(sorted(str(name) for name in wanted.keys() - present.keys()))
        if refused and not changes and not missing:
            raise ManifestError(f"No row of {source} can be used, {refused[0].reason}")
        reason = f"{why} ({source})" if why else str(source)
        with catalog.transaction("import table", who, reason, dry_run=dry_run) as transaction:
            apply_changes(transaction, [change for change in changes if change.new != change.old])
            count = "SELECT count(DISTINCT key) FROM journal WHERE event = ? AND record = 'photos'"
            updated = transaction.number(count, transaction.event)
    noted = tuple(name for name in (rows[0].columns if rows else ()) if name not in IGNORED.union(COLUMNS))
    return ImportReport(updated, len(changes) - updated, missing, tuple(refused), noted, read.remarks)


@dataclass(frozen=True, slots=True)
class _Read:
    """A table's rows, how it is written, and what was recognised."""

    rows: list[TableRow]
    writing: Writing
    remarks: tuple[str, ...] = ()


def _read_table(source: Path, dates: DateOrder | None) -> _Read:
    table = open_table(source, NEEDED, "table", dates, OWN)
    rows = []
    for row in table.rows():
        cells = {name: text if name in NUMBERS else meant(name, original(text)) for name, text in row.columns.items()}
        rows.append(replace(row, columns=cells))
    return _Read(rows, table.writing, tuple(words for words in table.remarks if "notes only" not in words))


def _read_parquet(catalog: Catalog, source: Path) -> _Read:
    if not source.is_file():
        raise ManifestError(f"There is no table {source}.")
    try:
        with catalog.reading() as session:
            columns, rows = session.parquet(source.absolute())
    except ValueError as error:
        raise ManifestError(f"{source} cannot be read as a table ({error}).") from error
    names = recognised(source, columns, NEEDED, OWN).names
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    filled = [{name: meant(name, text) for name, text in zip(names, row, strict=True)} for row in texts]
    return _Read([TableRow(number, cells) for number, cells in enumerate(filled, 1)], Writing())


def _usable(rows: Sequence[TableRow], source: Path, unit: str) -> tuple[list[TableRow], list[RefusedRow]]:
    """Rows that name a photo, and those that name none or do not fit the header; empty ones are left out."""
    wanted: list[TableRow] = []
    refused = []
    filled = [row for row in rows if not row.empty]
    if not filled:
        raise ManifestError(f"{source} has no rows.")
    if filled[0].columns.keys() >= OF_A_LIST:
        raise ManifestError(
            f"{source} is a list of photos and not an export: `turtleidx export` writes a table to import."
        )
    for row in filled:
        digest = row.columns["sha256"].lower()
        if row.fault or not digest:
            reason = f"{unit} {row.number} {row.fault or 'has no sha256'}."
            refused.append(RefusedRow(row.number, row.columns.get("photo", ""), reason, row.columns))
        else:
            wanted.append(row)
    return wanted, refused


def _by_photo(
    rows: Sequence[TableRow], records: Sequence[PhotoRecord], read: _Read, source: Path, unit: str
) -> tuple[dict[int | str, TableRow], list[RefusedRow]]:
    """Rows by the number of the photo that they name, or by the sha256 of one that is not there.

    A file that shows several heads is named with its head box, as an export has it.
    """
    heads: dict[str, list[PhotoRecord]] = {}
    for record in records:
        heads.setdefault(record.sha256, []).append(record)
    found: dict[int | str, TableRow] = {}
    refused = []
    for row in rows:
        digest = row.columns["sha256"].lower()
        there = heads.get(digest, [])
        if len(there) > 1:
            there = [record for record in there if _shows(record, row, read.writing)]
            if len(there) != 1:
                reason = f"{unit} {row.number} names a file with several heads: give x, y, w and h as exported."
                refused.append(RefusedRow(row.number, row.columns.get("photo", ""), reason, row.columns))
                continue
        name: int | str = there[0].id if there else digest
        if name in found:
            both = f"{unit}s {found[name].number} and {row.number}"
            raise ManifestError(f"{source} names a photo twice, in {both}: keep one row of each sha256.")
        found[name] = row
    return found, refused


def _shows(record: PhotoRecord, row: TableRow, writing: Writing) -> bool:
    """Whether a row's head box is that of a photo."""
    try:
        box = sighting_of(record.path, {name: row.columns.get(name, "") for name in BOX_COLUMNS}, writing).box
    except ValueError:
        return False
    return box is not None and record.box is not None and same_head(box, record.box)


def _other_ids(catalog: Catalog) -> dict[str, str]:
    """Ids that were merged, and those that stand for them now."""
    return {one.id: one.merged_into for one in Browser(catalog).turtles() if one.merged_into is not None}


def _told(
    record: PhotoRecord, row: TableRow, others: Mapping[str, str], writing: Writing, ids: NearIds | None
) -> PhotoRecord:
    """A photo as a row tells it; what the row does not mention stays. Raises ValueError, InputError."""
    columns = row.columns
    now, coarse = cells_of(record, True), cells_of(record, False)
    said = {
        name: text
        for name, text in columns.items()
        if name in COLUMNS and name not in IGNORED and text not in (meant(name, now[name]), coarse[name])
    }
    changes: dict[str, Any] = {"notes": _notes(record, columns, said.pop("notes", None))}
    if said.keys() & set(BOX_COLUMNS):
        said |= {name: columns.get(name, now[name]) for name in BOX_COLUMNS}
    seen = sighting_of(record.path, said, writing)
    if seen.remarks:
        raise ValueError(f"the photo {seen.remarks[0].partition(':')[0]}")
    for name in said:
        if name in BOX_COLUMNS:
            changes["box"] = seen.box
        elif name == "encounter":
            changes["encounter_name"] = seen.encounter
        elif name == "turtle":
            _refuse_lookalike(record, seen.turtle, ids)
            changes["turtle"] = None if seen.turtle is None else others.get(seen.turtle, seen.turtle)
        elif name not in ("latitude", "longitude") or not _is_coarse(getattr(seen, name), getattr(record, name)):
            changes[name] = getattr(seen, name)
    told = replace(record, **changes)
    _check_box(told)
    return told


def _refuse_lookalike(record: PhotoRecord, name: str | None, ids: NearIds | None) -> None:
    known = None if name is None or ids is None else ids.lookalike(name)
    if name is not None and known is not None:
        raise ValueError(
            f"the photo would go from {record.turtle or 'no turtle'} to {name}, which would be new and differs from "
            f"{known} only in {difference(name, known)}: write {known}, or give --new-ids if it is another turtle"
        )


def _is_coarse(said: float | None, exact: float | None) -> bool:
    """A coordinate that was made coarse on the way out says nothing against the exact one."""
    return exact is not None and said == round(exact, COARSE_DEGREES)


def _check_box(record: PhotoRecord) -> None:
    box, (width, height) = record.box, record.size
    if box is None or not (width and height):
        return
    across = min(width, round(box.x + box.w)) - max(0, round(box.x))
    down = min(height, round(box.y + box.h)) - max(0, round(box.y))
    if across < 2 or down < 2:
        raise ValueError(f"the photo is {width} x {height} pixels, and the head box lies outside it")


def _notes(record: PhotoRecord, columns: Mapping[str, str], said: str | None) -> Mapping[str, str]:
    """Notes as the column of that name tells them, and then the columns that a manifest would keep as notes."""
    notes = dict(record.notes) if said is None else _parsed_notes(said)
    others = {name: text for name, text in columns.items() if text and name not in IGNORED.union(COLUMNS)}
    return notes | others


def _parsed_notes(text: str) -> dict[str, str]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        found = json.loads(text or "{}", parse_constant=refuse)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f'the notes {text[:40]!r} are not texts by name, written as in {{"colour": "green"}}')
    return found
