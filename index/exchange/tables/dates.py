"""Dates in tables: written as people write them, and never guessed where they can be read both ways."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from index.errors import ManifestError

DATE = re.compile(
    r"(?P<year>\d{4})([-:/]?)(?P<month>\d\d)\2(?P<day>\d\d)"
    r"(?:(?:T|\s+)\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?(?:\s*(?:Z|UTC|[+-]\d\d:?\d\d))?)?",
    re.ASCII,
)
"""A date, and a time as cameras and spreadsheets write it."""

_NUMBERS = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})(?:,?\s+\d{1,2}[:.]\d\d.*)?", re.ASCII)
_NAMED = re.compile(r"(\d{1,2})[\s.\-]*([A-Za-z]{3,9})[\s.,\-]*(\d{4})", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EXCEL = re.compile(r"[2-5]\d{4}(?:\.\d+)?", re.ASCII)
_EXCEL_DAY_0 = dt.date(1899, 12, 30)
FIRST = dt.date(1900, 1, 2)
"""Earlier days are what spreadsheets make of an empty cell."""


class DateOrder(StrEnum):
    """Which of two numbers before a year comes first."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


@dataclass(frozen=True, slots=True)
class DatedLine:
    """A date as it stands in a table, and in which line."""

    line: int
    text: str


def improbable(moment: dt.datetime, today: dt.date | None = None) -> str | None:
    """Why a camera's moment cannot be that of a photo, or None; `today` is the present day unless it is given."""
    if in_future(moment.date(), today):
        return "which lies in the future"
    if moment.year < 1990:
        return "which is before there were digital cameras"
    if is_reset_day(moment.date()) or ((moment.month, moment.day) == (1, 1) and moment.hour == 0):
        return "the day on which cameras begin to count when their battery was empty"
    return None


def in_future(day: dt.date, today: dt.date | None = None) -> bool:
    """Whether a day has begun nowhere yet."""
    return day > (today or dt.datetime.now(dt.UTC).date()) + dt.timedelta(days=1)  # it begins earlier in the east


def is_reset_day(day: dt.date) -> bool:
    """Whether clocks that were never set say this day."""
    return (day.month, day.day) == (1, 1) and (day.year in (1970, 1980, 1990, 2000, 2001) or day.year < 1970)


def column_order(
    dates: Iterable[DatedLine], name: str, option: DateOrder | None
) -> tuple[DateOrder | None, str | None]:
    """In which order a column's days and months stand, and the sentence that says so; None where years come first.

    Raises ManifestError for a column that can be read both ways, unless the option says how.
    """
    proofs: dict[DateOrder, DatedLine] = {}
    doubtful: DatedLine | None = None
    for one in dates:
        match = _NUMBERS.fullmatch(one.text.strip())
        if match is None:
            continue
        first, second = int(match[1]), int(match[3])
        if first > 12 >= second:
            proofs.setdefault(DateOrder.DAY_FIRST, one)
        elif second > 12 >= first:
            proofs.setdefault(DateOrder.MONTH_FIRST, one)
        elif first != second:
            doubtful = doubtful or one
    if option is not None:
        return option, None
    if len(proofs) == 1:
        [(order, proof)] = proofs.items()
        words = "day/month/year" if order is DateOrder.DAY_FIRST else "month/day/year"
        return order, f"{name}: dates are read as {words}, as {proof.text} in line {proof.line} shows."
    if doubtful is not None or proofs:
        shown = doubtful or next(iter(proofs.values()))
        why = "the column mixes both orders" if proofs else "it can be day or month first"
        raise ManifestError(
            f"{name}: the date {shown.text} in line {shown.line} is not certain, for {why}: say which with --dates dmy "
            "or --dates mdy, or write YYYY-MM-DD."
        )
    return DateOrder.DAY_FIRST, None


def parse_date(text: str, order: DateOrder | None = None) -> dt.date:
    """A date written YYYY-MM-DD (or with : or / as in EXIF), with or without a time behind it; ValueError says so.

    With an order also 25/04/2021 and 25.04.2021; always 25 Apr 2021.
    """
    trimmed = text.strip()
    try:
        if found := DATE.fullmatch(trimmed):
            return dt.date(*map(int, found.group("year", "month", "day")))
        if found := _NAMED.fullmatch(trimmed):
            return dt.date(int(found[3]), _MONTHS.index(found[2][:3].lower()) + 1, int(found[1]))
        if order is not None and (found := _NUMBERS.fullmatch(trimmed)):
            day, month = (found[1], found[3]) if order is DateOrder.DAY_FIRST else (found[3], found[1])
            return dt.date(int(found[4]), int(month), int(day))
    except ValueError:
        pass
    if _EXCEL.fullmatch(trimmed):
        meant = _EXCEL_DAY_0 + dt.timedelta(days=int(trimmed[:5]))
        raise ValueError(f"the date {text!r} is Excel's number for {meant}: write YYYY-MM-DD")
    how = " in the order of the others" if order is not None and _NUMBERS.fullmatch(trimmed) else ""
    raise ValueError(f"the date {text!r} is not written YYYY-MM-DD{how}")


def checked_day(day: dt.date, today: dt.date | None = None) -> dt.date:
    """A day that a person may have written; ValueError for one to come and for what spreadsheets make of nothing."""
    if in_future(day, today):
        raise ValueError(f"the date {day} lies in the future")
    if day < FIRST:
        raise ValueError(f"the date {day} is what a spreadsheet makes of an empty cell")
    return day
