"""Answers survive whatever happens between the click and the catalogue."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from index.catalog.catalog import Catalog
from index.curation.answers import record_answer
from index.curation.decisions import Decisions
from retrieval.web.desk import Desk
from retrieval.web.queue.outbox import Delivered, Outbox
from tests.retrieval.web.answering import an_answer

ROOT = Path(__file__).parents[3]


def outbox_of(catalog: Catalog) -> tuple[Outbox, list[Delivered]]:
    told: list[Delivered] = []
    return Outbox(catalog.path, lambda answer: record_answer(catalog, answer), told.append), told


def test_a_kill_between_answer_and_write_loses_nothing(catalog: Catalog) -> None:
    run = [sys.executable, "-m", "tests.retrieval.web.answering", str(catalog.path)]
    assert subprocess.run(run, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    outbox, told = outbox_of(catalog)
    assert [one.key for one in outbox.waiting()] == ["key-of-the-answer"]
    outbox.deliver_all()
    assert outbox.waiting() == []
    assert [one.recorded.turtle for one in told if one.recorded] == ["T025"]
    assert len(Decisions(catalog).queries()) == 1


def test_while_another_process_writes_answers_wait_in_order(catalog: Catalog) -> None:
    other = Catalog.open(catalog.path)
    outbox, told = outbox_of(catalog)
    first = an_answer(catalog)
    with other.writing("fit"):
        assert outbox.post(first).waits
        assert outbox.post(replace(first, key="second-answer-too")).waits
        outbox.deliver_all()
        assert len(outbox.waiting()) == 2
        assert told == []
    outbox.deliver_all()
    assert outbox.waiting() == []
    assert told[0].recorded is not None
    assert "meanwhile" in str(told[1].refused)  # the same group, answered twice: the second is refused in a sentence
    assert len(Decisions(catalog).queries()) == 1


def test_the_same_answer_sent_twice_is_written_once(desk: Desk) -> None:
    answer = an_answer(desk.catalog)
    first, second = desk.answer(answer), desk.answer(answer)
    assert first.recorded is not None
    assert second.recorded is not None
    assert (second.recorded.event, second.recorded.repeated) == (first.recorded.event, True)


def test_what_is_no_answer_is_set_aside(catalog: Catalog) -> None:
    outbox, told = outbox_of(catalog)
    (catalog.path / "outbox").mkdir()
    (catalog.path / "outbox" / "1.json").write_text("{")
    outbox.post(an_answer(catalog))
    outbox.deliver_all()
    assert outbox.waiting() == []
    assert (catalog.path / "outbox" / "1.unreadable").exists()
    assert told == []
