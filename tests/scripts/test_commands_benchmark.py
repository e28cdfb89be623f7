"""What whole commands cost: measured of the process that was started, and a failed one stops the benchmark."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.commands import HERE, Spent, checkouts, print_medians, spent


def test_a_process_takes_seconds_and_memory(tmp_path: Path) -> None:
    took = spent(HERE, ("--help",), tmp_path / "none", cores=1)
    assert 0 < took.processor < 60
    assert 0 < took.clock < 60
    assert took.memory > 10


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"none\.catalog"):
        spent(HERE, ("turtles", "list"), tmp_path / "none.catalog")


def test_medians_are_by_command_and_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = checkouts(tmp_path)
    assert list(names) == ["here", "other"]
    taken = {("info", name): [Spent(place + one, 2.0, 30.0) for one in (5, 1, 2)] for place, name in enumerate(names)}
    print_medians(taken, list(names))
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["here info processor"], figures["other info processor"]) == (2.0, 3.0)
    assert figures["here info clock"] == 2.0


@pytest.mark.parametrize(
    ("benchmark", "arguments", "said"),
    [
        ("start-up", ("--catalog", "nowhere", "--photo", "none.jpg"), "there is no nowhere"),
        ("start-up", ("--catalog", "nowhere"), "--catalog goes with --photo"),
        ("start-up", ("--turns", "0"), "at least one"),
        ("fit", ("photos.csv", "--turns", "0"), "at least one"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    benchmark: str,
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)  # put back, since `main` changes it
    with pytest.raises(SystemExit):
        main([benchmark, *arguments])
    assert said in capsys.readouterr().err
