"""CSV files of any program: how they are written is recognised, and a quote that swallows rows is refused."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.errors import ManifestError

DELIMITERS = ",;\t|"
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SEPARATOR = re.compile(r'"?sep=(.|\t)"?,*(?:\r\n|\r|\n)', re.IGNORECASE)
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class TextTable:
    """How a CSV file is written.

    Attributes
    ----------
    skipped : int
        Characters before the header: byte-order marks and a line `sep=`.
    lines : int
        Lines among them.
    """

    path: Path
    encoding: str
    delimiter: str
    skipped: int
    lines: int

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row with the number of its last line. Raises ManifestError for a quote that is not closed."""
        with self.path.open(newline="", encoding=self.encoding) as file:
            file.read(self.skipped)
            table = csv.reader(file, delimiter=self.delimiter, strict=True)
            begun = 1 + self.lines
            width = 0
            try:
                for row in table:
                    ended = table.line_num + self.lines
                    width = width or len(row)
                    if ended > begun:
                        self._refuse_swallowed(row, begun, width)
                    yield ended, row
                    begun = ended + 1
            except csv.Error as error:
                what = "a quote is not closed, or closed too early" if "field larger" not in str(error) else str(error)
                raise ManifestError(
                    f"{self.path} cannot be read: in the row that begins in line {begun} {what}; write a quote within "
                    'text twice ("").'
                ) from error

    def _refuse_swallowed(self, row: list[str], line: int, width: int) -> None:
        """A cell of several lines is fine unless those look like rows of the table."""
        for cell in row:
            inner = re.split(r"\r\n|\r|\n", cell)[1:]
            if width > 1 and any(text.count(self.delimiter) >= max(2, width - 1) for text in inner):
                raise ManifestError(
                    f"{self.path} cannot be read: a quote that begins in line {line} closes only lines later, and "
                    "there are whole rows in between; close it."
                )


def text_table(path: Path) -> TextTable:
    """How a file is written. Raises OSError, and ManifestError for what is no text."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = _encoding(path, head)
    with path.open(newline="", encoding=encoding) as text:
        start = text.read(_HEAD)
    marks = len(start) - len(start.lstrip("\ufeff"))
    separator = _SEPARATOR.match(start, marks)
    if separator is not None:
        lines = 1
        return TextTable(path, encoding, separator[1], separator.end(), lines)
    lines_of_text = (line for line in re.split(r"[\r\n]", start[marks:]) if line.strip(f"{DELIMITERS} "))
    header = next(lines_of_text, "")
    outside = re.sub(r'"[^"]*"', "", header)
    return TextTable(path, encoding, max(DELIMITERS, key=outside.count), marks, 0)


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = head[1::2].count(0), head[::2].count(0)
    if len(head) > 3 and max(zeros) > len(head) // 4:
        return "utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"
    if _decodes(path, "utf-8"):
        return "utf-8"
    if b"\0" not in head and _decodes(path, "cp1252"):
        return "cp1252"
    raise ManifestError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252; save it as CSV UTF-8.")


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding) as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True
