"""Local features on the device: collated into batches, and kept on a GPU while they are asked for again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from index.types import LocalFeatures

Key: TypeAlias = tuple[object, ...]

SHARE = 0.25
"""Part of a GPU's memory that features may stay in."""


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Features of B photos with n keypoints each.

    Attributes
    ----------
    descriptors : uint8 or float16 [B, n, d]
        As stored.
    keypoints : float32 [B, n, 4]
        x, y, scale and orientation, as in `index.types.LocalFeatures`.
    size : float32 [B, 2]
        Image width and height.
    """

    descriptors: Tensor
    keypoints: Tensor
    size: Tensor

    def comparable(self) -> Tensor:
        """Descriptors as float32: RootSIFT of SIFT's bytes (as `sift.rootsift`), else as they are."""
        values = self.descriptors.float()
        if self.descriptors.dtype != torch.uint8:
            return values
        return (values / values.sum(-1, keepdim=True).clamp(min=1.0)).sqrt()


class DeviceFeatureCache:
    """Collates features on `device` and keeps the last used ones there, up to `capacity` bytes."""

    def __init__(self, device: torch.device, capacity: int) -> None:
        self.device = device
        self.capacity = capacity
        self._kept: OrderedDict[Key, FeatureBatch] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __contains__(self, photo: LocalFeatures) -> bool:
        return _key(photo) in self._kept

    def collate(self, photos: Sequence[LocalFeatures]) -> FeatureBatch:
        """Features of photos with equal keypoint count as one batch."""
        if not self.capacity:
            return self.upload(photos)
        keys = [_key(photo) for photo in photos]
        with self._lock:
            together = self._held(keys, photos)
        return FeatureBatch(
            torch.stack([one.descriptors for one in together]),
            torch.stack([one.keypoints for one in together]),
            torch.stack([one.size for one in together]),
        )

    def _held(self, keys: Sequence[Key], photos: Sequence[LocalFeatures]) -> list[FeatureBatch]:
        missing = {key: photo for key, photo in zip(keys, photos, strict=True) if key not in self._kept}
        if missing:
            arrived = self.upload(list(missing.values()))
            for row, key in enumerate(missing):
                self._keep(key, arrived, row)
        for key in keys:
            self._kept.move_to_end(key)
        together = [self._kept[key] for key in keys]
        self._forget()
        return together

    def upload(self, photos: Sequence[LocalFeatures]) -> FeatureBatch:
        """Photos in the device's memory; nothing is remembered."""
        descriptors = torch.from_numpy(np.stack([photo.descriptors for photo in photos]))
        keypoints = np.empty((*descriptors.shape[:2], 4), np.float32)
        for row, photo in enumerate(photos):
            keypoints[row, :, :2], keypoints[row, :, 2], keypoints[row, :, 3] = photo.xy, photo.scale, photo.orientation
        sizes = torch.tensor([photo.size for photo in photos], dtype=torch.float32)
        return FeatureBatch(*(sent(one, self.device) for one in (descriptors, torch.from_numpy(keypoints), sizes)))

    def _keep(self, key: Key, batch: FeatureBatch, row: int) -> None:
        # a copy, because a view would keep the whole batch alive
        one = FeatureBatch(batch.descriptors[row].clone(), batch.keypoints[row].clone(), batch.size[row].clone())
        self._kept[key] = one
        self._bytes += _bytes(one)

    def _forget(self) -> None:
        while self._bytes > self.capacity:
            self._bytes -= _bytes(self._kept.popitem(last=False)[1])


def resident_on(device: torch.device) -> DeviceFeatureCache:
    """The features on `device`, shared by all that computes there; on a CPU none are kept, they are there already."""
    nameless = device.type == "cuda" and device.index is None
    return _resident_on(torch.device("cuda", torch.cuda.current_device()) if nameless else device)


@cache
def _resident_on(device: torch.device) -> DeviceFeatureCache:
    total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else 0
    return DeviceFeatureCache(device, int(SHARE * total))


def sent(values: Tensor, device: torch.device) -> Tensor:
    """On the device; from pinned memory a GPU copies while the processor prepares what comes next."""
    pinned = values.pin_memory() if device.type == "cuda" else values
    return pinned.to(device, non_blocking=True)


def _key(photo: LocalFeatures) -> Key:
    """Names the features: how keypoints lie to a fraction of a pixel tells photos apart, and is quick to digest.

    Python's hashes of bytes are several times faster than a cryptographic digest, and nobody forges features here.
    """
    parts = (photo.xy, photo.scale, photo.orientation, photo.descriptors[:4])
    return (photo.size, len(photo), *(hash(part.tobytes()) for part in parts))


def _bytes(one: FeatureBatch) -> int:
    return one.descriptors.nbytes + one.keypoints.nbytes + one.size.nbytes
