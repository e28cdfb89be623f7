"""Every command is found, and loads no more than it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_group

import retrieval
from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from retrieval.cli.app import PLACES, main
from tests.index.making import RECIPE

pytestmark = pytest.mark.whole

MODULES = sorted(
    path.stem
    for path in Path(str(retrieval.__file__)).parent.glob("cli/commands/*.py")
    if "def add_to(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_every_command_of_a_module_has_its_place(module: str) -> None:
    own = typer.Typer()
    import_module(f"retrieval.cli.commands.{module}").add_to(own)
    commands = get_group(own).commands
    places = {name: place.summary for name, place in PLACES.items() if place.module == module}
    assert places == {
        name: one.help.partition("\n\n")[0].replace("\n", " ") for name, one in commands.items() if one.help
    }


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


def printed_by(program: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """What a fresh Python prints, in which nobody has a name unless told otherwise."""
    kept = {name: value for name, value in os.environ.items() if name not in ("USER", "LOGNAME", "LNAME", "USERNAME")}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, env=kept | environment)


def test_what_the_output_cannot_show_is_replaced(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    Curator(catalog, "Ana").create_turtle("Šárka")

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        line = ["--catalog", str(catalog.path), "--who", "Ana", *arguments]
        return printed_by(f"from retrieval.cli import main; main({line!r})", PYTHONIOENCODING="ascii")

    listed = run("turtles", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)["turtle"]) == (0, "Šárka")
    renamed = run("turtles", "rename", "Šárka", "Nina")
    assert (renamed.returncode, b"? Nina" in renamed.stdout, renamed.stderr) == (0, True, b"")
    assert run("history").returncode == 0
    assert run("info").returncode == 0


def test_an_account_without_a_name_can_ask(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    line = ["--catalog", str(catalog.path), "turtles", "create", "Nina"]
    done = printed_by(f"import os; os.getuid = lambda: 4000000; from retrieval.cli import main; main({line!r})")
    assert (done.returncode, done.stderr) == (0, b"")
    assert Browser(catalog).history()[0].who == "4000000"


def test_names_are_printed_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my[red]cat[old]", "my[", "no[", "a:smile:"):
        with pytest.raises(SystemExit):
            main(["--catalog", f"{name}/]x", "init"])
        assert f"made {tmp_path / name}/]x with" in capsys.readouterr().out


def test_help_loads_nothing_that_compares_photos() -> None:
    program = (
        "import sys; from retrieval.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'faiss', 'scipy', 'PIL', 'kornia', 'starlette', 'duckdb', 'ray'}\n"
        "heavy |= {'retrieval.cli.commands'}\n"
        "print(heavy & sys.modules.keys(), file=sys.stderr)"
    )
    assert printed_by(program).stderr == b"set()\n"


def test_a_list_loads_nothing_that_only_writers_and_progress_bars_need(tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", RECIPE)
    program = (
        "import sys; from retrieval.cli import main\n"
        f"try: main(['--catalog', {str(catalog.path)!r}, 'turtles', 'list'])\n"
        "except SystemExit: pass\n"
        "spared = {'filelock', 'asyncio', 'rich.progress', 'index.exchange.manifest', 'index.curation.curator'}\n"
        "spared.add('ray')\n"
        "sys.exit(bool(spared & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_an_interrupt_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Catalog, "open", interrupted)
    with pytest.raises(SystemExit) as left:
        main(["--catalog", str(tmp_path), "turtles", "list"])
    assert left.value.code == 130
    assert capsys.readouterr().err.startswith("Interrupted; what was finished is kept")
