"""Drawn photos, a catalogue of seven photos without pixels, and a shell on a copy of it for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from index.catalog.catalog import Catalog
from index.curation.decisions import Decisions
from index.types import Side
from synthetic.samples import SampleSet
from tests.index.making import day, photo
from tests.retrieval.drawn import drawn_once
from tests.retrieval.shelling import RECIPE, Shell, placed, sized

os.environ["TURTLEIDX_WEIGHTS"] = str(Path(tempfile.gettempdir()) / "turtleidx-tests-without-weights")
"""Tests see the light recipe, whatever is installed or was downloaded on this machine; nothing is ever put there."""

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported, by whichever test is the first to need it


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> SampleSet:
    return drawn_once(tmp_path_factory)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three turtles and a photo of nobody: photos 1 to 7."""
    catalog = Catalog.create(tmp_path_factory.mktemp("made") / "turtles.catalog", RECIPE)
    taken = [
        photo(1, "T001", taken_on=day(0), side=Side.LEFT, site="Reef"),
        photo(2, "T001", taken_on=day(0), side=Side.RIGHT, site="Reef"),
        photo(3, "T001", taken_on=day(400), side=Side.LEFT, site="Bay"),
        photo(4, "T002", taken_on=day(5), side=Side.LEFT, species="Chelonia mydas"),
        placed(photo(5, "T002", taken_on=day(9), side=Side.LEFT), -8.51234, 115.51234),
        photo(6, "T017", taken_on=day(800), side=Side.RIGHT),
        photo(7, taken_on=day(3)),
    ]
    catalog.enroll([sized(one) for one in taken], "Ben")
    Decisions(catalog).keep("ab" * 32, "boat/a.jpg", "UNDECIDED", '{"candidates": []}', "Ben")
    return catalog.path


@pytest.fixture
def shell(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(Path(shutil.copytree(made, tmp_path / "turtles.catalog")), capsys, monkeypatch)
