"""Excel workbooks (the extra `excel`); the cells as text, as a CSV file would hold them.

What is merged over several rows stands in each of them, as people see it.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING
from xml.etree.ElementTree import Element

from index.errors import ManifestError

if TYPE_CHECKING:
    from openpyxl.cell import Cell, MergedCell
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

UNSAVED = "#UNSAVED!"
"""Stands for a formula that was written by a program which calculates nothing."""

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_WITH_ZEROS = re.compile(r'((?:"[^"]*"|\\.|-)*)(0+)')


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook by its bytes. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) in (_ZIP, _OLE)


class Workbook:
    """The first sheet of a workbook that is not empty. Raises ManifestError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if file.read(4) == _OLE:
                raise ManifestError(f"{path} is a workbook of an old Excel: save it as .xlsx or as CSV UTF-8.")
        try:
            from openpyxl.reader.excel import ExcelReader
        except ImportError:
            raise ManifestError(
                f"{path} is a workbook: install `pip install 'turtleidx[excel]'`, or save it as CSV UTF-8."
            ) from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles
                reader = ExcelReader(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
                reader.read()
                sheets = reader.wb.worksheets  # charts are none
                filled = [sheet.title for sheet in sheets if any(map(any, _texts(sheet)))]
                self._cells = list(_rows(reader, filled[0])) if filled else []
            reader.archive.close()
        except Exception as error:  # of all kinds, its own among them
            raise ManifestError(
                f"{path} looks like a workbook and cannot be read as one ({error}): save it as CSV UTF-8."
            ) from error
        self.remarks: list[str] = []
        if len(filled) > 1:
            others = ", ".join(filled[1:])
            self.remarks.append(f"{path}: the sheet {filled[0]} is read, and {others} not.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not empty, with its number."""
        yield from self._cells


def _rows(reader: ExcelReader, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows of a sheet that are not empty; what is merged over several counts in each of them."""
    [path] = [part.target for sheet, part in reader.parser.find_sheets() if sheet.name == name]
    with reader.archive.open(path) as file:
        marks = _Marks.read(file)
    spans: dict[int, tuple[int, str]] = {}
    for number, texts in enumerate(_texts(reader.wb[name]), 1):
        for column in marks.unsaved.get(number, ()):
            texts[column - 1] = UNSAVED
        for column, last in marks.merged.get(number, ()):
            spans[column] = (last, texts[column - 1] if column <= len(texts) else "")
        if not any(texts):
            continue
        for column, (last, text) in spans.items():
            if number <= last and text:
                texts += [""] * (column - len(texts))
                texts[column - 1] = text
        yield number, texts


def _texts(sheet: ReadOnlyWorksheet) -> Iterator[list[str]]:
    """Every row up to the last one, however many the sheet says it has."""
    sheet.reset_dimensions()
    for row in sheet.rows:
        yield [_text(cell) for cell in row]


@dataclass(frozen=True, slots=True)
class _Marks:
    """What a sheet says besides the values of its cells, and openpyxl does not tell of sheets that it reads row by row.

    Attributes
    ----------
    merged : mapping
        By row: first columns of the ranges that begin there and go on below, each with its last row.
    unsaved : mapping
        By row: columns of the formulas whose value was never saved.
    """

    merged: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    unsaved: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: IO[bytes]) -> _Marks:
        """Those of a sheet's XML."""
        from openpyxl.worksheet.cell_range import CellRange
        from openpyxl.xml.functions import iterparse

        found, number = cls(), 0
        for _, element in iterparse(file):
            kind = _kind(element)
            if kind == "row":
                number = int(element.get("r", number + 1))
                if columns := _unsaved(element):
                    found.unsaved[number] = columns
                element.clear()
            elif kind == "mergeCell":
                area = CellRange(element.get("ref"))
                if area.max_row > area.min_row:
                    found.merged.setdefault(area.min_row, []).append((area.min_col, area.max_row))
        return found


def _unsaved(row: Element) -> list[int]:
    from openpyxl.utils.cell import column_index_from_string, coordinate_from_string

    found, column = [], 0
    for cell in row:
        at = cell.get("r")
        column = column_index_from_string(coordinate_from_string(at)[0]) if at else column + 1
        inside = {_kind(part): part.text for part in cell}
        if "f" in inside and not inside.get("v") and cell.get("t") != "str":
            found.append(column)
    return found


def _kind(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(cell: Cell | MergedCell) -> str:
    """A cell's value as it is shown, as far as that matters: days, whole numbers, leading zeros."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int) and value >= 0 and (shown := _WITH_ZEROS.fullmatch(cell.number_format)):
        before = re.sub(r'\\(.)|"', r"\1", shown[1])
        return before + str(value).zfill(len(shown[2]))
    return str(value)
