"""A new catalogue stands there whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from index.catalog.access.creation import LEFT_BEHIND, drafting
from index.errors import CatalogExists


def test_a_draft_takes_its_place_and_the_second_is_told(tmp_path: Path) -> None:
    path = tmp_path / "my[red].catalog"
    path.mkdir()
    with pytest.raises(CatalogExists, match="at the same moment"), drafting(path, "sign") as second:
        (second / "sign").touch()
        with drafting(path, "sign") as first:
            (first / "sign").write_text("first")
    assert (path / "sign").read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_goes_when_it_is_old(tmp_path: Path) -> None:
    old, new = (tmp_path / f".turtles.{name}.partial" for name in ("old", "new"))
    for left in (old, new):
        left.mkdir()
    long_ago = time.time() - 2 * LEFT_BEHIND
    os.utime(old, (long_ago, long_ago))
    with drafting(tmp_path / "turtles", "sign"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, "turtles"]
