"""The one reader of tables that people bring: CSV of any kind and Excel workbooks, each row whole or refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from index.errors import ManifestError
from index.exchange.tables.columns import KNOWN_COLUMNS, is_error, meant, recognised
from index.exchange.tables.dates import DatedLine, DateOrder, column_order
from index.exchange.tables.text import text_table
from index.exchange.tables.workbooks import UNSAVED, Workbook, is_workbook

TOO_MANY = "has more cells than the header has columns"


@dataclass(frozen=True, slots=True)
class Writing:
    """How a table writes what can be written in two ways.

    Attributes
    ----------
    dates : DateOrder or None
        None: only years that come first are understood.
    commas : bool
        A comma in a number is that of decimals, because it delimits no cells.
    """

    dates: DateOrder | None = None
    commas: bool = True


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table as it stands there.

    Attributes
    ----------
    number : int
        Line in the file, the header being 1.
    columns : mapping
        Cells by column, whose names are in lower case; no blanks at the ends, nothing where a known column says so.
    fault : str
        Why the row cannot be used, in words that stand behind its number; empty where nothing is wrong.
    """

    number: int
    columns: Mapping[str, str]
    fault: str = ""

    @property
    def empty(self) -> bool:
        """Nothing stands in the row."""
        return not self.fault and not any(self.columns.values())


class _Source(Protocol):
    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Cells, with the number of the line; the header first."""


def _filled(source: _Source) -> Iterator[tuple[int, list[str]]]:
    """Rows in which something stands; the first one is the header."""
    return ((number, cells) for number, cells in source.rows() if any(cell.strip() for cell in cells))


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read.

    Attributes
    ----------
    columns : tuple of str
        Names as they are used.
    remarks : tuple of str
        Sentences about what was recognised.
    """

    columns: tuple[str, ...]
    remarks: tuple[str, ...]
    writing: Writing
    _source: _Source
    _others: Collection[str]

    def rows(self) -> Iterator[TableRow]:
        """The rows in order, empty ones left out."""
        source = _filled(self._source)
        next(source, None)
        width = len(self.columns)
        for number, cells in source:
            if len(cells) < width:
                cells += [""] * (width - len(cells))
            columns = {name: meant(name, cell) for name, cell in zip(self.columns, cells, strict=False) if name}
            beyond = any(cell.strip() for cell in cells[width:])
            yield TableRow(number, columns, TOO_MANY if beyond else self._fault(columns))

    def _fault(self, columns: Mapping[str, str]) -> str:
        """What a spreadsheet left undone; its errors may stand in notes."""
        for name, cell in columns.items():
            if cell == UNSAVED:
                return (
                    f"has in {name} a formula whose value was never saved: open the workbook in Excel or LibreOffice "
                    "and save it, or save it as CSV UTF-8"
                )
            if is_error(cell) and (name in KNOWN_COLUMNS or name in self._others):
                return f"has {cell} in {name}, where a formula failed: mend it, or leave the cell empty"
        return ""


def open_table(
    path: Path,
    needed: Mapping[str, str],
    kind: str = "manifest",
    dates: DateOrder | None = None,
    others: Collection[str] = (),
) -> Table:
    """Look through a table, whole, before its first row is used.

    Parameters
    ----------
    needed : mapping
        Columns that must be there, and how the sentence goes on that says that one is not.
    kind : str
        What the file is called in sentences.
    dates : DateOrder or None
        Which comes first, day or month, in dates that do not begin with the year; None: the column must show it.
    others : collection of str
        Further names of columns that need no telling.

    Raises
    ------
    ManifestError
    """
    try:
        remarks: list[str] = []
        source: _Source
        if is_workbook(path):
            source = book = Workbook(path)
            remarks, commas = book.remarks, True
        else:
            source = text = text_table(path)
            commas = text.delimiter != ","
            if text.encoding == "cp1252":
                remarks.append(f"{path} is no UTF-8 and was read as Windows-1252: see that names are right.")
        rows = _filled(source)
        columns = recognised(path, next(rows, (1, []))[1], needed, others)
        at = columns.names.index("taken_on") if "taken_on" in columns.names else None
        dated = [DatedLine(number, cells[at]) for number, cells in rows if at is not None and at < len(cells)]
        order, sentence = column_order(dated, str(path), dates)
    except FileNotFoundError as error:
        raise ManifestError(f"There is no {kind} {path}.") from error
    except (OSError, UnicodeError) as error:
        raise ManifestError(f"{path} cannot be read as a {kind} ({error}).") from error
    told = (*remarks, *columns.remarks, *([sentence] if sentence else []))
    return Table(columns.names, told, Writing(order, commas), source, others)
