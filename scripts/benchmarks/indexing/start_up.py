"""How long light commands take before they answer, here and in another checkout, turn by turn.

Processor seconds, user and system, of one process a command, since they depend least on what else runs. The catalogue
is a small one of drawn photos, made here; the other checkout gets one of its own, made by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.scratch import scratch_folder

HERE = Path(__file__).resolve().parents[3]
COMMANDS = (("--help",), ("turtles", "list"), ("info",), ("query", "--help"))
"""The first needs no catalogue; none of them compares photos."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one process: of the processor, and on the clock."""

    processor: float
    clock: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, for example of an earlier version")
    parser.add_argument("--turns", type=int, default=9, help="processes of each command and checkout")
    parser.add_argument("--quick", action="store_true", help="three turns")
    options = parser.parse_args()
    checkouts = {"here": HERE} | ({"other": options.against.resolve()} if options.against else {})
    with scratch_folder() as folder:
        for name, checkout in checkouts.items():
            _spent(checkout, ("init",), folder / name)
        spent = _measured(checkouts, 3 if options.quick else options.turns, folder)
    _print(spent, list(checkouts))


def _measured(checkouts: dict[str, Path], turns: int, folder: Path) -> dict[tuple[str, str], list[Spent]]:
    """By command and checkout; each command is run once before it counts."""
    spent: dict[tuple[str, str], list[Spent]] = {}
    for turn in range(turns + 1):
        for command in COMMANDS:
            for name, checkout in checkouts.items():
                took = _spent(checkout, command, folder / name)
                if turn:
                    spent.setdefault((" ".join(command), name), []).append(took)
    return spent


def _spent(checkout: Path, command: tuple[str, ...], catalog: Path) -> Spent:
    env = os.environ | {"PYTHONPATH": str(checkout), "TURTLEIDX_CATALOG": str(catalog), "OMP_NUM_THREADS": "1"}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "retrieval", *command], cwd=catalog.parent, env=env, check=True, capture_output=True
    )
    after, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock)


def _print(spent: dict[tuple[str, str], list[Spent]], checkouts: list[str]) -> None:
    table = Table("command", *(f"{name}, processor s" for name in checkouts), *(f"{name}, s" for name in checkouts))
    figures: dict[str, float] = {}
    for command in dict.fromkeys(command for command, _ in spent):
        medians = {
            (kind, name): statistics.median(getattr(one, kind) for one in spent[command, name])
            for kind in ("processor", "clock")
            for name in checkouts
        }
        table.add_row(command, *(f"{value:.3f}" for value in medians.values()))
        figures |= {f"{name} {command} {kind}": round(value, 4) for (kind, name), value in medians.items()}
    Console().print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
