"""Ids that are wrong stand at the top of an audit, those that were reviewed do not come again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.search import Searcher
from retrieval.matching.cascade import RerankRecipe
from retrieval.review.auditing import audit
from retrieval.review.suspicions import Kind
from tests.retrieval.lookalikes import engine, lookalike
from tests.retrieval.shelling import Shell

pytestmark = pytest.mark.whole


def test_a_duplicate_and_a_mixed_identity_come_first(muddled: Path, tmp_path: Path) -> None:
    catalog = Catalog.open(Path(shutil.copytree(muddled, tmp_path / "turtles.catalog")))
    found = audit(catalog, engine())
    assert found.complete
    wrong = (Kind.DUPLICATE, Kind.MIXED)
    first = {kind: next(one for one in found.findings if one.kind is kind) for kind in wrong}
    assert first[Kind.DUPLICATE].turtles == ("T005", "Nina")
    assert first[Kind.MIXED].turtles == ("T006",)
    assert all((one.probability or 0) > 0.3 for one in first.values())
    looking = Browser(catalog)
    parts = [
        {Path(photo.path).name[0] for encounter in part for photo in looking.photos(encounter=encounter)}
        for part in first[Kind.MIXED].encounters
    ]
    assert sorted(parts, key=str) == [{"6"}, {"7"}]
    worth = [one.worth for one in found.findings]
    assert worth == sorted(worth, reverse=True)


def test_an_audit_goes_on_where_the_budget_ended(muddled: Path, tmp_path: Path) -> None:
    catalog = Catalog.open(Path(shutil.copytree(muddled, tmp_path / "turtles.catalog")))
    other = replace(engine(), reranking=RerankRecipe(None, None))
    first = audit(catalog, other, budget=100)
    assert (first.complete, 0 < first.compared <= 100) == (False, True)
    second = audit(catalog, other, budget=100)
    assert second.pairs > first.pairs
    assert 0 < second.compared <= 100
    assert "another recipe" in first.missing
    assert all(one.probability is None for one in first.findings)


def test_where_everybody_is_near_nobody_is_searched(
    muddled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog.open(Path(shutil.copytree(muddled, tmp_path / "turtles.catalog")))
    generous = replace(engine(), per_turtle=20)
    with monkeypatch.context() as patch:
        patch.setattr(Searcher, "whole_gallery", lambda *_: None)
        searched = audit(catalog, generous)
    monkeypatch.delattr(Searcher, "shortlist")
    found = audit(catalog, generous)
    assert (found.complete, found.pairs, found.compared) == (True, searched.pairs, 0)
    seen, expected = ([one for one in each.findings if one.matches] for each in (found, searched))
    assert seen == expected != []


def test_what_was_reviewed_does_not_come_again(own: Shell) -> None:
    def shown() -> list[list[str]]:
        return [
            one["turtles"]
            for one in own("audit", "--matcher", "nearest", "--json", "--limit", "1000", "--least", "0").records
        ]

    before = shown()
    assert ["T005", "Nina"] in before
    assert own("audit", "--dismiss", "T005", "--dismiss", "Nina", "--why", "other beak").code == 0
    assert own("audit", "--dismiss", "T006").code == 0
    after, dismissed = shown(), (["T005", "Nina"], ["T006"])
    assert not [one for one in dismissed if one in after]
    assert not [one for one in before if one not in dismissed and one not in after]
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
    assert "turtleidx turtles merge T005 Nina" in told.out
    assert "2 shown" in told.err


def suspected(own: Shell, *options: str) -> dict[str, dict[str, object]]:
    """Findings by what they say about which ids."""
    found = own("audit", "--matcher", "nearest", "--json", "--limit", "1000", *options).records
    return {f"{one['kind']} {' '.join(one['turtles'])}": one for one in found}


def test_photos_under_the_wrong_id_are_to_be_moved_not_their_ids_merged(own: Shell) -> None:
    catalog = Catalog.open(own.catalog)
    catalog.enroll([lookalike(30, number, "T030") for number in (1, 2)], "Ben")
    catalog.enroll([lookalike(12, number, "T012") for number in (8, 9)], "Ben")
    catalog.enroll([lookalike(30, 3, "T012"), lookalike(30, 4, "T012")], "Ben")
    found = suspected(own)
    misfiled = found["misfiled T012 T030"]
    numbers = [str(one.id) for one in Browser(catalog).photos(turtle="T012")[-2:]]
    assert misfiled["repair"] == f"photos move {' '.join(numbers)} --to T030"
    assert not [name for name in found if {"T012", "T030"} & set(name.split()[1:]) and name != "misfiled T012 T030"]
    assert own(*str(misfiled["repair"]).split()).code == 0
    assert not [name for name in suspected(own) if "T012" in name or "T030" in name]


def test_a_dismissal_holds_for_the_photos_that_a_person_saw(own: Shell) -> None:
    catalog = Catalog.open(own.catalog)
    catalog.enroll([lookalike(31, number, "T031") for number in (1, 2)], "Ben")
    assert own("audit", "--dismiss", "T031").code == 0
    catalog.enroll([lookalike(90, number, "T031") for number in (1, 2)], "Ben")  # another animal, by a colleague
    assert "mixed T031" in suspected(own)
    assert own("audit", "--dismiss", "T031").code == 0
    assert "mixed T031" not in suspected(own)
    assert own("audit", "--dismiss", "T005", "--dismiss", "Nina").code == 0
    assert "duplicate T005 Nina" not in suspected(own)
    catalog.enroll([lookalike(5, 4, "Nina")], "Ben")
    assert "duplicate T005 Nina" in suspected(own)


def test_improbable_suspicions_are_counted_not_shown(own: Shell) -> None:
    shown, every = suspected(own), suspected(own, "--least", "0")
    assert shown.keys() < every.keys()
    assert all(float(str(one["probability"])) >= 0.2 for one in shown.values())
    assert f"{len(every) - len(shown)} less probable" in own("audit", "--matcher", "nearest").err


def test_suspicions_can_be_looked_at(own: Shell) -> None:
    done = own("audit", "--matcher", "nearest", "--limit", "2", "--plot", "doubts")
    assert done.code == 0
    assert sorted(path.name[:3] for path in Path("doubts").iterdir()) == ["01-", "02-"]
    Path("file").touch()
    assert own("audit", "--plot", "file").code == 1
