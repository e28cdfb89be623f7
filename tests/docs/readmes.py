"""The READMEs as tests read them: command lines, inline code, tables, and the tree of commands they speak of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from retrieval.cli.app import app

ROOT = Path(__file__).parents[2]
FRONT, INDEX, RETRIEVAL, SCRIPTS = READMES = tuple(
    ROOT / folder / "README.md" for folder in ("", "index", "retrieval", "scripts")
)
"""The front page, and one page where each kind of code lies."""

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Typed:
    """One command line of a README: its words without comments and redirections, and what is printed below it."""

    page: Path
    words: tuple[str, ...]
    printed: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {shlex.join(self.words)}"


def text(page: Path) -> str:
    """The page as it stands in the repository."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Bodies of the fenced blocks of a language."""
    return [match["body"] for match in _BLOCK.finditer(text(page)) if match["language"] == language]


def inline(page: Path) -> list[str]:
    """What stands between single back quotes, outside of fenced blocks."""
    return _INLINE.findall(_BLOCK.sub("", text(page)))


def typed(page: Path, program: str) -> list[Typed]:
    """Command lines of a program: all lines of `bash` blocks, and of `console` blocks those behind a dollar sign."""
    lines = [Typed(page, _words(line)) for body in blocks(page, "bash") for line in body.splitlines()]
    for body in blocks(page, "console"):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            lines.append(Typed(page, _words(line), printed))
    return [line for line in lines if line.words and line.words[0] == program]


def table_rows(page: Path) -> list[list[str]]:
    """Cells of all rows of all tables."""
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text(page).splitlines()
        if line.startswith("|")
    ]


def _words(line: str) -> tuple[str, ...]:
    words = shlex.split(line, comments=True)
    return tuple(words[: words.index(">")] if ">" in words else words)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command that can be run, and the options that it knows."""

    name: str
    options: frozenset[str]


@cache
def root() -> Any:
    """`turtleidx` as typer has it."""
    return get_command(app)


@cache
def root_context() -> Any:
    """What sub-commands are looked up and parsed with."""
    return root().make_context("turtleidx", [], resilient_parsing=True)


def is_group(command: Any) -> bool:
    """Whether a command has sub-commands."""
    return hasattr(command, "list_commands")


def options_of(command: Any) -> frozenset[str]:
    """Names of its options, `--no-` forms too."""
    return frozenset(name for one in command.params for name in (*one.opts, *one.secondary_opts) if name[:1] == "-")


def leaves() -> Iterator[Leaf]:
    """Every command of the command line that can be run."""

    def below(command: Any, name: str) -> Iterator[Leaf]:
        if not is_group(command):
            yield Leaf(name, options_of(command))
            return
        for sub in command.list_commands(root_context()):
            yield from below(command.get_command(root_context(), sub), f"{name} {sub}")

    yield from below(root(), "turtleidx")


def resolve(words: tuple[str, ...]) -> tuple[Any, list[str], list[str]]:
    """The command that words (without the program) name as far as they do, those that name it, and the others.

    Raises
    ------
    LookupError
        A group has no such command.
    """
    command, rest = root(), list(words)
    named: list[str] = []
    while is_group(command) and rest and rest[0][:1] != "-":
        found = command.get_command(root_context(), rest[0])
        if found is None:
            raise LookupError(f"there is no command {' '.join(['turtleidx', *named, rest[0]])}")
        command = found
        named.append(rest.pop(0))
    return command, named, rest
