"""The page's sentences, all in one file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def words() -> Mapping[str, Mapping[str, Any]]:
    """`strings.toml`: sections of sentences by name."""
    return tomllib.loads(Path(__file__).with_name("strings.toml").read_text(encoding="utf-8"))
