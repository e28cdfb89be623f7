"""An empty catalogue for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from tests.index.making import RECIPE


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalogue that nobody writes to; making one takes longer than copying it."""
    return Catalog.create(tmp_path_factory.mktemp("empty") / "turtles.catalog", RECIPE).path


@pytest.fixture
def catalog(empty: Path, tmp_path: Path) -> Catalog:
    """An empty catalogue of the test's own."""
    return Catalog.open(Path(shutil.copytree(empty, tmp_path / "turtles.catalog")))
