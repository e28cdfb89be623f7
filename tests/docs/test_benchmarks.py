"""Every benchmark is documented with its command, and what is documented is a benchmark."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from tests.docs.readmes import READMES, ROOT, SCRIPTS, Typed, inline, text, typed

LINES = [line for page in READMES for line in typed(page, "scripts/benchmark")]
CARD = ROOT / "retrieval/data/turtle-sift.md"


@pytest.mark.parametrize("name", tuple(BENCHMARKS))
def test_every_benchmark_has_a_command_line_and_a_section(name: str) -> None:
    assert name in {line.words[1] for line in LINES if line.page == SCRIPTS}
    sections = re.findall(r"^### (.+)$", text(SCRIPTS), re.MULTILINE)
    assert name in {one.strip() for section in sections for one in section.split(",")}


@pytest.mark.parametrize("line", LINES, ids=str)
def test_every_benchmark_that_is_shown_takes_these_options(line: Typed) -> None:
    module, _ = BENCHMARKS[line.words[1]]
    source = text((ROOT / "scripts/benchmarks" / module.replace(".", "/")).with_suffix(".py"))
    taken = re.findall(r'add_argument\(\s*"([\w-]+)"', source)
    assert {word for word in line.words if word.startswith("--")} <= set(taken)
    assert len(line.words) > 2 or not any(not name.startswith("-") for name in taken)


def test_benchmarks_within_sentences_exist() -> None:
    codes = [
        code.split() for page in (*READMES, CARD) for code in inline(page) if code.startswith("scripts/benchmark ")
    ]
    assert codes
    assert {words[1] for words in codes} <= {*BENCHMARKS, "NAME"}


def test_a_manifest_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "benchmarks.identification.novelty", raising=False)  # it is to run, not imported
    with pytest.raises(SystemExit) as ended:
        main(["novelty", str(tmp_path / "nowhere.csv")])
    assert str(ended.value) == f"There is no manifest {tmp_path / 'nowhere.csv'}."
