"""What faults cost: a table of many photos looked at and enrolled, with a fault on every tenth row and without any.

Small pictures are made of drawn heads, each with other pixels. Both tables go through the commands, `enroll --check`
and `enroll`, in turn; processor seconds of the whole process are compared. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.types import Side
from synthetic.heads import draw_head

HEADS = 200
HEAD = ("photo", "turtle", "side", "taken_on", "latitude", "site")
EVERY = 10
"""One of so many rows has a fault."""

SOUND, FAULTY = "sound", "faulty"


def main() -> None:
    options = _options()
    with scratch_folder(options.scratch) as folder:
        figures = run(options, folder)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Processor seconds of both tables, for a look and for enrolling."""
    rows = _photos(options.rows, options.heads, options.size, folder)
    _write(rows, folder / f"{SOUND}.csv")
    _write(_with_faults(rows, folder), folder / f"{FAULTY}.csv")
    shown = Table("command", SOUND, FAULTY, "longer by", title=f"{options.rows} rows, CPU seconds")
    figures: dict[str, object] = {"rows": options.rows}
    for name, how in (("check", ["--check", "--json"]), ("enroll", ["--no-fit", "--extractor", options.extractor])):
        seconds, told = {}, {}
        for table in (SOUND, FAULTY):
            catalog = folder / f"{table}-{name}.catalog"
            seconds[table], told[table] = _timed(catalog, folder / f"{table}.csv", how)
        longer = seconds[FAULTY] / seconds[SOUND] - 1
        shown.add_row(f"enroll {how[0]}", f"{seconds[SOUND]:.1f}", f"{seconds[FAULTY]:.1f}", f"{longer:+.1%}")
        figures |= {f"{name}_longer": longer, f"{name}_cpu_s": seconds, f"{name}_told": told}
    Console(width=100).print(shown)
    return figures


def _photos(rows: int, heads: int, size: int, folder: Path) -> list[list[str]]:
    """A row a photo; a corner of each picture is its own, so that no two show the same."""
    (folder / "photos").mkdir()
    drawn = [draw_head(number, 0, Side.LEFT, (size, size * 4 // 5), 0) for number in range(heads)]
    made = []
    for number in range(rows):
        pixels = drawn[number % heads].copy()
        pixels[:8, :8] = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        name = f"photos/{number:06d}.jpg"
        Image.fromarray(pixels).save(folder / name, quality=90)
        day = f"20{10 + number // heads % 15:02d}-{1 + number % 12:02d}-{1 + number % 28:02d}"
        made.append([name, f"T{number % heads:04d}", "left", day, "-8.5", "Reef"])
    return made


def _with_faults(rows: Sequence[list[str]], folder: Path) -> list[list[str]]:
    """The same rows, every tenth of them with one of the faults that people's tables have."""
    (folder / "text.jpg").write_text("no photo")
    (folder / "cut.jpg").write_bytes((folder / rows[0][0]).read_bytes()[:200])
    faulty = [list(row) for row in rows]
    for count, number in enumerate(range(EVERY - 1, len(rows), EVERY)):
        photo, turtle, side, day, latitude, site = rows[number]
        faulty[number] = [
            [f"missing-{number}.jpg", turtle, side, day, latitude, site],
            ["text.jpg", turtle, side, day, latitude, site],
            ["cut.jpg", turtle, side, day, latitude, site],
            [photo, turtle, side, "2021-02-31", latitude, site],
            [photo, turtle, "port", day, latitude, site],
            [photo, turtle, side, day, "south", site],
            [photo, turtle, side, day, latitude, site, "and more"],
            [photo, "x" * 200, side, day, latitude, site],
            ["", turtle, side, day, latitude, site],
            [rows[number - 1][0], f"{turtle}-again", side, day, latitude, site],
        ][count % 10]
    return faulty


def _write(rows: Sequence[Sequence[str]], target: Path) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(HEAD)
        table.writerows(rows)


def _timed(catalog: Path, table: Path, how: Sequence[str]) -> tuple[float, str]:
    """Processor seconds of a command, and the last line that it said."""
    command = [sys.executable, "-m", "retrieval", "--catalog", str(catalog), "enroll", "--manifest", str(table), *how]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    said = (done.stdout.strip().splitlines() or [""])[-1]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--heads", type=int, default=HEADS, help="drawn heads, of which the pictures are made")
    parser.add_argument("--size", type=int, default=160, help="pixels of a picture's longer side")
    parser.add_argument("--extractor", default="sift-64-160")
    parser.add_argument("--scratch", type=Path, help="folder with room for the pictures and the catalogues")
    parser.add_argument("--quick", action="store_true", help="few rows, within a minute")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.heads = 200, 20
    return options


if __name__ == "__main__":
    main()
