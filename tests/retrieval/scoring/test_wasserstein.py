"""Laws of the Wasserstein scores, against scipy and against their own definition."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wasserstein_distance

from index.errors import CatalogDamaged, CatalogTooNew
from index.types import Float32, Matches
from retrieval.scoring.confidences import PairConfidences, pair_confidences
from retrieval.scoring.score import Score
from retrieval.scoring.serialization import model_json
from retrieval.scoring.wasserstein import ConfidenceNull, best_first, lower_work, score_pairs, upper_work

UNIT = st.floats(0, 1, width=32)


@st.composite
def confidences(draw: st.DrawFn) -> Float32:
    return np.sort(draw(arrays(np.float32, st.integers(1, 40), elements=UNIT)))


@st.composite
def nulls(draw: st.DrawFn) -> ConfidenceNull:
    support = np.unique(draw(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))))
    weight = draw(arrays(np.float64, len(support), elements=st.floats(0.01, 1)))
    none = np.zeros(0)
    return ConfidenceNull(support, weight / weight.sum(), none, none, none)


def drawn_pairs(seed: int, pairs: int, keypoints: int, shape: float) -> PairConfidences:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((pairs, keypoints)) < 0.6, 0, rng.beta(1, shape, (pairs, keypoints)))
    return PairConfidences.of(list(np.sort(values.astype(np.float32), axis=1)))


@pytest.fixture(scope="module")
def null() -> ConfidenceNull:
    pairs = drawn_pairs(0, 200, 128, 6)
    first = np.arange(200) % 20
    return ConfidenceNull.fit(pairs, first, first + 1)


@settings(max_examples=50)
@given(confidences(), nulls())
def test_both_parts_are_the_wasserstein_distance(row: Float32, null: ConfidenceNull) -> None:
    pair = PairConfidences.of([row])
    expected = wasserstein_distance(row.astype(np.float64), null.confidence, v_weights=null.weight)
    assert (upper_work(pair, null) + lower_work(pair, null))[0] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50)
@given(confidences(), nulls())
def test_both_parts_are_the_wasserstein_distance_on_the_null_scale(row: Float32, null: ConfidenceNull) -> None:
    pair, axis = PairConfidences.of([row]), null.survival_scale
    expected = wasserstein_distance(axis(row), axis(null.confidence), v_weights=null.weight)
    assert (upper_work(pair, null, axis) + lower_work(pair, null, axis))[0] == pytest.approx(expected, abs=1e-10)


@settings(max_examples=50)
@given(confidences(), nulls(), st.data())
def test_raising_a_confidence_never_lowers_the_score(row: Float32, null: ConfidenceNull, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(row) - 1))
    raised = row.copy()
    raised[at] = data.draw(st.floats(float(row[at]), 1, width=32))
    both = PairConfidences.of([row, np.sort(raised)])
    for axis in (None, null.survival_scale):
        before, after = upper_work(both, null, axis)
        assert after >= before - 1e-12


@settings(max_examples=50)
@given(confidences())
def test_the_null_itself_scores_zero(row: Float32) -> None:
    support, count = np.unique(row, return_counts=True)
    none = np.zeros(0)
    null = ConfidenceNull(support.astype(np.float64), count / len(row), none, none, none)
    pair = PairConfidences.of([row])
    assert upper_work(pair, null)[0] == pytest.approx(0, abs=1e-12)
    assert lower_work(pair, null)[0] == pytest.approx(0, abs=1e-12)


@settings(max_examples=50)
@given(st.permutations(range(6)), st.integers(6, 9), st.integers(6, 9))
def test_exchanging_query_and_candidate_changes_nothing(order: list[int], query: int, candidate: int) -> None:
    pairs = np.stack((np.arange(6), np.array(order)), axis=1).astype(np.int32)
    confidence = np.linspace(0.1, 0.9, 6, dtype=np.float32)
    one_way = pair_confidences(Matches(pairs, confidence), query, candidate)
    other_way = pair_confidences(Matches(pairs[::-1, ::-1], confidence[::-1]), candidate, query)
    assert np.array_equal(one_way, other_way)
    assert len(one_way) == min(query, candidate)
    assert np.count_nonzero(one_way) == 6


def test_no_matches_is_all_zero() -> None:
    none = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
    assert not pair_confidences(none, 70, 64).any()


@pytest.mark.parametrize("score", list(Score))
def test_many_pairs_score_as_each_alone(score: Score, null: ConfidenceNull) -> None:
    mixed = [drawn_pairs(seed, 1, 64 * (1 + seed % 3), 3).values for seed in range(7)]
    together = score_pairs(PairConfidences.of(mixed), null, score)
    alone = [score_pairs(PairConfidences.of([row]), null, score)[0] for row in mixed]
    assert together == pytest.approx(alone)


@pytest.mark.parametrize("score", list(Score))
def test_matching_pairs_score_higher(score: Score, null: ConfidenceNull) -> None:
    different = score_pairs(drawn_pairs(1, 50, 512, 6), null, score)
    same = score_pairs(drawn_pairs(2, 50, 512, 0.5), null, score)
    assert same.min() > different.max()


def test_different_turtles_standardise_to_nought_and_one(null: ConfidenceNull) -> None:
    score = score_pairs(drawn_pairs(3, 2000, 128, 6), null, Score.STANDARDISED)
    assert score.mean() == pytest.approx(0, abs=0.25)
    assert score.std() == pytest.approx(1, abs=0.25)


def test_a_turtle_with_many_photos_counts_once() -> None:
    low, high = np.zeros(64, np.float32), np.full(64, 0.5, np.float32)
    pairs = PairConfidences.of([low] * 9 + [high])
    first = np.array([0] * 9 + [2])
    null = ConfidenceNull.fit(pairs, first, np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 3]))
    assert null.confidence.tolist() == [0, 0.5]
    assert null.weight == pytest.approx([0.5, 0.5])


def test_a_large_null_stays_small_and_near_the_sample() -> None:
    pairs = drawn_pairs(4, 400, 512, 4)
    first = np.arange(400) % 25
    null = ConfidenceNull.fit(pairs, first, first + 100)
    assert len(null.confidence) <= 2048
    sample = pairs.values.astype(np.float64)
    assert null.weight @ null.confidence == pytest.approx(sample.mean())
    assert wasserstein_distance(sample, null.confidence, v_weights=null.weight) < 5e-4
    top = np.quantile(sample, 0.9999)
    assert null.weight[null.confidence > top].sum() == pytest.approx(1e-4, rel=0.3)


def test_null_scale_is_bounded_beyond_the_null(null: ConfidenceNull) -> None:
    u = null.survival_scale(np.array([0.0, null.confidence[-1], 1.0]))
    assert np.isfinite(u).all()
    assert u[0] < u[1] == u[2]


def test_json_gives_the_same_null_back(null: ConfidenceNull) -> None:
    back = ConfidenceNull.from_record(model_json(null.to_record()))
    pairs = drawn_pairs(5, 10, 128, 2)
    for score in Score:
        assert np.array_equal(score_pairs(pairs, null, score), score_pairs(pairs, back, score))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", CatalogDamaged),
        ("[]", CatalogDamaged),
        ('{"kind": "something else", "version": 1}', CatalogDamaged),
        ('{"kind": "confidence null", "version": 1}', CatalogDamaged),
        ('{"kind": "confidence null", "version": 99}', CatalogTooNew),
    ],
)
def test_text_that_is_no_null_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ConfidenceNull.from_record(text)


def test_equal_scores_go_by_mean_confidence() -> None:
    order = best_first(np.array([1.0, 2.0, 2.0, 0.0]), np.array([0.9, 0.1, 0.2, 0.0]))
    assert order.tolist() == [2, 1, 0, 3]
