"""How quickly a registry of decades answers: 100,000 turtles and a million photos, in Python and as commands.

    scripts/benchmark registry [--quick] [--keep FOLDER]

Builds a catalogue by SQL (no pictures), warms it up once, and takes the median of each operation; commands also in CPU
seconds. The alternative in the same run is the plain one: the same questions over rows read into Python.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from index.catalog import Browser, Catalog, Page, TurtleOrder
from index.curation import Curator
from index.registry import TurtleStatus
from index.types import Recipe

FIRST_PAGE = Page(50)


def main() -> None:
    """Build, measure, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the size")
    parser.add_argument("--keep", type=Path, help="build the catalogue here, or use the one that is here")
    options = parser.parse_args()
    turtles = 1_000 if options.quick else 100_000
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "large.catalog"
        catalog = Catalog.open(folder) if folder.exists() else build(folder, turtles, 10 * turtles)
        figures = measure(catalog) | measure_commands(catalog)
    print(f"\n{turtles:,} turtles, {10 * turtles:,} photos on {platform.machine()} {platform.system()}")
    for name, value in figures.items():
        print(f"  {name:<28}{value:>10.2f}")
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


def build(folder: Path, turtles: int, photos: int) -> Catalog:
    """A catalogue whose photos fall into encounters of two and turtles of five encounters."""
    catalog = Catalog.create(folder, Recipe("sift-512-480", "vlad-1", 8))
    with catalog.writing("build"), catalog.transaction("enroll", "benchmark") as transaction:
        transaction.run(
            "INSERT INTO turtles SELECT i, printf('T%06d', i), 'active', 'Chelonia mydas', NULL, [], NULL "
            f"FROM range(1, {turtles + 1}) r(i)"
        )
        transaction.run(
            f"INSERT INTO encounters SELECT i, i % {turtles} + 1, DATE '1990-01-01' + CAST(i % 12000 AS INTEGER), "
            f"NULL, NULL FROM range(1, {photos // 2 + 1}) r(i)"
        )
        transaction.run(
            "INSERT INTO photos BY NAME SELECT i AS id, sha256(CAST(i AS VARCHAR)) AS sha256, "
            "printf('/survey/%d/IMG_%07d.jpg', i % 97, i) AS path, (i + 1) // 2 AS encounter, false AS removed, "
            "CASE i % 2 WHEN 0 THEN 'left' ELSE 'right' END AS side, "
            "DATE '1990-01-01' + CAST((i + 1) // 2 % 12000 AS INTEGER) AS taken_on, printf('Site %d', i % 97) AS site, "
            f"512 AS keypoints, 0.5 AS quality, 4000 AS width, 3000 AS height FROM range(1, {photos + 1}) r(i)"
        )
        vector = "CAST(repeat('\\x00', 32) AS BLOB)"
        transaction.run(f"INSERT INTO descriptors SELECT id, {transaction.event}, {vector} FROM photos")
        for record, key in (("turtles", "key"), ("encounters", "id"), ("photos", "id")):
            transaction.run(
                f"INSERT INTO journal SELECT (SELECT coalesce(max(seq), 0) FROM journal) + row_number() OVER (), "
                f"{transaction.event}, '{record}', CAST({key} AS VARCHAR), NULL, NULL FROM {record}"
            )
        for counter, last in (("turtle", turtles), ("encounter", photos // 2), ("photo", photos)):
            transaction.take_ids(counter, last)
        transaction.journal.put("settings", [{"name": "built", "value": "benchmark"}])
    return Catalog.open(folder)


def measure(catalog: Catalog) -> dict[str, float]:
    """Milliseconds of each operation, warm."""
    browser, curator = Browser(catalog), Curator(catalog, "benchmark")
    names = [turtle.id for turtle in browser.turtles(status=TurtleStatus.ACTIVE, page=FIRST_PAGE)]
    pairs = iter(zip(names[1::2], names[::2], strict=True))

    def merge() -> None:
        into, other = next(pairs)
        curator.merge_turtles(into, [other])

    return {
        "list_ms": median(lambda: browser.turtles(page=FIRST_PAGE)),
        "show_ms": median(lambda: (browser.turtle(names[7]), browser.photos(turtle=names[7]))),
        "merge_ms": median(merge),
        "history_ms": median(lambda: browser.history(turtle=names[7])),
        "undo_ms": median(curator.undo, 3),
        "photos_page_ms": median(lambda: browser.photos(page=FIRST_PAGE)),
        "plain_list_ms": median(lambda: plain_list(catalog), 1),
    }


def measure_commands(catalog: Catalog) -> dict[str, float]:
    """Seconds of the same as commands, each a process of its own, and what they took of the processor."""
    turtles = Browser(catalog).turtles(
        status=TurtleStatus.ACTIVE, order=TurtleOrder.ID, descending=True, page=FIRST_PAGE
    )
    names = [turtle.id for turtle in turtles]
    pairs = iter(zip(names[1::2], names[::2], strict=True))
    commands: dict[str, Callable[[], list[str]]] = {
        "list": lambda: ["turtles", "list"],
        "show": lambda: ["turtles", "show", names[-1]],
        "merge": lambda: ["turtles", "merge", *next(pairs), "--yes"],
        "history": lambda: ["history", names[-1]],
    }
    figures = {}
    for name, command in commands.items():
        before = _used()
        figures[f"{name}_command_s"] = median(partial(_run, catalog, command), 5) / 1000
        figures[f"{name}_command_cpu_s"] = (_used() - before) / 6
    return figures


def _run(catalog: Catalog, command: Callable[[], list[str]]) -> None:
    whole = [sys.executable, "-m", "retrieval", "--catalog", str(catalog.path), *command()]
    subprocess.run(whole, check=True, capture_output=True)


def _used() -> float:
    """Processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain_list(catalog: Catalog) -> list[tuple[str, int]]:
    """The alternative: count photos of turtles in Python."""
    counts: dict[str, int] = {}
    for photo in Browser(catalog).photos():
        counts[photo.turtle or ""] = counts.get(photo.turtle or "", 0) + 1
    return sorted(counts.items())[:50]


def median(operation: Callable[[], object], times: int = 7) -> float:
    """Median milliseconds, after one call that is not counted."""
    seconds = []
    for _ in range(times + 1):
        start = time.perf_counter()
        operation()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
