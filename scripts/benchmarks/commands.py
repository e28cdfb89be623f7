"""What whole commands of turtleidx cost, each in a process of its own, here and in another checkout, turn by turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parents[2]
"""This checkout."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process took.

    Attributes
    ----------
    processor, clock : float
        Seconds of the processor, user and system, those of its own processes too, and on the clock.
    memory : float
        The most resident megabytes that it had, or that one of its own processes had, whichever is more.
    """

    processor: float
    clock: float
    memory: float


def checkouts(other: Path | None) -> dict[str, Path]:
    """Folders by what tables call them: this checkout, and the other one where there is one."""
    return {"here": HERE} | ({} if other is None else {"other": other.resolve()})


def spent(checkout: Path, command: Sequence[str], catalog: Path, cores: int | None = None) -> Spent:
    """Run `turtleidx` of a checkout with these arguments on a catalogue; SystemExit with what it said if it fails.

    Parameters
    ----------
    cores : int or None
        Cores that it may use; None: all.
    """
    env = os.environ | {"PYTHONPATH": str(checkout), "TURTLEIDX_CATALOG": str(catalog)}
    if cores is not None:
        env["OMP_NUM_THREADS"] = str(cores)
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


def print_medians(taken: Mapping[tuple[str, str], Sequence[Spent]], names: Sequence[str]) -> None:
    """A table and a line of JSON of what commands took in the middle, by command and checkout."""
    kinds = {"processor": "processor s", "clock": "s", "memory": "MB"}
    table = Table("command", *(f"{name}, {unit}" for unit in kinds.values() for name in names))
    figures: dict[str, float] = {}
    for command in dict.fromkeys(command for command, _ in taken):
        medians = {
            (kind, name): statistics.median(getattr(one, kind) for one in taken[command, name])
            for kind in kinds
            for name in names
        }
        table.add_row(command, *(f"{value:.3f}" for value in medians.values()))
        figures |= {f"{name} {command} {kind}": round(value, 4) for (kind, name), value in medians.items()}
    Console().print(table)
    print(json.dumps(figures))
