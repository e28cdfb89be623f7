"""Batches of features on a device, and which of them stay there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from index.types import LocalFeatures
from retrieval.features.sift import rootsift
from retrieval.matching import device_features as resident
from retrieval.matching.device_features import DeviceFeatureCache, FeatureBatch, resident_on

CPU = torch.device("cpu")
EACH = 20 * 128 + 20 * 4 * 4 + 2 * 4


def photo(seed: int) -> LocalFeatures:
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        xy=(rng.random((20, 2)) * 300).astype(np.float32),
        scale=rng.uniform(2, 20, 20).astype(np.float32),
        orientation=rng.uniform(0, 6, 20).astype(np.float32),
        descriptors=rng.integers(0, 120, (20, 128)).astype(np.uint8),
        size=(300 + seed, 200),
    )


def test_batches_hold_what_the_photos_hold_in_order() -> None:
    photos = [photo(2), photo(0), photo(2)]
    for features in (resident_on(CPU), DeviceFeatureCache(CPU, 10 * EACH)):
        for _ in range(2):
            batch = features.collate(photos)
            assert np.array_equal(batch.descriptors.numpy(), [one.descriptors for one in photos])
            assert np.array_equal(batch.keypoints[..., :2].numpy(), [one.xy for one in photos])
            assert np.array_equal(batch.keypoints[..., 2].numpy(), [one.scale for one in photos])
            assert np.array_equal(batch.keypoints[..., 3].numpy(), [one.orientation for one in photos])
            assert batch.size.tolist() == [[302, 200], [300, 200], [302, 200]]


def test_the_last_used_stay() -> None:
    features = DeviceFeatureCache(CPU, 2 * EACH)
    features.collate([photo(0), photo(1)])
    features.collate([photo(0)])
    features.collate([photo(2)])
    assert [photo(seed) in features for seed in range(3)] == [True, False, True]


def test_a_batch_larger_than_the_capacity_is_whole() -> None:
    features = DeviceFeatureCache(CPU, EACH)
    assert len(features.collate([photo(seed) for seed in range(5)]).size) == 5
    assert [photo(seed) in features for seed in range(5)] == [False] * 4 + [True]


def test_nothing_is_kept_on_a_cpu() -> None:
    resident_on(CPU).collate([photo(0)])
    assert photo(0) not in resident_on(CPU)


def test_threads_may_share_them() -> None:
    features, photos = Counted(CPU, 4 * EACH), [photo(seed) for seed in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(2) as pool:
            batches = [[photos[(at + step) % 8] for step in (0, 1, 2)] for at in range(200)]
            for asked, batch in zip(batches, pool.map(features.collate, batches), strict=True):
                assert batch.size[:, 0].tolist() == [one.size[0] for one in asked]
    finally:
        sys.setswitchinterval(before)
    features.collate(photos[:4])
    uploaded = features.photos
    features.collate(photos[:4])
    assert features.photos == uploaded  # there is still room for four


class Counted(DeviceFeatureCache):
    """Counts photos that are sent to the device."""

    photos = 0

    def upload(self, photos: Sequence[LocalFeatures]) -> FeatureBatch:
        self.photos += len(photos)
        return super().upload(photos)


def test_a_gpu_without_a_number_is_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=1 << 30))
    resident._resident_on.cache_clear()
    assert resident_on(torch.device("cuda")) is resident_on(torch.device("cuda:1"))
    assert resident_on(torch.device("cuda")) is not resident_on(torch.device("cuda:0"))
    resident._resident_on.cache_clear()


def test_descriptors_are_rootsift() -> None:
    photos = [photo(seed) for seed in range(3)]
    photos[0].descriptors[0] = 0
    for one, values in zip(photos, resident_on(CPU).collate(photos).comparable().numpy(), strict=True):
        assert np.allclose(values, rootsift(one.descriptors.astype(np.uint8, copy=False)), atol=1e-6)
