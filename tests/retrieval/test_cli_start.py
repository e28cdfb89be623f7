"""Every command is found, and loads no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_group

import retrieval
from index.catalog import Catalog
from retrieval.cli import PLACES, main
from tests.index.making import RECIPE

MODULES = sorted(
    path.stem
    for path in Path(str(retrieval.__file__)).parent.glob("cli_*.py")
    if "def add_to(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_every_command_of_a_module_has_its_place(module: str) -> None:
    own = typer.Typer()
    import_module(f"retrieval.{module}").add_to(own)
    assert {name for name, place in PLACES.items() if place == module} == set(get_group(own).commands)


def test_the_help_text_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert {line.strip("│| ").split(" ")[0] for line in capsys.readouterr().out.splitlines()} >= set(PLACES)


def test_a_mistyped_command_is_told_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["turtels", "list"])
    assert left.value.code == 2
    assert "turtles" in capsys.readouterr().err


def test_a_list_loads_nothing_that_only_writers_and_progress_bars_need(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    program = (
        "import sys; from retrieval.cli import main\n"
        f"try: main(['--catalog', {str(catalog.path)!r}, 'turtles', 'list'])\n"
        "except SystemExit: pass\n"
        "spared = {'filelock', 'asyncio', 'rich.progress', 'index.joining', 'retrieval.cli_exchange'}\n"
        "sys.exit(bool(spared & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
