"""What the pages say about the repository is true: length, paths, links, the house, models, figures, the version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from retrieval.encoders import list_encoders
from retrieval.features import list_extractors
from retrieval.matching.lightglue.published import list_weights
from tests.docs.readmes import FRONT, READMES, RETRIEVAL, ROOT, SCRIPTS, inline, table_rows, text

PAGES = (*READMES, *sorted((ROOT / "retrieval/data").glob("*.md")))
PATH = re.compile(r"(?:index|retrieval|scripts|tests)/[\w./-]*\w|[\w-]+\.(?:md|toml|txt|svg|png)")
USERS_OWN = re.compile(r"(?:match|photos|report)\.\w+")
"""Names of a user's files in examples."""
MODULE = re.compile(r"(?:index|retrieval|training|benchmarks|synthetic)(?:\.[A-Za-z_]\w*)+")
"""A module by its dots, or a name in it."""
NUMBER = re.compile(r"\d+\.\d+|\d+")


def named_paths(page: Path) -> set[str]:
    links = re.findall(r"\]\(([^)#:]+)\)", text(page))
    words = {word for code in inline(page) for word in code.split() if PATH.fullmatch(word)}
    return {*links, *(word for word in words if not USERS_OWN.fullmatch(word))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_links_exist(page: Path) -> None:
    missing = {name for name in named_paths(page) if not ((ROOT / name).exists() or (page.parent / name).exists())}
    assert not missing


def exists(code: str) -> bool:
    """Whether dots name a package, a module, or something that a module's text has."""
    parts = code.split(".")
    for folder in (ROOT, ROOT / "scripts"):
        for kept in (len(parts), len(parts) - 1, len(parts) - 2):
            place, rest = folder.joinpath(*parts[:kept]), parts[kept:]
            own = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.pyi"
            if (place.is_dir() and not rest) or (
                own.is_file() and all(re.search(rf"\b{one}\b", text(own)) for one in rest)
            ):
                return True
    return False


def test_modules_named_by_dots_exist() -> None:
    code = [path for folder in ("index", "retrieval", "scripts") for path in (ROOT / folder).rglob("*.py")]
    named = {(path, one) for path in code for one in re.findall(r"`([^`\n]+)`", text(path)) if MODULE.fullmatch(one)}
    named |= {(page, one) for page in PAGES for one in inline(page) if MODULE.fullmatch(one)}
    assert len(named) > 20
    assert not {f"{page.relative_to(ROOT)}: {one}" for page, one in named if not exists(one)}


@pytest.mark.parametrize("page", READMES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_a_page_have_their_chapter(page: Path) -> None:
    chapters = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", chapter).lower().replace(" ", "-") for chapter in chapters}
    assert set(re.findall(r"\]\(#([^)]+)\)", text(page))) <= anchors


def test_the_front_page_is_short_and_leads_to_the_others() -> None:
    assert len(text(FRONT).splitlines()) < 130
    linked = set(re.findall(r"\]\(([^)#:]+)\)", text(FRONT)))
    assert {str(page.relative_to(ROOT)) for page in READMES[1:]} | {"CHANGELOG.md", "LICENSE"} <= linked


def test_the_house_names_every_folder() -> None:
    folders = {path.parent for package in ("index", "retrieval") for path in (ROOT / package).rglob("__init__.py")}
    rooms = {str(folder.relative_to(ROOT)) for folder in folders} - {"index", "retrieval"}
    told = {cells[0].strip("`"): cells[1] for cells in table_rows(RETRIEVAL) if len(cells) == 2}
    assert rooms <= told.keys()
    assert all(told[room].endswith(".") for room in rooms)


def test_models_are_listed_with_their_licences() -> None:
    told = {
        (cells[0], name, cells[2])
        for cells in table_rows(RETRIEVAL)
        if len(cells) == 4
        for name in re.findall(r"`([^`]+)`", cells[1])
    }
    known = {(one.kind, one.name, one.licence) for one in (*list_weights(), *list_extractors(), *list_encoders())}
    assert len(known) > 10
    assert known <= told


def test_figures_of_the_front_page_come_from_a_benchmark() -> None:
    """The front page repeats figures of scripts/README.md, and rounds none."""
    measured = set(NUMBER.findall(text(SCRIPTS)))
    [table] = re.findall(r"^## How good is it\n(.*?)^## ", text(FRONT), re.MULTILINE | re.DOTALL)
    figures = {number for row in table.splitlines() if row.startswith("|") for number in NUMBER.findall(row)}
    assert len(figures) > 5
    assert figures <= measured


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = text(ROOT / "CHANGELOG.md")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == version
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= {
        "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security",
    }  # fmt: skip
