import numpy as np

from index.types import Matches, Owners, Photo
from retrieval.scoring.pair_scoring import PairScoring
from retrieval.scoring.ranking import Pair, rank
from retrieval.scoring.score import Score
from retrieval.scoring.wasserstein import no_null


def photo(number: int, turtle: str | None) -> Photo:
    return Photo(number, f"{number:064d}", f"{number}.jpg", turtle, number, None, None, 64, 1.0)


def scoring(score: Score) -> PairScoring:
    return PairScoring(no_null(), score, None, lambda ids: Owners(ids, np.zeros_like(ids)))


def matches(*confidence: float) -> Matches:
    rows = np.arange(len(confidence), dtype=np.int32)
    return Matches(np.stack([rows, rows], axis=1), np.array(confidence, np.float32))


def test_a_turtle_stands_by_its_best_photo_best_turtle_first() -> None:
    photos = [photo(1, "A"), photo(2, "B"), photo(3, "A"), photo(4, None)]
    found = [matches(0.2), matches(0.5, 0.05), matches(0.9, 0.4), matches(1.0, 1.0)]
    pairs = [Pair(one, its) for one, its in zip(photos, found, strict=True)]
    ranked = rank(pairs, 64, scoring(Score.WASSERSTEIN))
    assert [one.turtle for one in ranked] == ["A", "B"]
    assert (ranked[0].photo.id, ranked[0].matches, ranked[1].matches) == (3, 2, 1)
    assert abs(ranked[0].score - 1.3 / 64) < 1e-6
    assert all(one.probability is None for one in ranked)


def test_ties_go_by_mean_confidence() -> None:
    photos = [photo(1, "A"), photo(2, "B")]
    found = [matches(0.5, 0.2), matches(0.9, 0.2)]
    pairs = [Pair(one, its) for one, its in zip(photos, found, strict=True)]
    ranked = rank(pairs, 64, scoring(Score.MATCH_COUNT))
    assert [one.turtle for one in ranked] == ["B", "A"]
    assert ranked[0].score == ranked[1].score == 2


def test_nothing_compared_gives_nothing() -> None:
    assert rank([], 64, scoring(Score.WASSERSTEIN)) == ()
