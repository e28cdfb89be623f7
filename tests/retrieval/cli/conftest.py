"""A fitted catalogue of drawn turtles, made once, and a shell on a copy of it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from retrieval.cli.app import main
from synthetic.samples import SampleSet
from tests.retrieval.drawn import made_once
from tests.retrieval.shelling import Shell

SMALL = ("--extractor", "sift-256-320")


@pytest.fixture(scope="session")
def fitted(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of 22 turtles, a photo each of two days enrolled and one left to be asked; fitted."""
    return made_once(tmp_path_factory, "fitted", lambda folder: fill(folder, samples)) / "turtles.catalog"


def fill(folder: Path, samples: SampleSet) -> None:
    catalog, manifest = folder / "turtles.catalog", folder / "enrolled.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["photo", "turtle", "side", "taken_on"])
        for sample in samples.samples:
            if sample.role != "new" and not sample.photo.endswith("-2.jpg"):
                rows.writerow([samples.folder / sample.photo, sample.turtle, sample.side, sample.taken_on])
    for command in (["enroll", "--manifest", str(manifest), "--no-fit", *SMALL], ["fit", "--matcher", "nearest"]):
        main_quietly(["--catalog", str(catalog), *command])


def main_quietly(arguments: list[str]) -> None:
    try:
        main(arguments)
    except SystemExit as exit_:
        assert not exit_.code


@pytest.fixture
def own(fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell on a copy of the fitted catalogue."""
    return Shell(Path(shutil.copytree(fitted, tmp_path / "turtles.catalog")), capsys, monkeypatch)
