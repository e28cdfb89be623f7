"""How long light commands take before they answer, and a cold query, here and in another checkout, turn by turn.

Processor seconds, user and system, of one process a command, since they depend least on what else runs, and its peak of
resident memory. The catalogue is an empty one, made here, or with `--photos` one of a manifest's photos, whose first is
asked about by the light recipe; the other checkout gets one of its own, made by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.exchange import ManifestRow, read_manifest
from retrieval.engine import LIGHT

HERE = Path(__file__).resolve().parents[3]
COMMANDS = (("--help",), ("turtles", "list"), ("info",), ("query", "--help"))
"""The first needs no catalogue; none of them compares photos."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one process, of the processor and on the clock, and the most megabytes that it had."""

    processor: float
    clock: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, for example of an earlier version")
    parser.add_argument("--photos", type=Path, help="a manifest of heads that were cut out, for the cold query")
    parser.add_argument("--turns", type=int, default=9, help="processes of each command and checkout")
    parser.add_argument("--quick", action="store_true", help="three turns")
    options = parser.parse_args()
    checkouts = {"here": HERE} | ({"other": options.against.resolve()} if options.against else {})
    commands = list(COMMANDS)
    with scratch_folder() as folder:
        for name, checkout in checkouts.items():
            _spent(checkout, ("init",), folder / name)
            if options.photos:
                manifest = str(options.photos.resolve())
                _spent(checkout, ("enroll", "--manifest", manifest, "--no-fit"), folder / name)
        if options.photos:
            commands.append(("query", "--matcher", LIGHT, _first_photo(options.photos)))
        spent = _measured(checkouts, commands, 3 if options.quick else options.turns, folder)
    _print(spent, list(checkouts))


def _first_photo(manifest: Path) -> str:
    rows = (row for row in read_manifest(manifest) if isinstance(row, ManifestRow))
    return str(Path(next(rows).sighting.path).resolve())


def _measured(
    checkouts: dict[str, Path], commands: Sequence[tuple[str, ...]], turns: int, folder: Path
) -> dict[tuple[str, str], list[Spent]]:
    """By command and checkout; each command is run once before it counts."""
    spent: dict[tuple[str, str], list[Spent]] = {}
    for turn in range(turns + 1):
        for command in commands:
            for name, checkout in checkouts.items():
                took = _spent(checkout, command, folder / name)
                if turn:
                    spent.setdefault((" ".join(command[:3]), name), []).append(took)
    return spent


def _spent(checkout: Path, command: tuple[str, ...], catalog: Path) -> Spent:
    env = os.environ | {"PYTHONPATH": str(checkout), "TURTLEIDX_CATALOG": str(catalog), "OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        started = subprocess.Popen(
            [sys.executable, "-m", "retrieval", *command], cwd=catalog.parent, env=env, stdout=said, stderr=said
        )
        _, ended, used = os.wait4(started.pid, 0)
        clock = time.perf_counter() - begun
        started.returncode = os.waitstatus_to_exitcode(ended)
        if started.returncode:
            said.seek(0)
            raise SystemExit(said.read().decode(errors="replace"))
    return Spent(used.ru_utime + used.ru_stime, clock, used.ru_maxrss * 1024 / 1e6)


def _print(spent: dict[tuple[str, str], list[Spent]], checkouts: list[str]) -> None:
    kinds = {"processor": "processor s", "clock": "s", "memory": "MB"}
    table = Table("command", *(f"{name}, {unit}" for unit in kinds.values() for name in checkouts))
    figures: dict[str, float] = {}
    for command in dict.fromkeys(command for command, _ in spent):
        medians = {
            (kind, name): statistics.median(getattr(one, kind) for one in spent[command, name])
            for kind in kinds
            for name in checkouts
        }
        table.add_row(command, *(f"{value:.3f}" for value in medians.values()))
        figures |= {f"{name} {command} {kind}": round(value, 4) for (kind, name), value in medians.items()}
    Console().print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
