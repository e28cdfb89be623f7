"""Drift: silent while recent photos score like the fitted ones, heard when they do not."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from retrieval.novelty.model import NoveltyModel
from retrieval.pipeline.drift import MIN_ENCOUNTERS, RecentScores, detect_drift, learn_prior
from tests.retrieval.generated import World


@cache
def model() -> NoveltyModel:
    world = World(0, 150)
    fitted = NoveltyModel.fit(
        world.impostor_maxima(150), world.genuine_scores(150), world.photos, world.occasions(150), replicates=5
    )
    assert isinstance(fitted, NoveltyModel)
    return fitted


def recent(seed: int, encounters: int, new: float = 0.3) -> npt.NDArray[np.float64]:
    asked = World(seed, 150).queries(encounters, 150, new)
    return np.array([one.score.max() for one in asked.candidates])


def scores(score: npt.NDArray[np.float64], encounter: npt.NDArray[np.int64] | None = None) -> RecentScores:
    return RecentScores(score, np.full(len(score), 150), np.arange(len(score)) if encounter is None else encounter)


def test_photos_like_the_fitted_ones_are_no_drift_whatever_share_is_new() -> None:
    for new in (0.0, 0.5):
        drift = detect_drift(model(), scores(recent(1, 80, new)))
        assert drift.sentence is None
        assert drift.p_value > 0.01


def test_lower_scores_are_drift() -> None:
    drift = detect_drift(model(), scores(recent(2, 80) * 0.5))
    assert drift.sentence is not None
    assert "lower" in drift.sentence
    assert "turtleidx fit" in drift.sentence


def test_higher_scores_of_new_turtles_are_drift() -> None:
    drift = detect_drift(model(), scores(recent(3, 80, new=1.0) + 0.15))
    assert drift.sentence is not None


def test_few_encounters_say_nothing_however_many_photos() -> None:
    score = np.repeat(recent(4, MIN_ENCOUNTERS - 1) * 0.3, 5)
    drift = detect_drift(model(), scores(score, np.repeat(np.arange(MIN_ENCOUNTERS - 1), 5)))
    assert drift.p_value == 1
    assert drift.sentence is None
    assert drift.encounters == MIN_ENCOUNTERS - 1


@pytest.mark.parametrize("new", [0.1, 0.5, 0.9])
def test_the_share_of_new_turtles_is_learnt_from_the_scores_alone(new: float) -> None:
    learnt = learn_prior(model(), scores(recent(5, 300, new)))
    assert learnt.encounters == 300
    assert learnt.share == pytest.approx(new, abs=0.12)
    assert f"{learnt.share:.2f}" in learnt.sentence


def test_few_encounters_leave_the_prior_near_one_half() -> None:
    shares = [learn_prior(model(), scores(recent(6, count, new=1.0))).share for count in (0, 3, 100)]
    assert shares[0] == 0.5
    assert 0.5 < shares[1] < 0.7 < shares[2]


def test_photos_of_one_encounter_count_once() -> None:
    score = recent(7, 20)
    once, often = (
        learn_prior(model(), scores(score)),
        learn_prior(model(), scores(np.repeat(score, 4), np.repeat(np.arange(20), 4))),
    )
    assert often.share == pytest.approx(once.share)
    assert often.encounters == 20
