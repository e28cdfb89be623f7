"""Every table fits 100 columns, with names as long as people make them: nothing is clipped, what is long is folded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

import pytest

from retrieval import schemas

WIDTH = 100
ID = "Karolina-of-the-northern-harbour-0017"
PATH = "/photos/of/the/whole/season/" + "a-long-folder/" * 5 + "left-1.jpg"
WORDS = "seen by the ferry at the northern end of the reef, with a satellite tag and one flipper"
MARK = "=== "

PROGRAM = f"""
from types import SimpleNamespace as S
from retrieval import schemas
from retrieval.cli.printing import answers, evaluation, intake, registry
from retrieval.novelty import DecisionPolicy
from retrieval.cli.printing.terminal import out

ID, PATH, WORDS = {ID!r}, {PATH!r}, {WORDS!r}
long = {{
    **dict.fromkeys(("turtle", "merged_into", "first", "name", "who", "species", "ours", "theirs"), ID),
    **dict.fromkeys(("note", "why", "subject", "command"), WORDS), "photo": PATH, "tags": [ID, "satellite tag"],
    "sides": ["front", "left", "right", "top"], "at": "2026-11-29T02:15:00", "id": 12345, "number": 123456,
    "first_seen": "2012-07-01", "last_seen": "2026-07-01", "status": "retired", "photos": 1234, "encounters": 1234,
    "encounter": 12345, "side": "right", "taken_on": "2026-07-01", "quality": 0.123456, "action": "move photos",
    "query": 1234, "verdict": "NOT_COMPARABLE", "first_probability": 0.123456, "p_new": 0.123456, "answer": "unsure",
    "day": "2026-07-01", "record": "encounters", "key": PATH, "column": "taken_on",
}}
def table(name, print_it):
    out.print({MARK!r} + name)
    print_it()

for name in ("TURTLES", "PHOTOS", "ENCOUNTERS", "EVENTS", "QUERIES", "DIFFERENCES"):
    kind = getattr(schemas, name)
    record = {{column: long.get(column) for column in kind.columns}}
    table(name.lower(), lambda: registry.print_records([record] * 2, kind, registry.Form.TABLE))
    table("one of " + name.lower(), lambda: registry.print_record(record, kind, registry.Form.TABLE))
table("candidates", lambda: answers.print_candidates(
    [S(turtle=ID, score=0.5, probability=0.75, matches=1234, photo=S(path=PATH))]))
table("info", lambda: registry.print_pairs([("catalogue", PATH), ("known or new", WORDS)]))
table("intake", lambda: intake.print_foreseen(
    [S(outcome="already there", size=(6000, 4000), path=PATH, reason=WORDS,
       seen=S(turtle=ID, side="right", taken_on=None))], False))
from pathlib import Path
from retrieval.weight_files import WeightsListing
table("weights", lambda: registry.print_weights(
    [WeightsListing(kind="extractor", name="superpoint", licence="non-commercial research only (Magic Leap)",
     path=Path(PATH), source="https://example.org/" + "a-long-folder/" * 5 + "superpoint.pth")], False))
shares = dict.fromkeys(
    ("top1", "top3", "top5", "mean_average_precision", "auroc", "baks", "baus", "geometric_mean", "undecided",
     "calibration_error", "novelty_accuracy"), 0.123456)
one = S(name="wasserstein_distance of second, unverified", known=12345, new=12345, **shares)
table("ranking", lambda: evaluation.print_table(evaluation._ranking([one], [one])))
table("judging", lambda: evaluation.print_table(evaluation._judging([one], [one])))
rate = S(rate=0.123, low=0.1, high=0.2, promised=0.01, contradicts=True)
table("rates", lambda: evaluation.print_table(
    evaluation._rates(S(false_known=rate, misidentified=rate, false_new=rate))))
"""

LISTS = ("turtles", "photos", "encounters", "events", "queries", "differences")
TABLES = {
    **dict.fromkeys(("turtles", "encounters", "candidates"), (ID,)),
    **dict.fromkeys(("photos", "queries", "intake"), (ID, PATH)),
    **dict.fromkeys((f"one of {name}" for name in LISTS), ()),
    "events": (ID, WORDS),
    "differences": (ID, PATH),
    "info": (PATH, WORDS),
    "weights": (PATH, "superpoint"),
    "ranking": ("12345", "0.123"),
    "judging": ("12.3%", "0.123"),
    "rates": ("new turtle called KNOWN", "broken"),
}
"""What must be found in each."""


@cache
def printed() -> dict[str, list[str]]:
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": str(WIDTH)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, env=os.environ | terminal, text=True)
    assert not done.returncode, done.stderr
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    parts = [part.splitlines() for part in text.split(MARK)[1:]]
    return {name: lines for name, *lines in parts}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_fits_a_hundred_columns_and_holds_everything(name: str) -> None:
    lines = printed()[name]
    assert lines
    assert max(map(len, lines)) <= WIDTH, max(lines, key=len)
    assert "…" not in "".join(lines)
    for value in TABLES[name]:
        assert folded(value, lines), value


@pytest.mark.parametrize("name", LISTS)
def test_heads_and_numbers_of_a_list_are_not_broken(name: str) -> None:
    lines = printed()[name]
    words = " ".join(lines[:2]).split()
    for column in getattr(schemas, name.upper()).shown:
        assert set(column.split("_")) <= set(words), column
    rows = lines[1:]
    for short in ("12345", "2026-07-01", "0.123", "NOT_COMPARABLE"):
        if short in "".join(rows):
            assert any(re.search(rf"(?<!\S){short}(?!\S)", row) for row in rows), short


def folded(value: str, lines: Sequence[str]) -> bool:
    """Whether the value stands in some column, on one line or folded over several."""
    if any(value in line for line in lines):
        return True
    squeezed = value.replace(" ", "")
    widest = max(map(len, lines))
    for left in range(widest):
        text = ""
        for right in range(left + 4, widest + 1):
            column = [line[left:right] for line in lines if line[left:right].strip()]
            text = "".join("".join(column).split())
            if squeezed in text:
                return True
    return False
