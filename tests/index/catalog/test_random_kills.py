"""A few of the random kills of `scripts/crash_test`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crash_tests.kills import crash


@pytest.mark.skipif(os.name == "nt", reason="kill -9 and forkserver are Unix matters")
def test_random_kills_lose_nothing(tmp_path: Path) -> None:
    result = crash(kills=6, seed=1, folder=tmp_path, longest_life=0.25)
    assert result.kills == 6
    assert result.losses == []
