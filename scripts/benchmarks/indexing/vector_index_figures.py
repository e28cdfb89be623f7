"""What benchmark vector-index measured: rows, their table for people, and their plot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of the same thing done many times; `cpu` is the median of all threads' time."""

    p50: float
    p99: float
    cpu: float


def timed(operation: Callable[[int], object], times: Iterable[int]) -> Timed:
    """Milliseconds of doing it for each number."""
    wall, cpu = [], []
    for number in times:
        started, worked = time.perf_counter(), time.process_time()
        operation(number)
        wall.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - worked))
    return Timed(float(np.median(wall)), float(np.quantile(wall, 0.99)), float(np.median(cpu)))


@dataclass(frozen=True, slots=True)
class Row:
    """One way to search one gallery; None where it does not apply.

    Attributes
    ----------
    open_s, first_s : float
        Seconds until the index is open, and from nothing in memory to the catalogue's first shortlist.
    add_s : float
        Seconds until a thousand more photos are found.
    """

    way: str
    photos: int
    build_s: float
    bytes: int
    search: Timed
    recall_at_50: float
    recall_at_100: float
    open_s: float | None = None
    first_s: float | None = None
    shortlist: Timed | None = None
    query: Timed | None = None
    add_s: float | None = None


def table(rows: Sequence[Row]) -> Table:
    """All that was measured, for people."""
    names = (
        "photos",
        "way",
        "build s",
        "MiB",
        "open s",
        "first s",
        "search ms",
        "p99",
        "CPU",
        "recall 50",
        "recall 100",
    )
    shown = Table(
        *names, "shortlist ms", "p99", "CPU", "query ms", "p99", "CPU", "1,000 more s", box=None, padding=(0, 1)
    )
    for row in rows:
        own = (row.shortlist, row.query)
        times = [f"{value:.1f}" for timed in own if timed for value in (timed.p50, timed.p99, timed.cpu)] or [""] * 6
        shown.add_row(
            f"{row.photos:,}",
            row.way,
            f"{row.build_s:.1f}",
            f"{row.bytes / 2**20:.0f}",
            "" if row.open_s is None else f"{row.open_s:.2f}",
            "" if row.first_s is None else f"{row.first_s:.2f}",
            f"{row.search.p50:.1f}",
            f"{row.search.p99:.1f}",
            f"{row.search.cpu:.1f}",
            f"{row.recall_at_50:.3f}",
            f"{row.recall_at_100:.3f}",
            *times,
            "" if row.add_s is None else f"{row.add_s:.2f}",
        )
    return shown


def plot(rows: Sequence[Row], path: Path) -> None:
    """Milliseconds against photos, one line a way, as SVG."""
    with mpl.rc_context({"svg.hashsalt": "turtleidx", "svg.fonttype": "none", "axes.spines.top": False}):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.add_subplot(xscale="log", yscale="log", xlabel="photos", ylabel="milliseconds, median")
        for way in dict.fromkeys(row.way for row in rows):
            own = [row for row in rows if row.way == way]
            axes.plot([row.photos for row in own], [row.search.p50 for row in own], marker="o", label=f"{way}: search")
        own = [row for row in rows if row.query]
        times = [row.query.p50 for row in own if row.query]
        axes.plot([row.photos for row in own], times, marker="s", color="black", label="turtleidx: whole query")
        axes.legend(frameon=False, fontsize="small")
        figure.savefig(path, format="svg", metadata={"Date": None})
