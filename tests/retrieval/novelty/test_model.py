"""The novelty model on generated scores of known truth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.errors import CatalogDamaged
from index.types import Float64
from retrieval.novelty.calibration import Occasion
from retrieval.novelty.conformal import Rates
from retrieval.novelty.likelihood import LikelihoodRatio
from retrieval.novelty.model import MIN_GENUINE_INDIVIDUALS, MIN_IMPOSTOR_INDIVIDUALS, NoveltyModel, answer_of
from retrieval.novelty.posterior import Candidates
from retrieval.novelty.samples import TooSmall
from retrieval.scoring.serialization import model_json
from tests.retrieval.generated import World
from tests.retrieval.novelty.fitted_worlds import candidates, fitted, small_model

SCORES = st.lists(st.floats(-1, 5), min_size=0, max_size=60)


@settings(max_examples=30)
@given(SCORES, st.integers(1, 100_000), st.floats(0.001, 0.999), st.floats(0, 0.9), st.integers(1, 40))
def test_probabilities_sum_to_one(
    scores: list[float], gallery: int, prior_new: float, not_compared: float, photos: int
) -> None:
    gallery = max(gallery, len(scores))
    posterior = small_model().posterior(candidates(scores, photos), gallery, prior_new, not_compared)
    total = posterior.p_new + posterior.p_candidates.sum() + posterior.p_not_compared
    assert total == pytest.approx(1, abs=1e-12)
    assert (posterior.p_candidates >= 0).all()
    assert 0 <= posterior.p_not_compared <= 1
    assert 0 <= posterior.p_new_low <= posterior.p_new + 1e-12
    assert posterior.p_new <= posterior.p_new_high + 1e-12


@settings(max_examples=30)
@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=10), st.floats(0, 3), st.floats(0, 3))
def test_a_higher_best_score_never_makes_new_more_probable(others: list[float], one: float, other: float) -> None:
    low, high = sorted((one + 0.2, other + 0.2))
    model = small_model()
    weak = model.posterior(candidates([*others, low]), 60, 0.5)
    strong = model.posterior(candidates([*others, high]), 60, 0.5)
    assert strong.p_new <= weak.p_new + 1e-9
    assert strong.tail <= weak.tail + 1e-12
    assert strong.low >= weak.low - 1e-12
    assert strong.ratio >= weak.ratio - 1e-9


@settings(max_examples=30)
@given(st.floats(0, 2), st.integers(60, 1000), st.integers(1, 100))
def test_a_larger_gallery_makes_the_same_score_less_surprising(score: float, gallery: int, factor: int) -> None:
    model = small_model()
    assert model.posterior(candidates([score, 0.1]), gallery * factor, 0.5).tail >= (
        model.posterior(candidates([score, 0.1]), gallery, 0.5).tail - 1e-12
    )


def test_nothing_compared_leaves_the_prior() -> None:
    posterior = small_model().posterior(candidates([]), 0, 0.3)
    assert posterior.p_new == pytest.approx(0.3)
    assert posterior.p_not_compared == pytest.approx(0.7)
    assert posterior.best is None


def test_turtles_of_the_other_side_are_not_compared_and_no_evidence_for_new() -> None:
    posterior = small_model().posterior(candidates([0.05, 0.04]), 60, 0.2, not_compared=0.5)
    assert posterior.p_not_compared > 0.35
    assert posterior.p_new < small_model().posterior(candidates([0.05, 0.04]), 60, 0.2).p_new


def test_when_every_turtle_was_compared_the_shortlist_missed_none() -> None:
    posterior = small_model().posterior(candidates([0.1] * 20), 20, 0.5)
    assert posterior.p_not_compared == pytest.approx(0, abs=1e-12)


def test_a_close_runner_up_shares_the_probability() -> None:
    model = small_model()
    alone = model.posterior(candidates([0.8, 0.1]), 60, 0.3)
    close = model.posterior(candidates([0.8, 0.79]), 60, 0.3)
    assert close.p_candidates[0] < alone.p_candidates[0]
    assert close.p_candidates[1] > alone.p_candidates[1]
    assert close.lead > alone.lead


def test_json_gives_the_same_model_back() -> None:
    model = small_model()
    back = NoveltyModel.from_record(model_json(model.to_record()))
    before = model.posterior(candidates([0.5, 0.2]), 300, 0.4, 0.1)
    after = back.posterior(candidates([0.5, 0.2]), 300, 0.4, 0.1)
    for name in ("p_new", "p_not_compared", "p_new_low", "p_new_high", "tail", "lead", "low", "ratio", "doubt"):
        assert getattr(before, name) == getattr(after, name)
    for together in (False, True):
        assert model.thresholds(Rates(), together) == back.thresholds(Rates(), together)
    with pytest.raises(CatalogDamaged):
        NoveltyModel.from_record("not a model")


def test_the_same_seed_gives_the_same_fit() -> None:
    once, again = (model_json(fitted(World(3, 25), replicates=1).to_record()) for _ in range(2))
    assert once == again


@pytest.mark.parametrize("turtles", [MIN_IMPOSTOR_INDIVIDUALS - 1, MIN_IMPOSTOR_INDIVIDUALS])
def test_too_small_a_catalogue_is_refused_with_a_sentence(turtles: int) -> None:
    world = World(4, turtles)
    model = NoveltyModel.fit(world.impostor_maxima(turtles), world.genuine_scores(turtles), world.photos, replicates=0)
    if turtles < MIN_IMPOSTOR_INDIVIDUALS:
        assert isinstance(model, TooSmall)
        assert str(MIN_GENUINE_INDIVIDUALS) in model.reason
    else:
        assert isinstance(model, NoveltyModel)


def test_turtles_that_the_shortlist_always_missed_do_not_count_as_seen_twice() -> None:
    world = World(5, 30)
    genuine = world.genuine_scores(30)
    lost = np.where(genuine.individual >= 10, np.nan, genuine.score)
    model = NoveltyModel.fit(world.impostor_maxima(30), replace(genuine, score=lost), world.photos, replicates=0)
    assert isinstance(model, TooSmall)


@pytest.mark.parametrize("floor", [0.25, 0.6, 1e9])
def test_scores_that_are_mostly_nought_still_fit(floor: float) -> None:
    world = World(6, 40)

    def cut(score: Float64) -> Float64:
        return np.where(score < floor, 0.0, score)

    impostors, genuine = world.impostor_maxima(40), world.genuine_scores(40)
    model = NoveltyModel.fit(
        replace(impostors, score=cut(impostors.score)),
        replace(genuine, score=cut(genuine.score), impostor=cut(genuine.impostor), second=cut(genuine.second)),
        world.photos,
        replicates=1,
    )
    assert isinstance(model, NoveltyModel)
    nought, high = model.posterior(candidates([0, 0, 0]), 40, 0.5), model.posterior(candidates([3, 0, 0]), 40, 0.5)
    assert 0.01 < nought.p_new < 0.99
    assert high.p_new <= nought.p_new
    assert high.tail < nought.tail
    assert high.p_new + high.p_candidates.sum() + high.p_not_compared == pytest.approx(1)


def test_the_unit_of_the_score_does_not_matter() -> None:
    world = World(7, 40)
    impostors, genuine = world.impostor_maxima(40), world.genuine_scores(40)
    plain = NoveltyModel.fit(impostors, genuine, world.photos, replicates=0)
    scaled = NoveltyModel.fit(
        replace(impostors, score=1e-6 * impostors.score),
        replace(genuine, score=1e-6 * genuine.score, impostor=1e-6 * genuine.impostor, second=1e-6 * genuine.second),
        world.photos,
        replicates=0,
    )
    assert isinstance(plain, NoveltyModel)
    assert isinstance(scaled, NoveltyModel)
    for score in (0.1, 0.3, 0.8):
        one, other = (
            plain.posterior(candidates([score, 0.1]), 40, 0.5),
            scaled.posterior(candidates([1e-6 * score, 1e-7]), 40, 0.5),
        )
        assert one.p_new == pytest.approx(other.p_new, abs=0.02)


def test_the_ratio_does_not_depend_on_the_prior_and_gives_the_odds() -> None:
    one, other = (small_model().posterior(candidates([0.8, 0.1] * 30), 60, prior) for prior in (0.2, 0.7))
    assert one.ratio == pytest.approx(other.ratio)
    assert one.doubt == pytest.approx(other.doubt)
    for prior, said in ((0.2, one), (0.7, other)):
        odds = said.p_candidates.sum() / said.p_new
        assert np.log(odds) == pytest.approx(said.ratio + np.log((1 - prior) / prior))


@cache
def separation_of_two_hundred() -> tuple[World, LikelihoodRatio]:
    world = World(4, 200, gap=4.5)
    return world, fitted(world, 200).separation


@settings(max_examples=30)
@given(st.floats(0, 20), st.floats(0, 20), st.integers(1, 12), st.integers(1, 12))
def test_a_score_with_more_photos_is_higher_and_in_the_same_order(
    one: float, other: float, few: int, more: int
) -> None:
    _, fit = separation_of_two_hundred()
    few, more = sorted((few, more))
    scores = np.sort(np.array([one, other]))
    raised, lowered = fit.genuine_with(scores, few, more), fit.genuine_with(scores, more, few)
    assert (lowered <= scores + 1e-9).all()
    assert (scores <= raised + 1e-9).all()
    assert raised[0] <= raised[1] + 1e-9
    assert lowered[0] <= lowered[1] + 1e-9
    np.testing.assert_array_equal(fit.genuine_with(scores, few, few), scores)


def test_low_scores_imagined_with_more_photos_are_not_higher_than_such_turtles_score() -> None:
    world, fit = separation_of_two_hundred()
    cohort, turtles = world.cohort(), np.tile(np.arange(200), 5)

    def own(references: int) -> Float64:
        searched = world.searched(turtles, np.full(len(turtles), references), cohort)
        kept = [
            one.candidates.score[one.candidates.turtle == true] for one, true in zip(searched, turtles, strict=True)
        ]
        return np.concatenate(kept)

    assert np.quantile(fit.genuine_with(own(3), 3, 9), 0.05) < np.quantile(own(9), 0.05)


def test_a_model_of_the_same_searches_is_taken_as_it_is() -> None:
    world = World(0, 60)
    impostors, genuine, later = world.impostor_maxima(60), world.genuine_scores(60), world.genuine_scores(60)
    known = NoveltyModel.fit(impostors, genuine, world.photos, replicates=2)
    assert isinstance(known, NoveltyModel)
    read = NoveltyModel.from_record(model_json(known.to_record()))
    assert NoveltyModel.fit(impostors, genuine, world.photos, replicates=2, before=read) is read
    more = NoveltyModel.fit(impostors, genuine, world.photos, replicates=3, before=known)
    assert isinstance(more, NoveltyModel)
    assert len(more.replicates) == 3
    assert NoveltyModel.fit(impostors, later, world.photos, replicates=2, before=known) is not known


def test_calibration_is_on_the_scale_of_the_model_in_use() -> None:
    world = World(1, 40)
    cohort = world.cohort()
    model = fitted(world, 40)
    new = [one for each in world.occasions(40, cohort=cohort) if not each.catalogued for one in each.alone()]
    in_use = [answer_of(model.separation, (), *searched(one), 0.5, 0.0).ratio for one in new]
    least = np.quantile(model.calibration.new_ratio, (0.02, 0.05)) - np.quantile(in_use, (0.02, 0.05))
    assert np.abs(least).max() < 0.2  # 0.45 where each part is on the scale of its own fit


def searched(alone: Occasion) -> tuple[Candidates, int]:
    [photo] = alone.photos
    return photo.candidates, photo.gallery
