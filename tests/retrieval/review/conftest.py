"""A fitted catalogue with two wrong ids, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index.curation.curator import Curator
from tests.retrieval.drawn import made_once
from tests.retrieval.lookalikes import believing, enrolled, lookalike
from tests.retrieval.shelling import Shell


@pytest.fixture(scope="session")
def muddled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """T005 goes by a second id, and T006 and T007 by one."""
    return made_once(tmp_path_factory, "muddled", muddle) / "turtles.catalog"


def muddle(folder: Path) -> None:
    catalog = enrolled(folder)
    catalog.enroll([lookalike(5, 3, "Nina"), lookalike(6, 3, "T006", 0.7), lookalike(7, 3, "T007", 0.7)], "Ben")
    Curator(catalog, "Ben").merge_turtles("T006", ["T007"])
    believing(catalog)


@pytest.fixture
def own(muddled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(Path(shutil.copytree(muddled, tmp_path / "turtles.catalog")), capsys, monkeypatch)
