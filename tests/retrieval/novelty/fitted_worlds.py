"""Models that were fitted to generated scores of known truth."""

from __future__ import annotations

from functools import cache

import numpy as np

from retrieval.novelty.model import NoveltyModel
from retrieval.novelty.posterior import Candidates
from tests.retrieval.generated import World


def fitted(world: World, individuals: int = 300, replicates: int = 0) -> NoveltyModel:
    cohort = world.cohort()
    model = NoveltyModel.fit(
        world.impostor_maxima(individuals, cohort=cohort),
        world.genuine_scores(individuals, cohort=cohort),
        world.photos,
        world.occasions(individuals, cohort=cohort),
        replicates=replicates,
        cohort=cohort,
    )
    assert isinstance(model, NoveltyModel)
    return model


@cache
def small_model() -> NoveltyModel:
    return fitted(World(0, 60), replicates=3)


def candidates(scores: list[float], photos: int = 3) -> Candidates:
    k = len(scores)
    return Candidates(np.arange(k), np.array(scores, np.float64), np.full(k, photos))
