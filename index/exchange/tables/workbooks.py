"""Excel workbooks (the extra `excel`); the cells as text, as a CSV file would hold them."""

from __future__ import annotations

import datetime as dt
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from index.errors import ManifestError

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_ERRORS = frozenset({"#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"})


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
            from openpyxl import load_workbook
        except ImportError:
            raise ManifestError(
                f"{path} is a workbook: install `pip install 'turtleidx[excel]'`, or save it as CSV UTF-8."
            ) from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles
                book = load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
            sheets = [(name, list(self._rows(book[name].iter_rows(values_only=True)))) for name in book.sheetnames]
            book.close()
        except Exception as error:  # of all kinds, its own among them
            raise ManifestError(
                f"{path} looks like a workbook and cannot be read as one ({error}): save it as CSV UTF-8."
            ) from error
        filled = [(name, rows) for name, rows in sheets if rows]
        self.remarks: list[str] = []
        self._cells = filled[0][1] if filled else []
        if len(filled) > 1:
            others = ", ".join(name for name, _ in filled[1:])
            self.remarks.append(f"{path}: the sheet {filled[0][0]} is read, and {others} not.")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not empty, with its number."""
        yield from self._cells

    @staticmethod
    def _rows(cells: Iterator[tuple[object, ...]]) -> Iterator[tuple[int, list[str]]]:
        for number, row in enumerate(cells, 1):
            texts = [_text(cell) for cell in row]
            if any(texts):
                yield number, texts


def _text(cell: object) -> str:
    if cell is None or (isinstance(cell, str) and cell in _ERRORS):
        return "" if cell is None else str(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)
