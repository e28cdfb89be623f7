"""Ids that are wrong stand at the top of an audit, those that were reviewed do not come again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from retrieval.matching.cascade import RerankRecipe
from retrieval.review.auditing import audit
from retrieval.review.findings import Kind
from tests.retrieval.lookalikes import engine
from tests.retrieval.shelling import Shell


def test_a_duplicate_and_a_mixed_identity_come_first(muddled: Path) -> None:
    found = audit(Catalog.open(muddled), engine())
    assert found.complete
    first = {kind: next(one for one in found.findings if one.kind is kind) for kind in Kind}
    assert first[Kind.DUPLICATE].turtles == ("Nina", "T005")
    assert first[Kind.MIXED].turtles == ("T006",)
    assert all((one.probability or 0) > 0.3 for one in first.values())
    looking = Browser(Catalog.open(muddled))
    parts = [
        {Path(photo.path).name[0] for encounter in part for photo in looking.photos(encounter=encounter)}
        for part in first[Kind.MIXED].encounters
    ]
    assert sorted(parts, key=str) == [{"6"}, {"7"}]
    worth = [one.worth for one in found.findings]
    assert worth == sorted(worth, reverse=True)


def test_an_audit_goes_on_where_the_budget_ended(muddled: Path) -> None:
    shutil.rmtree(muddled.parent / "fresh", ignore_errors=True)
    catalog = Catalog.open(Path(shutil.copytree(muddled, muddled.parent / "fresh")))
    other = replace(engine(), reranking=RerankRecipe(None, None))
    first = audit(catalog, other, budget=100)
    assert (first.complete, 0 < first.compared <= 100) == (False, True)
    second = audit(catalog, other, budget=100)
    assert second.pairs > first.pairs
    assert 0 < second.compared <= 100
    assert "another recipe" in first.missing
    assert all(one.probability is None for one in first.findings)


def test_what_was_reviewed_does_not_come_again(own: Shell) -> None:
    def shown() -> list[list[str]]:
        return [one["turtles"] for one in own("audit", "--matcher", "nearest", "--json", "--limit", "1000").records]

    before = shown()
    assert ["Nina", "T005"] in before
    assert own("audit", "--dismiss", "T005", "--dismiss", "Nina", "--why", "other beak").code == 0
    assert own("audit", "--dismiss", "T006").code == 0
    assert shown() == [one for one in before if one not in (["Nina", "T005"], ["T006"])]
    [newest, older, *_] = own("history", "--json").records
    assert (older["who"], older["action"], older["why"]) == ("Ana", "dismiss suspicion", "other beak")
    assert own("undo", str(newest["id"]), "--yes").code == 0
    assert ["T006"] in shown()
    assert own("audit", "--dismiss", "T005", "--dismiss", "T005").code == 1
    assert own("audit", "--dismiss", "T999").code == 1


def test_an_audit_for_people_says_what_to_type(own: Shell) -> None:
    told = own("audit", "--limit", "2", "--matcher", "nearest")
    assert told.code == 0
    assert "T006: two turtles?" in told.out
    assert "turtleidx turtles merge Nina T005" in told.out
    assert "2 shown" in told.err
