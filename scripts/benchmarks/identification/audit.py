"""How long `turtleidx audit` takes: after a fit, when nothing is left to compare, after more photos, and with no fit.

Whole turtles of a manifest are enrolled; what is measured are whole commands, start included: seconds on the clock and
of the processor, and how many pairs they compared. The alternative in the same run is the audit of the same photos in a
catalogue that was never fitted, so that every pair has to be compared. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.exchange import ManifestRow, read_manifest
from index.naming import whole_path

LATER = 10
"""One in so many turtles comes after the fit."""
_COMPARED = re.compile(r"\(([\d,]+) compared now\)")


@dataclass(frozen=True, slots=True)
class Audited:
    """One `audit`: seconds on the clock and of the processor, pairs that it compared, findings that it shows."""

    name: str
    clock: float
    processor: float
    compared: int
    findings: int


def main() -> None:
    """Measure, print a table and one line of JSON."""
    options = _options()
    rows = [row for row in read_manifest(options.manifest, options.roles) if isinstance(row, ManifestRow)]
    turtles = whole_turtles(rows, 40 if options.quick else options.photos)
    later = turtles[::LATER]
    with scratch_folder() as folder:
        audits = run(folder, [one for one in turtles if one not in later], later, options.matcher)
    _print(audits, sum(map(len, turtles)), len(turtles))


def whole_turtles(rows: Sequence[ManifestRow], photos: int) -> list[list[ManifestRow]]:
    """The rows of as many turtles, in the order of their names, as have no more than so many photos together."""
    of_turtle: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        of_turtle[str(row.sighting.turtle)].append(row)
    chosen: list[list[ManifestRow]] = []
    for name in sorted(of_turtle):
        if sum(map(len, chosen)) + len(of_turtle[name]) <= photos:
            chosen.append(of_turtle[name])
    return chosen


def run(
    folder: Path, first: Sequence[Sequence[ManifestRow]], later: Sequence[Sequence[ManifestRow]], matcher: str
) -> list[Audited]:
    """All audits, one after the other."""
    fitted, unfitted = folder / "fitted", folder / "unfitted"
    _enroll(fitted, folder / "first.csv", first)
    _enroll(unfitted, folder / "all.csv", [*first, *later])
    _command(fitted, "fit", "--matcher", matcher)
    audits = [_audit("after a fit", fitted, matcher), _audit("nothing left to compare", fitted, matcher)]
    _enroll(fitted, folder / "later.csv", later)
    audits.append(_audit("after a tenth more turtles", fitted, matcher))
    return [*audits, _audit("all of them, never fitted", unfitted, matcher)]


def _enroll(catalog: Path, table: Path, turtles: Sequence[Sequence[ManifestRow]]) -> None:
    rows = [row for turtle in turtles for row in turtle]
    columns = "photo,turtle,side,taken_on\n"
    table.write_text(columns + "".join(_line(row) for row in rows), encoding="utf-8")
    _command(catalog, "enroll", "--manifest", str(table), "--heads", "whole", "--no-fit")


def _line(row: ManifestRow) -> str:
    shown = row.sighting
    values = (str(whole_path(Path(shown.path))), str(shown.turtle), shown.side or "", shown.taken_on or "")
    return ",".join(f'"{value}"' for value in values) + "\n"


def _audit(name: str, catalog: Path, matcher: str) -> Audited:
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    told = _command(catalog, "audit", "--json", "--matcher", matcher)
    after, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    found = _COMPARED.search(told.stderr + told.stdout)
    if found is None:
        sys.exit(f"`turtleidx audit` does not say what it compared: {told.stderr}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    shown = sum(line.startswith("{") for line in told.stdout.splitlines())
    return Audited(name, clock, spent, int(found[1].replace(",", "")), shown)


def _command(catalog: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "retrieval", "--catalog", str(catalog), *words],
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"`turtleidx {' '.join(words)}` failed: {done.stderr}")
    return done


def _print(audits: Sequence[Audited], photos: int, turtles: int) -> None:
    table = Table("audit", "s", "processor s", "pairs compared", "findings", "of the last row's time")
    for one in audits:
        share = one.clock / audits[-1].clock
        table.add_row(
            one.name, f"{one.clock:.1f}", f"{one.processor:.1f}", f"{one.compared:,}", str(one.findings), f"{share:.2f}"
        )
    Console(width=120).print(table)
    print(json.dumps({"photos": photos, "turtles": turtles} | {one.name: asdict(one) for one in audits}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="CSV with columns photo, turtle, side, taken_on")
    parser.add_argument("--roles", nargs="*", default=(), help="only rows with one of these roles")
    parser.add_argument("--photos", type=int, default=170, help="of whole turtles, at most")
    parser.add_argument("--matcher", default="aliked+views")
    parser.add_argument("--quick", action="store_true", help="40 photos")
    return parser.parse_args()


if __name__ == "__main__":
    main()
