"""Tables hold all that they are given, in a pipe and on a narrow terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from index.types import Matches, Photo
from retrieval.cli.printing.answers import print_candidates
from retrieval.cli.printing.registry import print_pairs
from retrieval.scoring.ranking import Candidate

ID = "Karolina-of-the-northern-harbour-0017"
PATH = "/photos/of/the/whole/season/" + "a-long-folder/" * 5 + "left-1.jpg"


def candidate() -> Candidate:
    photo = Photo(1, "ab" * 32, PATH, ID, 1, None, None, 64, 0.5)
    return Candidate(ID, 0.5, 0.75, 12, photo, Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32)))


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_candidates([candidate()])
    print_pairs([("catalogue", PATH)])
    head, row, pair = capsys.readouterr().out.splitlines()
    assert head.split() == ["turtle", "score", "probability", "matches", "best", "photo"]
    assert row.split() == [ID, "0.5000", "0.750", "12", PATH]
    assert pair.split() == ["catalogue", PATH]


def test_a_narrow_terminal_folds_what_is_long() -> None:
    program = (
        "from retrieval.cli.printing.answers import print_candidates\n"
        "from tests.retrieval.cli.printing.test_terminal import candidate\n"
        "print_candidates([candidate()])"
    )
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "70"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=os.environ | terminal)
    head, *rows = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.decode()).splitlines()
    assert max(map(len, rows)) <= 70
    assert "".join(row[: head.index("score")].strip() for row in rows) == ID
    assert "".join(row[head.index("best") :].strip() for row in rows) == PATH
    assert "0.5000" in rows[0]


def test_a_bar_begins_anew_with_each_step() -> None:
    program = (
        "import time\n"
        "from retrieval.cli.printing.terminal import progress_bar\n"
        "with progress_bar('fitting', None) as advance:\n"
        "    for total in (2, 3):\n"
        "        for _ in range(total): advance(1, total); time.sleep(0.15)\n"
    )
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=os.environ | terminal)
    shown = done.stderr.decode()
    assert "fitting, step 2" in shown
    assert "3/3" in shown
    assert " 5/" not in shown  # as a count; speeds may end in it
