"""Gallery photos' scores relative to their own: what photos show now counts, whatever they showed at the fit."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from index.types import Float64, Int64, Owners
from retrieval.scoring.serialization import model_json
from retrieval.scoring.znorm import COHORT, STRENGTH, WIDEST, OwnersOf, ZNorm

PHOTOS = 24


class World:
    """Photos 1 to `PHOTOS` with turtles and sides that may change, and a score for every two of them."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.turtle = np.arange(PHOTOS) // 3
        self.side = np.arange(PHOTOS) % 2
        busy = self.rng.normal(size=PHOTOS)
        self.score = np.exp(self.rng.normal(size=(PHOTOS, PHOTOS)) + busy)

    def owners(self, ids: Int64) -> Owners:
        there = (ids >= 1) & (ids <= PHOTOS)
        at = np.where(there, ids - 1, 0)
        return Owners(np.where(there, self.turtle[at], -1), np.where(there, self.side[at], -1))

    def norm(self) -> ZNorm:
        asked, photo = (one.ravel() for one in np.mgrid[:PHOTOS, :PHOTOS])
        other = asked != photo
        asked, photo = asked[other], photo[other]
        return ZNorm.fit(photo + 1, asked + 1, self.score[asked, photo], self.owners)

    def moments(self, norm: ZNorm, photo: int, left_out: int | None) -> tuple[float, float]:
        """Word by word, from whom the photos show now."""
        mine = self.owners(np.array([photo]))
        counted = []
        for number in range(1, PHOTOS + 1):
            theirs = self.owners(np.array([number]))
            strange = theirs.turtle[0] not in (-1, mine.turtle[0]) and mine.turtle[0] >= 0
            if number != photo and strange and theirs.turtle[0] != left_out and theirs.side[0] == mine.side[0]:
                counted.append(round(self.score[number - 1, photo - 1], 6))
        kept = np.array(sorted(counted)[:-1])
        mean = (STRENGTH * norm.mean + kept.sum()) / (STRENGTH + len(kept))
        square = STRENGTH * (norm.spread**2 + norm.mean**2) + (kept**2).sum()
        spread = float(np.sqrt(max(square / (STRENGTH + len(kept)) - mean**2, 0)))
        return mean, min(max(spread, norm.spread / WIDEST), norm.spread * WIDEST)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["move", "merge", "split", "retire", "side", "remove"]),
        st.integers(1, PHOTOS),
        st.integers(0, PHOTOS // 3),
    ),
    max_size=8,
)


def change(world: World, what: str, photo: int, turtle: int) -> None:
    at = photo - 1
    if what == "move":
        world.turtle[at] = turtle
    elif what == "merge":
        world.turtle[world.turtle == world.turtle[at]] = turtle
    elif what == "split":
        world.turtle[at] = 100 + photo
    elif what == "side":
        world.side[at] = 1 - world.side[at]
    elif what == "retire":
        world.turtle[world.turtle == world.turtle[at]] = -1
    else:
        world.turtle[at] = -1


@given(CHANGES, st.none() | st.integers(0, PHOTOS // 3))
def test_after_any_changes_and_their_undoing_moments_equal_recomputation(
    changes: list[tuple[str, int, int]], left_out: int | None
) -> None:
    world = World()
    norm = world.norm()
    photos = np.arange(1, PHOTOS + 1)
    before = norm.moments(photos, world.owners, left_out)
    kept = world.turtle.copy(), world.side.copy()
    for one in changes:
        change(world, *one)
    mean, spread = norm.moments(photos, world.owners, left_out)
    again = np.array([world.moments(norm, int(photo), left_out) for photo in photos])
    np.testing.assert_allclose(mean, again[:, 0], rtol=1e-9)
    np.testing.assert_allclose(spread, again[:, 1], rtol=1e-6)
    world.turtle[:], world.side[:] = kept
    np.testing.assert_array_equal(norm.moments(photos, world.owners, left_out), before)


def test_a_busy_photo_gains_nothing_by_it() -> None:
    rng = np.random.default_rng(0)
    busy = rng.normal(size=60)
    asked, photo = (one.ravel() for one in np.mgrid[:200, :60])
    score = busy[photo] + 0.5 * rng.normal(size=len(photo))
    norm = ZNorm.fit(photo, asked + 1000, score, _everyone_alone)
    fresh = busy + 0.5 * rng.normal(size=60)
    plain, relative = (abs(np.corrcoef(busy, one)[0, 1]) for one in (fresh, _normalised(norm, fresh)))
    assert plain > 0.8
    assert relative < 0.6


def test_a_photo_that_nobody_was_compared_with_keeps_its_score() -> None:
    norm = World().norm()
    assert norm.normalise(np.array([1.5]), np.array([999]), World().owners) == pytest.approx([1.5])


def test_what_is_kept_of_a_photo_is_bounded_and_comes_back_from_json() -> None:
    asked = np.arange(1000)
    norm = ZNorm.fit(np.full(1000, 5000), asked, np.linspace(0, 1, 1000), _everyone_alone)
    assert len(norm.score) == COHORT
    back = ZNorm.from_record(model_json(norm.to_record()))
    for name in ("photo", "asked", "score", "mean", "spread"):
        np.testing.assert_array_equal(getattr(back, name), getattr(norm, name))


def test_nothing_to_learn_from_changes_nothing() -> None:
    none = np.zeros(0, np.int64)
    norm = ZNorm.fit(none, none, np.zeros(0), _everyone_alone)
    assert norm.normalise(np.array([2.0, 0.5]), np.array([1, 2]), _everyone_alone) == pytest.approx([2.0, 0.5])


def _everyone_alone(ids: Int64) -> Owners:
    return Owners(ids, np.zeros(len(ids), np.int64))


def _normalised(norm: ZNorm, scores: Float64) -> Float64:
    owners_of: OwnersOf = _everyone_alone
    return norm.normalise(scores, np.arange(len(scores)), owners_of)
