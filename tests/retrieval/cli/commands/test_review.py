"""Kept queries and what people decide about them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from index.catalog import Browser, Catalog
from index.types import HeadBox
from synthetic.samples import SampleSet
from tests.retrieval.shelling import Shell


def test_people_decide_about_kept_queries(shell: Shell) -> None:
    assert [one["query"] for one in shell("queries", "--undecided", "--json").records] == [1]
    [unsure] = shell("decide", "1", "--unsure", "--json").records
    assert (unsure["answer"], unsure["who"]) == ("unsure", "Ana")
    [decided] = shell("decide", "1", "--is", "T017", "--why", "the scar", "--json").records
    assert (decided["answer"], decided["turtle"], decided["why"]) == ("is", "T017", "the scar")
    assert decided["evidence"] == {"candidates": []}
    assert shell("queries", "--undecided", "--json").records == []
    assert shell("queries", "--csv").rows[0]["turtle"] == "T017"
    assert "T017" in shell("queries").out
    assert shell("decide", "1", "--new", "--unsure").code == 2
    assert shell("decide", "2", "--new").code == 1


def test_a_query_is_kept_with_its_evidence(
    samples: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Shell(tmp_path / "own.catalog", capsys, monkeypatch)
    first, second = samples.folder / "T001" / "left-1.jpg", samples.folder / "T001" / "left-2.jpg"
    own("enroll", first, "--turtle", "Nina", "--side", "left")
    (tmp_path / "text.jpg").write_text("not a photo")
    asked = own("query", second, tmp_path / "text.jpg", "--keep", "--json")
    assert [one.get("kept_as") for one in asked.records] == [1, None]
    [kept] = own("queries", "--json").records
    assert (kept["verdict"], kept["sha256"]) == ("UNDECIDED", hashlib.sha256(second.read_bytes()).hexdigest())
    evidence = kept["evidence"]
    assert evidence["candidates"][0]["turtle"] == "Nina"
    assert evidence["terms"] == {"prior_new": 0.5, "false_known": 0.01, "misidentified": 0.01, "false_new": 0.05}
    assert evidence["model"]["recipe"] == evidence["recipe"]
    told = own("query", second, "--keep")
    assert "Kept as query 1" in told.err  # nobody has settled it yet: brought up to date, not asked twice


def test_the_head_that_was_asked_about_is_enrolled(
    samples: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Shell(tmp_path / "own.catalog", capsys, monkeypatch)
    first, second = samples.folder / "T001" / "left-1.jpg", samples.folder / "T001" / "left-2.jpg"
    own("enroll", first, "--turtle", "Nina", "--side", "left")
    (tmp_path / "asked.csv").write_text(f"photo,side,x,y,w,h\n{second},left,10,20,300,200\n")
    assert own("query", "--manifest", tmp_path / "asked.csv", "--keep", "--json").records[0]["kept_as"] == 1
    [decided] = own("decide", "1", "--is", "Nina", "--enroll", "--json").records
    assert decided["enrolled_as"] == "Nina"
    assert decided["evidence"]["known"]["box"] == [10, 20, 300, 200]
    assert Browser(Catalog.open(own.catalog)).photo("2").box == HeadBox(10, 20, 300, 200)
