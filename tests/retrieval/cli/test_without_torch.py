"""The light recipe on a CPU imports no torch, whatever is asked of it, nor does a small network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.engine import LIGHT
from synthetic.samples import SampleSet
from tests.retrieval.drawn import copied

pytestmark = pytest.mark.whole

PROGRAM = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise AssertionError("torch was imported")

sys.meta_path.insert(0, Forbidden())
from retrieval.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def folder(samples: SampleSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two turtles of three photos each."""
    return copied(samples, tmp_path_factory.mktemp("light"), {"T001", "T002"}).folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Path:
    made = folder.parent / f"{folder.name}.catalog"
    done = asked(made, "enroll", str(folder), "--side", "left", "--no-fit")
    assert (done.returncode, b"6 enrolled" in done.stdout) == (0, True), done.stderr
    return made


def asked(catalog: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """What a fresh process that cannot import torch says."""
    line = ["--catalog", str(catalog), "--device", "cpu", *arguments]
    return subprocess.run([sys.executable, "-c", PROGRAM, *line], capture_output=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [("fit",), ("query",), ("query", "--heads", "given"), ("evaluate",), ("audit",), ("identify",)],
    ids=" ".join,
)
def test_no_command_of_the_light_recipe_imports_torch(catalog: Path, folder: Path, arguments: tuple[str, ...]) -> None:
    photos = [str(folder / "T001" / "left-1.jpg")] if arguments[0] == "query" else []
    done = asked(catalog, *arguments, "--matcher", LIGHT, *photos)
    assert done.returncode == 0, done.stderr


def test_a_small_network_compares_without_torch(catalog: Path, folder: Path) -> None:
    done = asked(catalog, "query", "--matcher", "turtle-sift+views", str(folder / "T001" / "left-1.jpg"))
    assert done.returncode == 0, done.stderr


def test_the_second_expert_needs_torch(catalog: Path, folder: Path) -> None:
    done = asked(catalog, "query", "--matcher", "aliked", str(folder / "T001" / "left-1.jpg"))
    assert b"torch was imported" in done.stderr
