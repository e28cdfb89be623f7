"""Runs `turtleidx` in this process, as a person types it."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from index.types import PreparedPhoto
from retrieval.cli.app import main
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions

_INSTRUMENTS = Engine.load(options=EngineOptions(extractor="sift-64-480", matcher="nearest"))
RECIPE, ENCODER = _INSTRUMENTS.recipe, _INSTRUMENTS.encoder


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


class Shell:
    """Runs `turtleidx` in this process, in the catalogue's folder, and answers its questions."""

    def __init__(self, catalog: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.catalog = catalog
        self._capsys = capsys
        self._patch = patch
        patch.chdir(catalog.parent)

    def __call__(self, *arguments: str | Path, answer: str = "") -> Outcome:
        self._capsys.readouterr()
        self._patch.setattr(sys, "stdin", io.StringIO(answer))
        try:
            main(["--catalog", str(self.catalog), "--who", "Ana", *map(str, arguments)])
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        printed = self._capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    def turtles(self, *filters: str) -> dict[str, object]:
        """Photo counts by id."""
        return {str(one["turtle"]): one["photos"] for one in self("turtles", "list", "--json", *filters).records}


def placed(one: PreparedPhoto, latitude: float, longitude: float) -> PreparedPhoto:
    return replace(one, sighting=replace(one.sighting, latitude=latitude, longitude=longitude))


def sized(one: PreparedPhoto) -> PreparedPhoto:
    """With a descriptor of the bundled encoder."""
    [descriptor] = ENCODER.encode([], [one.features])
    return replace(one, vector=descriptor)
