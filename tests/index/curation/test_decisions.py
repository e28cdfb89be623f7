"""Kept queries and decisions."""

from __future__ import annotations

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.errors import Conflict, InputError, UnknownRecord
from index.registry.records import Answer


def test_a_query_keeps_its_evidence_and_its_newest_decision(catalog: Catalog) -> None:
    Curator(catalog, "Ana").create_turtle("T017")
    decisions = Decisions(catalog)
    kept = decisions.keep("ab" * 32, "/boat/a.jpg", "UNDECIDED", '{"candidates": ["T017"]}', "Ana")
    assert (kept.verdict, kept.evidence, kept.decision) == ("UNDECIDED", '{"candidates": ["T017"]}', None)
    decisions.decide(kept.id, Answer.UNSURE, "Ana")
    assert [query.id for query in decisions.queries(undecided=True)] == [kept.id]
    decided = decisions.decide(kept.id, Answer.IS, "Ben", turtle="T017", why="the scar").decision
    assert decided is not None
    assert (decided.answer, decided.turtle, decided.who, decided.why) == (Answer.IS, "T017", "Ben", "the scar")
    assert decisions.queries(undecided=True) == []
    assert [event.action for event in Browser(catalog).history()][:3] == ["decide is", "decide unsure", "keep query"]


def test_decisions_follow_undo_and_merges(catalog: Catalog) -> None:
    for name in ("A", "B"):
        Curator(catalog, "Ana").create_turtle(name)
    decisions, curator = Decisions(catalog), Curator(catalog, "Ana")
    kept = decisions.keep("ab" * 32, "a.jpg", "NEW", "{}", "Ana")
    curator.merge_turtles("A", ["B"])
    decided = decisions.decide(kept.id, Answer.IS, "Ana", turtle="B").decision
    assert decided is not None
    assert decided.turtle == "A"
    with pytest.raises(Conflict, match="decide is"):
        curator.undo(4)  # the query itself
    curator.undo()
    assert decisions.query(kept.id).decision is None


def test_what_does_not_fit_is_refused(catalog: Catalog) -> None:
    decisions = Decisions(catalog)
    kept = decisions.keep("ab" * 32, "a.jpg", "NEW", "{}", "Ana")
    with pytest.raises(InputError):
        decisions.decide(kept.id, Answer.NEW, "Ana", turtle="A")
    with pytest.raises(UnknownRecord, match="turtle"):
        decisions.decide(kept.id, Answer.IS, "Ana", turtle="nobody")
    with pytest.raises(UnknownRecord, match="query"):
        decisions.decide(99, Answer.NEW, "Ana")
