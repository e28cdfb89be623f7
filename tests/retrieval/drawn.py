"""Drawn photos that several tests look at: drawn once for all test processes, because drawing takes seconds."""

from __future__ import annotations

import csv
import datetime as dt
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from filelock import FileLock

from index.types import Side
from synthetic.samples import Sample, SampleSet, write_samples

TURTLES = 22


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first test process to ask for it fills, and all others take as it is. Not to be changed."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            (folder / "made").touch()
    return folder


def drawn_once(factory: pytest.TempPathFactory) -> SampleSet:
    """Three photos each of T001 to T022 and of two strangers; photos 1 and 2 are of one day. Not to be changed."""
    folder = made_once(
        factory,
        "samples",
        lambda folder: write_samples(folder, TURTLES, photos_per_turtle=3, new_turtles=2, size=(320, 256)),
    )
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        samples = [_sample(row) for row in csv.DictReader(file)]
    return SampleSet(folder, folder / "manifest.csv", tuple(samples))


def copied(samples: SampleSet, folder: Path, turtles: Collection[str]) -> SampleSet:
    """The photos of some turtles in a folder of their own, without a manifest."""
    chosen = tuple(one for one in samples.samples if one.turtle in turtles)
    for one in chosen:
        (folder / one.photo).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples.folder / one.photo, folder / one.photo)
    return SampleSet(folder, folder / "manifest.csv", chosen)


def _sample(row: dict[str, str]) -> Sample:
    taken_on = dt.date.fromisoformat(row["taken_on"])
    return Sample(row["photo"], row["turtle"], Side(row["side"]), taken_on, row["encounter"], row["role"])
