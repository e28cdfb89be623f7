"""The commands of README's chapter on looking after a catalogue."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from index.catalog.catalog import Catalog
from tests.index.making import photo
from tests.retrieval.shelling import Shell, sized

README = Path(__file__).parents[2] / "README.md"
CHAPTER = "Looking after a catalogue"


def chapter_commands() -> list[list[str]]:
    chapter = re.search(
        rf"^## {CHAPTER}\n(.*?)(?=^## |\Z)", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    block = re.search(r"^```\w*\n(.*?)^```", chapter[1], re.MULTILINE | re.DOTALL) if chapter else None
    if block is None:
        return []
    typed = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    return [words for words in typed if words]


def test_the_commands_of_the_readme_run_in_order(shell: Shell) -> None:
    commands = chapter_commands()
    if not commands:
        pytest.skip(f"README has no chapter “{CHAPTER}” yet")
    field = Path(shutil.copytree(shell.catalog, shell.catalog.parent / "field.catalog"))
    Catalog.open(field).enroll([sized(photo(8, "T018"))], "Ben")
    Path("disk").mkdir()
    Path("disk/5.jpg").write_text("5")
    for program, *arguments in commands:
        assert program == "turtleidx"
        done = shell(*arguments, answer="y\n")
        assert done.code == 0, f"{arguments}: {done.err}"
