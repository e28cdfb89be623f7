"""Drift: silent while recent photos score like the fitted ones, heard when they do not."""

from functools import cache

import numpy as np
import numpy.typing as npt

from retrieval.novelty.model import NoveltyModel
from retrieval.pipeline.drift import MIN_ENCOUNTERS, RecentScores, detect_drift
from tests.retrieval.generated import World


@cache
def model() -> NoveltyModel:
    world = World(0, 150)
    fitted = NoveltyModel.fit(world.impostor_maxima(150), world.genuine_scores(150), world.photos, replicates=5)
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
