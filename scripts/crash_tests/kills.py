"""Kill a process that works on a catalogue, at random moments, and see whether anything is ever lost.

A worker runs random operations of every kind and acknowledges each with a digest of the registry. It is killed
(kill -9) at a random moment. Then the registry as of the last acknowledged event must have that digest, a reader
must find every photo's features and vector, and after the next writer's repair a full check must find nothing.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from crash_tests.worker import BACKUP, EVERYTHING, FIELD, RECIPES, RESTORED, Acknowledged, digest_of, work
from index.catalog import Catalog, check_catalog, restore_backup


@dataclass
class Result:
    """How often a worker was killed, what was lost (sentences), and which operations had been acknowledged before."""

    kills: int
    losses: list[str]
    operations: dict[str, int]


def crash(kills: int, seed: int, folder: Path, longest_life: float = 2.5) -> Result:
    """Kill a worker again and again on one catalogue, at most so many seconds after it began, checking each time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trials.worker"])
    chance = random.Random(seed)
    path = Catalog.create(folder / "crashing.catalog", RECIPES[seed % 2]).path
    last = Acknowledged("create", 1, digest_of(Catalog.open(path), 1))
    result = Result(0, [], {})
    for number in range(kills):
        receiver, sender = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(path, chance.randrange(1 << 30), sender))
        worker.start()
        sender.close()
        receiver.recv()  # it is ready
        time.sleep(chance.uniform(0, longest_life))
        worker.kill()
        worker.join()
        result.kills += 1
        if worker.exitcode != -signal.SIGKILL:
            result.losses.append(f"kill {number}: the worker had stopped by itself")
        for told in drained(receiver):
            last = told
            result.operations[told.operation] = result.operations.get(told.operation, 0) + 1
        result.losses += [f"kill {number}, after {last.operation}: {loss}" for loss in losses(path, last)]
    return result


def drained(receiver: Connection) -> list[Acknowledged]:
    """Everything that was acknowledged before the kill."""
    found: list[Acknowledged] = []
    try:
        while receiver.poll():
            found.append(receiver.recv())
    except (EOFError, OSError):
        pass
    return found


def losses(path: Path, last: Acknowledged) -> list[str]:
    """What is not as it was acknowledged; each one sentence."""
    reader = Catalog.open(path)
    found = []
    if digest_of(reader, last.event) != last.digest:
        found.append("the registry is not what was acknowledged")
    photos = reader.photos(EVERYTHING)
    if len(reader.features(photos)) != len(photos) or len(reader.vectors(photos)) != len(photos):
        found.append("a reader misses features or vectors")
    found += [
        f"photo {photo.id} is not found by its own vector"
        for photo in photos[-3:]
        if photo not in reader.shortlist(reader.vectors([photo])[0], 3, EVERYTHING, per_turtle=3).photos
    ]
    report = check_catalog(reader)
    found += report.problems
    if reader.summary().health:
        found += reader.summary().health
    if list(path.rglob("*.partial")):
        found.append("an unfinished file was left behind")
    return found + backup_losses(path)


def backup_losses(path: Path) -> list[str]:
    """The last whole backup, and a catalogue that was restored from one, are as good as ever; half ones go."""
    folder, found = path.parent, []
    for leftover in (folder / FIELD, folder / f".{RESTORED}.partial"):
        shutil.rmtree(leftover, ignore_errors=True)
    if (folder / BACKUP).exists() and not (folder / RESTORED).exists():
        restore_backup(folder / BACKUP, folder / RESTORED)
    if (folder / RESTORED).exists():
        found = [
            f"in the restored backup: {problem}" for problem in check_catalog(Catalog.open(folder / RESTORED)).problems
        ]
        shutil.rmtree(folder / RESTORED)
    return found
