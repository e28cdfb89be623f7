"""What the benchmark of a manifest computes by itself."""

from __future__ import annotations

import numpy as np

from benchmarks.identification.end_to_end import at_prior
from tests.retrieval.novelty.fitted_worlds import candidates, small_model


def test_another_prior_changes_the_odds_as_bayes_says() -> None:
    p_new = np.array([0.0, 0.5, 0.9, 1.0])
    assert np.allclose(at_prior(p_new, 0.5, 0.5), p_new)
    assert np.allclose(at_prior(p_new, 0.5, 0.25), [0.0, 0.25, 0.75, 1.0])


def test_it_is_what_the_model_itself_would_say_with_that_prior() -> None:
    ranked, model = candidates([0.4, 0.2, 0.1]), small_model()
    even, rare = (model.posterior(ranked, 200, prior).p_new for prior in (0.5, 0.2))
    assert 0.01 < rare < even < 0.99
    assert np.isclose(at_prior(np.array([even]), 0.5, 0.2)[0], rare)
