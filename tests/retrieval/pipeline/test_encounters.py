"""Several photos of one encounter answered together: sides, repeats, photos that cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from index.types import Matches, Photo, Shortlist, Side
from retrieval.novelty.catalog_model import CatalogModel, Prediction
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.novelty.model import NoveltyModel
from retrieval.pipeline.encounters import answer_together
from retrieval.pipeline.results import Coverage, EncounterAnswer, Identification, QueryPhoto
from retrieval.scoring.ranking import Candidate
from retrieval.scoring.wasserstein import no_null
from tests.retrieval.generated import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from index.catalog.catalog import Catalog

NO_MATCH = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
TERMS = DecisionPolicy(0.3, Rates(0.05, 0.05, 0.05))
GALLERY = 60


@cache
def model() -> CatalogModel:
    world = World(0, GALLERY)
    fitted = NoveltyModel.fit(
        world.impostor_maxima(GALLERY),
        world.genuine_scores(GALLERY),
        world.photos,
        world.occasions(GALLERY),
        replicates=2,
    )
    assert isinstance(fitted, NoveltyModel)
    return CatalogModel(no_null(), fitted, GALLERY)


@dataclass
class Registry:
    """Answers which sides turtles are known by, as a catalogue's session does."""

    sides: dict[str, frozenset[Side]]
    without: int = 0

    @contextmanager
    def reading(self, _as_of: int | None = None) -> Iterator[Registry]:
        yield self

    def rows(self, _sql: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        return [(n, "active", None, None, [], 1, 1, list(self.sides[n]), None, None, None) for n in names]

    def number(self, _sql: str, *_values: object) -> int:
        return self.without


def alone(scores: dict[str, float], side: Side | None = Side.LEFT, catalogued: int = GALLERY) -> Identification:
    """What a photo with these scores gets by itself."""
    photos = tuple(Photo(i, f"{i:064x}", name, name, i, side, None, 500, 0.5) for i, name in enumerate(scores))
    counts = np.full(len(photos), 3)
    near = Shortlist(photos, np.ones(len(photos), np.float32), counts, GALLERY * 3, GALLERY, catalogued)
    ranked = sorted(zip(photos, scores.values(), strict=True), key=lambda one: -one[1])
    candidates = [Candidate(str(photo.turtle), score, None, 9, photo, NO_MATCH) for photo, score in ranked]
    said = model().predict(candidates, near, TERMS.prior_new, TERMS.rates)
    return Identification(QueryPhoto("a.jpg", side), said, Coverage(9, 9, 180, GALLERY), "nearest-1", 0.5)


def refused() -> Identification:
    said = Prediction(Verdict.REFUSED, None, "No such file.", ())
    return Identification(QueryPhoto("b.jpg"), said, Coverage(), "nearest-1", 0.0)


def together(
    *photos: Identification, sides: dict[str, frozenset[Side]] | None = None, without: int = 0
) -> EncounterAnswer:
    known = {candidate.turtle: frozenset(Side) for one in photos for candidate in one.candidates}
    registry = Registry(known | (sides or {}), without)
    return answer_together(cast("Catalog", registry), None, photos, model(), TERMS)


def p_of(found: EncounterAnswer, turtle: str) -> float:
    [probability] = [one.probability for one in found.candidates if one.turtle == turtle]
    assert probability is not None
    return probability


def test_everything_adds_up_and_the_best_match_of_any_photo_is_shown() -> None:
    found = together(alone({"A": 0.9, "B": 0.2}), alone({"B": 0.3, "C": 0.1}, Side.RIGHT))
    assert found.prediction.p_new is not None
    assert found.prediction.p_not_compared is not None
    total = (
        found.prediction.p_new + found.prediction.p_not_compared + sum(one.probability or 0 for one in found.candidates)
    )
    assert total == pytest.approx(1)
    assert {one.turtle: one.score for one in found.candidates} == {"A": 0.9, "B": 0.3, "C": 0.1}
    assert found.seconds == 1.0


def test_two_sides_that_agree_say_more_than_one_side_twice() -> None:
    one = {"A": 0.6, "B": 0.1}
    twice = together(alone(one), alone(one))
    both = together(alone(one), alone(one, Side.RIGHT))
    assert p_of(twice, "A") == pytest.approx(alone(one).candidates[0].probability or 0, abs=1e-6)
    assert p_of(both, "A") > p_of(twice, "A")
    assert both.verdict is Verdict.KNOWN
    assert "1 left, 1 right" in both.prediction.reason


def test_a_turtle_without_a_photo_of_a_side_is_neither_confirmed_nor_denied_by_it() -> None:
    left, right = alone({"A": 0.7, "B": 0.1}), alone({"B": 0.08, "C": 0.1}, Side.RIGHT)
    only_left = together(left, right, sides={"A": frozenset({Side.LEFT})})
    on_both = together(left, right)
    assert p_of(only_left, "A") > p_of(on_both, "A")
    assert only_left.prediction.p_new is not None
    assert on_both.prediction.p_new is not None
    assert only_left.prediction.p_new < on_both.prediction.p_new


def test_turtles_that_no_photo_could_reach_are_counted_and_said() -> None:
    found = together(alone({"A": 0.05, "B": 0.04}, catalogued=80), without=20)
    assert found.unsearched_turtles == 20
    assert "20 catalogued turtles" in found.prediction.reason
    assert found.prediction.p_not_compared is not None
    assert found.prediction.p_not_compared > 0.05


def test_a_photo_of_no_stated_side_reaches_every_turtle() -> None:
    assert together(alone({"A": 0.05}, None), without=20).unsearched_turtles == 0


def test_refused_photos_do_not_spoil_the_others() -> None:
    found = together(refused(), alone({"A": 2.0, "B": 0.1}))
    assert found.verdict is Verdict.KNOWN
    assert found.turtle == "A"
    assert len(found.photos) == 2
    assert together(refused(), refused()).verdict is Verdict.REFUSED
