"""Two catalogues that use one id: their photos say whether it is one turtle."""

from __future__ import annotations

from index.catalog.catalog import Catalog
from tests.retrieval.lookalikes import engine, lookalike
from tests.retrieval.shelling import Shell


def colleague(own: Shell) -> Catalog:
    """Their T003 is our T003, their T004 another turtle, their Nora our T005 by a photo that both have."""
    field = Catalog.create(own.catalog.parent / "field.catalog", engine().recipe)
    field.enroll(
        [
            lookalike(3, 9, "T003", 0.8),
            lookalike(90, 1, "T004"),
            lookalike(5, 2, "Nora", 0.5),
            lookalike(5, 8, "Nora"),
        ],
        "Ben",
    )
    return field


def test_ids_in_conflict_stay_out_with_what_their_photos_say(own: Shell) -> None:
    colleague(own)
    before = own.turtles()
    done = own("join", "field.catalog", "--matcher", "nearest", "--json")
    [record] = done.records
    assert (done.code, record["added"], record["turtles"]) == (3, 1, ["Nora"])
    same, other = record["conflicts"]
    assert (same["turtle"], other["turtle"]) == ("T003", "T004")
    assert same["probability"] > 0.9
    assert other["probability"] < 0.1
    assert {name: own.turtles()[name] for name in before} == before
    assert "T004 is an id in both catalogues without a photo in common: 1 photos of theirs stay out" in done.err
    assert "--prefix FIELD-" in done.err


def test_prefix_and_same_settle_what_stayed_out(own: Shell) -> None:
    colleague(own)
    done = own("join", "field.catalog", "--prefix", "KEF-", "--same", "T003")
    assert done.code == 0
    assert "renamed: T004 → KEF-T004" in done.out
    assert own.turtles()["T003"] == 3
    assert own.turtles()["KEF-T004"] == 1


def test_shared_photos_propose_a_merge(own: Shell) -> None:
    colleague(own)
    told = own("join", "field.catalog", "--prefix", "KEF-")
    assert "photos of their Nora are here as T005: one turtle? `turtleidx turtles merge T005 Nora` if so." in told.err
