"""Every command is documented, and what is documented is a command."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.docs.readmes import (
    READMES,
    ROOT,
    Leaf,
    Typed,
    inline,
    is_group,
    leaves,
    options_of,
    resolve,
    root,
    text,
    typed,
)

LINES = [line for page in READMES for line in typed(page, "turtleidx")]
INLINE = sorted({code for page in READMES for code in inline(page) if re.match(r"turtleidx [a-z]", code)})
OPTIONS = sorted({code.split()[0] for page in READMES for code in inline(page) if re.match(r"--[a-z]", code)})
CODE = sorted(path for package in ("index", "retrieval") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("leaf", tuple(leaves()), ids=lambda leaf: leaf.name)
def test_every_command_is_shown_in_a_readme(leaf: Leaf) -> None:
    shown = {" ".join(["turtleidx", *resolve(line.words[1:])[1]]) for line in LINES}
    assert leaf.name in shown, (
        f"`{leaf.name}` has no command line in any of the READMEs: show it where its subject is told"
    )


@pytest.mark.parametrize("line", LINES, ids=str)
def test_every_command_line_of_the_readmes_parses(line: Typed) -> None:
    command, named, rest = resolve(line.words[1:])
    assert not is_group(command), f"{line} names no command that can be run"
    command.make_context(" ".join(named), rest)  # raises a usage error


@pytest.mark.parametrize("code", INLINE)
def test_commands_within_sentences_exist(code: str) -> None:
    command, _, rest = resolve(tuple(shlex.split(code)[1:]))
    assert {word for word in rest if word.startswith("--")} <= options_of(command)


@pytest.mark.parametrize("option", OPTIONS)
def test_options_within_sentences_exist(option: str) -> None:
    known = set(options_of(root())).union(*(leaf.options for leaf in leaves()), {"--help"})
    of_scripts = {name for path in (ROOT / "scripts").rglob("*.py") for name in re.findall(r'"(--[\w-]+)"', text(path))}
    assert option in known | of_scripts


def sentences(tree: ast.AST) -> Iterator[str]:
    """Strings of a module, those with values in them with `X` in their place."""
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    within = {id(piece) for node in formatted for piece in node.values}
    for node in formatted:
        yield "".join(str(piece.value) if isinstance(piece, ast.Constant) else "X" for piece in node.values)
    for part in ast.walk(tree):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in within:
            yield part.value


def test_commands_that_the_program_speaks_of_exist() -> None:
    spoken = {
        (str(path.relative_to(ROOT)), code)
        for path in CODE
        for sentence in sentences(ast.parse(text(path)))
        for code in re.findall(r"`turtleidx ([a-z][^`]*)`", sentence)
    }
    assert len(spoken) > 20
    for where, code in sorted(spoken):
        command, _, rest = resolve(tuple(code.split()))
        unknown = {word for word in rest if word.startswith("--")} - options_of(command)
        assert not unknown, f"{where}: `turtleidx {code}`"
