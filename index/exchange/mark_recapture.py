"""Capture histories for mark-recapture programs: which turtle was seen in which period."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalog import Browser, Catalog
from index.exchange.table_export import header_of, write_csv
from index.files import replacing
from index.types import Int64, Side


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included."""

    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True, eq=False)
class CaptureHistories:
    """Encounters of turtles by period.

    Attributes
    ----------
    turtles : tuple of str
        Those seen in at least one period, in order.
    encounters : int64 [turtles, periods]
    unidentified : int64 [periods]
        Encounters that no turtle was named for: what the identities leave open.
    """

    turtles: tuple[str, ...]
    periods: tuple[Period, ...]
    encounters: Int64
    unidentified: Int64


def years(first: int, last: int) -> list[Period]:
    """Calendar years, both included."""
    return [Period(dt.date(year, 1, 1), dt.date(year, 12, 31)) for year in range(first, last + 1)]


def capture_histories(catalog: Catalog, periods: Sequence[Period], side: Side | None = None) -> CaptureHistories:
    """Count encounters by turtle and period; with `side`, only those with a photo of that side."""
    rows: dict[str, Int64] = {}
    unidentified = np.zeros(len(periods), np.int64)
    for encounter in Browser(catalog).encounters():
        if encounter.day is None or not encounter.photos or (side is not None and side not in encounter.sides):
            continue
        inside = np.array([period.first <= encounter.day <= period.last for period in periods], np.int64)
        if encounter.turtle is None:
            unidentified += inside
        elif inside.any():
            rows[encounter.turtle] = rows.get(encounter.turtle, np.zeros(len(periods), np.int64)) + inside
    turtles = tuple(sorted(rows))
    counted = np.stack([rows[turtle] for turtle in turtles]) if turtles else np.zeros((0, len(periods)), np.int64)
    return CaptureHistories(turtles, tuple(periods), counted, unidentified)


def is_histories(file: Path) -> bool:
    """Whether a file is a table as `write_histories` writes it."""
    first, *periods = header_of(file) or [""]
    return first == "turtle" and periods[:1] == ["history"] and all(map(_PERIOD.fullmatch, periods[1:]))


_PERIOD = re.compile(r"\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d")


def write_histories(histories: CaptureHistories, target: Path) -> None:
    """Write as CSV: turtle, history (a digit a period), encounters by period; the last row is the unidentified."""
    names = [f"{period.first}/{period.last}" for period in histories.periods]
    rows = []
    for turtle, counts in zip((*histories.turtles, ""), (*histories.encounters, histories.unidentified), strict=True):
        history = "".join("1" if count else "0" for count in counts) if turtle else "unidentified"
        rows.append({"turtle": turtle, "history": history, **dict(zip(names, map(str, counts), strict=True))})
    with replacing(target.absolute()) as temporary:
        write_csv(temporary, ["turtle", "history", *names], rows)
