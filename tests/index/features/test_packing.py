"""Records come back as they were written, and a damaged one is never mistaken for a whole one."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from index.features.packing import (
    MOST_CACHED,
    pack_confidences,
    pack_features,
    pack_thumbnail,
    unpack_confidences,
    unpack_features,
    unpack_thumbnail,
)
from index.types import Float32, LocalFeatures
from tests.index.making import features


@st.composite
def any_features(draw: st.DrawFn) -> LocalFeatures:
    n = draw(st.integers(0, 12))
    real = st.floats(width=32, allow_nan=False)
    descriptors = draw(
        st.one_of(
            arrays.arrays(np.uint8, (n, 128)),
            arrays.arrays(np.float16, (n, 64), elements=st.floats(width=16, allow_nan=False)),
        )
    )
    return LocalFeatures(
        xy=draw(arrays.arrays(np.float32, (n, 2), elements=real)),
        scale=draw(arrays.arrays(np.float32, n, elements=real)),
        orientation=draw(arrays.arrays(np.float32, n, elements=real)),
        descriptors=descriptors,
        size=(draw(st.integers(1, 60000)), draw(st.integers(1, 60000))),
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(any_features())
def test_features_come_back_exactly(given_features: LocalFeatures) -> None:
    found = unpack_features(pack_features(given_features))
    assert found is not None
    assert found.size == given_features.size
    for name in ("xy", "scale", "orientation", "descriptors"):
        expected, got = getattr(given_features, name), getattr(found, name)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


@given(st.integers(0, 12_000), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(position: int, bit: int) -> None:
    record = bytearray(pack_features(features(1)))
    record[position % len(record)] ^= 1 << bit
    assert unpack_features(bytes(record)) is None


@given(st.integers(0, 9_000))
def test_a_truncated_record_is_noticed(length: int) -> None:
    record = pack_features(features(1))
    assert unpack_features(record[: min(length, len(record) - 1)]) is None
    assert unpack_thumbnail(pack_thumbnail(b"jpeg")[: length % 14]) is None


@given(arrays.arrays(np.float32, st.integers(0, 700), elements=st.floats(0, 1, width=16)))
def test_confidences_come_back_sorted_within_a_kilobyte(confidences: Float32) -> None:
    record = pack_confidences(confidences)
    found = unpack_confidences(record)
    assert len(record) <= 1024
    assert found is not None
    assert len(found) == len(confidences)
    assert np.count_nonzero(found) == np.count_nonzero(confidences)
    if np.count_nonzero(confidences) <= MOST_CACHED:
        np.testing.assert_array_equal(found, np.sort(confidences))


def test_many_confidences_keep_their_distribution() -> None:
    confidences = np.random.default_rng(3).beta(2, 5, 2048).astype(np.float32)
    found = unpack_confidences(pack_confidences(confidences))
    assert found is not None
    assert np.abs(found - np.sort(confidences)).mean() < 1e-3
