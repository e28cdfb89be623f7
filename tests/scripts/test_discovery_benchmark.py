"""The benchmark of identify and audit: planted faults can be found, and what was found is counted right."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from benchmarks.identification.clustering import Encounter, count_joined, some, tally
from benchmarks.identification.planted_errors import Faults, judge_findings, plant
from index.exchange.manifest import ManifestRow
from index.types import Photo, Side, Sighting
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.review.groups import Group
from retrieval.review.suspicions import Finding, Kind


def photo(number: int, turtle: str, encounter: int, side: Side = Side.LEFT) -> Photo:
    return Photo(number, f"{number:064x}", "a.jpg", turtle, encounter, side, None, 500, 0.5)


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 99))
def test_a_planted_fault_leaves_evidence_on_its_own_side(turtles: int, encounters: int, seed: int) -> None:
    photos = [
        photo(
            turtle * 100 + encounter * 10 + side, f"T{turtle}", turtle * 100 + encounter, (Side.LEFT, Side.RIGHT)[side]
        )
        for turtle in range(turtles)
        for encounter in range(encounters if turtle % 3 else 1)
        for side in (0, 1)
    ]
    right = {one.id: str(one.turtle) for one in photos}
    faults = plant(photos, right, seed)
    shown = {**right, **faults.moved}
    assert not {name for pair in faults.splits for name in pair} & set(faults.mixed)
    assert len(set(faults.mixed)) == len(faults.mixed)
    for pair in faults.splits:
        first, second = ({one.side for one in photos if shown[one.id] == name} for name in sorted(pair))
        assert first & second
    for name in faults.mixed:
        sides = [
            {one.side for one in photos if shown[one.id] == name and (right[one.id] == name) is own}
            for own in (True, False)
        ]
        assert sides[0] & sides[1]
    assert (encounters > 1 and turtles > 30) <= bool(faults.splits and faults.mixed)


def found(kind: Kind, *turtles: str, score: float = 1.0) -> Finding:
    return Finding(kind, turtles, (), score, 9, 0.1, 0.9, (photo(1, "A", 1), photo(2, "B", 2)), 2)


def test_findings_are_right_when_ids_share_a_turtle_or_one_shows_two() -> None:
    faults = Faults({}, (frozenset({"A", "A again"}), frozenset({"B", "B again"})), ("C", "D"))
    shown = {name: {name[0]} for name in ("A", "A again", "B", "B again", "E")} | {"C": {"C", "D"}, "D": {"D", "C"}}
    findings = [
        found(Kind.DUPLICATE, "A", "A again"),
        found(Kind.MIXED, "E"),
        found(Kind.DUPLICATE, "A", "B"),
        found(Kind.MIXED, "C"),
        found(Kind.DUPLICATE, "C", "D"),
    ]
    result = judge_findings(findings, faults, shown)
    assert (result.splits, result.splits_found, result.splits_first) == (2, 1, 1)
    assert (result.mixed, result.mixed_found, result.mixed_first) == (2, 2, 1)
    assert (result.first, result.right_of_first, result.right_of_10) == (4, 2, 3)


def group(verdict: Verdict, *encounters: int) -> Group:
    return Group(encounters, (), verdict, None, None, "", (), ())


def test_joined_pairs_count_when_they_show_one_new_turtle_from_one_side() -> None:
    left, right = frozenset({Side.LEFT}), frozenset({Side.RIGHT})
    truth = {
        1: Encounter("N1", True, left),
        2: Encounter("N1", True, left),
        3: Encounter("N1", True, right),
        4: Encounter("N2", True, left),
        5: Encounter("K1", False, left),
        6: Encounter("K1", False, left),
    }
    groups = [group(Verdict.NEW, 1, 2), group(Verdict.NEW, 3), group(Verdict.UNDECIDED, 4, 5), group(Verdict.KNOWN, 6)]
    joined = count_joined(groups, truth)
    assert (joined.true, joined.right, joined.wrong, joined.ids, joined.turtles) == (1, 1, 1, 2, 1)


def test_verdicts_are_counted_by_encounter_and_rated_by_individual() -> None:
    truth = {
        number: Encounter(turtle, turtle < "K", frozenset())
        for number, turtle in enumerate(["A", "A", "B", "K", "L", "L", "M"])
    }
    known, new, open_ = Verdict.KNOWN, Verdict.NEW, Verdict.UNDECIDED
    said = dict(
        enumerate([(known, "K"), (open_, None), (new, None), (known, "K"), (known, "K"), (open_, None), (new, None)])
    )
    result = tally(said, truth, DecisionPolicy())
    assert (result.known_right, result.known_wrong, result.known_new, result.known_open) == (1, 1, 1, 1)
    assert (result.new_known, result.new_new, result.new_open) == (1, 1, 1)
    assert result.false_known.rate == pytest.approx(0.25)
    assert result.misidentified.rate == pytest.approx(1 / 6)
    assert result.false_new.rate == pytest.approx(1 / 3)


def test_a_quick_run_takes_the_turtles_that_were_seen_most_and_some_new_ones() -> None:
    def row(turtle: str, role: str, day: int) -> ManifestRow:
        return ManifestRow(1, Sighting("a.jpg", turtle=turtle, encounter=str(day)), role, {})

    rows = [row(f"T{turtle}", "gallery", day) for turtle in range(4) for day in range(turtle)]
    rows += [row(f"T{turtle}", "known", 9) for turtle in range(4)] + [
        row(f"N{turtle}", "new", 9) for turtle in range(4)
    ]
    chosen = some(rows, 2, 1)
    assert {one.sighting.turtle for one in chosen} == {"T2", "T3", "N0"}
    assert len(chosen) == 2 + 3 + 2 + 1
