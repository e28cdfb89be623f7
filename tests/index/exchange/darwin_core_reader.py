"""An independent reading of Darwin Core archives: what is wrong with one, by https://dwc.tdwg.org/text/."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from index.errors import CatalogDamaged

_TEXT = "{http://rs.tdwg.org/dwc/text/}"
_LARGEST_MEMBER = 1 << 30


def check_darwin_core(source: Path) -> list[str]:
    """What is wrong with an archive, one sentence each. Raises CatalogDamaged for what is no archive."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
            absent = [name for name in ("meta.xml", "eml.xml") if name not in names]
            if absent:
                return [f"{name} is missing." for name in absent]
            meta, eml = (ElementTree.fromstring(_member(archive, name)) for name in ("meta.xml", "eml.xml"))
            problems = [] if eml.find(".//title") is not None else ["eml.xml gives no title."]
            core = meta.find(f"{_TEXT}core")
            if core is None:
                return [*problems, "meta.xml names no core."]
            ids, found = _check_table(archive, core, None)
            problems += found
            for extension in meta.findall(f"{_TEXT}extension"):
                problems += _check_table(archive, extension, ids)[1]
            return problems
    except (OSError, zipfile.BadZipFile, ElementTree.ParseError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise CatalogDamaged(f"{source} is not a Darwin Core archive that can be read ({error}).") from error


def _check_table(
    archive: zipfile.ZipFile, table: ElementTree.Element, core_ids: set[str] | None
) -> tuple[set[str], list[str]]:
    location = table.findtext(f"{_TEXT}files/{_TEXT}location") or ""
    if location not in archive.namelist():
        return set(), [f"{location or 'A data file'} is named by meta.xml and missing."]
    rows = list(csv.reader(io.StringIO(_member(archive, location)), strict=True))
    rows = rows[int(table.get("ignoreHeaderLines", "0")) :]
    fields = {f.get("term", "").rsplit("/", 1)[-1]: int(f.get("index", "-1")) for f in table.findall(f"{_TEXT}field")}
    key = table.find(f"{_TEXT}{'id' if core_ids is None else 'coreid'}")
    if key is None:
        return set(), [f"meta.xml says nothing about the ids of {location}."]
    width = max([int(key.get("index", "0")), *fields.values()]) + 1
    short = [number for number, row in enumerate(rows, 1) if len(row) < width]
    if short:
        return set(), [f"Row {short[0]} of {location} has fewer than {width} columns."]
    ids = [row[int(key.get("index", "0"))] for row in rows]
    problems = []
    if core_ids is None:
        if len(set(ids)) != len(ids) or "" in ids:
            problems.append(f"Ids of {location} are empty or not unique.")
        problems += [f"{location} has no {term}." for term in ("occurrenceID", "basisOfRecord") if term not in fields]
    elif set(ids) - core_ids:
        problems.append(f"{location} names {min(set(ids) - core_ids)}, which the core does not have.")
    for number, row in enumerate(rows, 1):
        problems += [f"Row {number} of {location}: {text}" for text in _check_row(row, fields)]
    return set(ids), problems


def _check_row(row: Sequence[str], fields: Mapping[str, int]) -> list[str]:
    problems = []
    for term, most in (("decimalLatitude", 90.0), ("decimalLongitude", 180.0)):
        text = row[fields[term]] if term in fields else ""
        if text and not _within(text, most):
            problems.append(f"{term} {text} is not a number of degrees.")
    for day in (row[fields["eventDate"]] if "eventDate" in fields else "").split("/"):
        try:
            dt.date.fromisoformat(day or "2000-01-01")
        except ValueError:
            problems.append(f"eventDate {day} is not a date.")
    if "basisOfRecord" in fields and not row[fields["basisOfRecord"]]:
        problems.append("basisOfRecord is empty.")
    return problems


def _within(text: str, most: float) -> bool:
    try:
        return abs(float(text)) <= most
    except ValueError:
        return False


def _member(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > _LARGEST_MEMBER:
        raise ValueError(f"{name} is absurdly large")
    return archive.read(name).decode("utf-8")
