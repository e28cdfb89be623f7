"""Batches of photos with equal keypoint counts."""

from __future__ import annotations

from hypothesis import given, strategies as st

from retrieval.matching.nearest_gpu import equal_counts
from tests.retrieval.matching.lightglue.test_rotation import photo


@given(counts=st.lists(st.integers(0, 5), max_size=30), most=st.integers(0, 7))
def test_batches_hold_every_photo_once_and_no_more_than_allowed(counts: list[int], most: int) -> None:
    photos = [photo(0, count) for count in counts]
    batches = list(equal_counts(photos, lambda count: most * count))
    assert sorted(row for batch in batches for row in batch) == [row for row, count in enumerate(counts) if count]
    for batch in batches:
        assert len({counts[row] for row in batch}) == 1
        assert len(batch) <= max(1, most * counts[batch[0]])
