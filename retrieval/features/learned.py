"""Learned extractors: which there are, where their weights come from, and how batches of photos go through them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.errors import TooFewKeypoints, WeightsUnavailable
from index.types import LocalFeatures, Pixels
from retrieval.features.extractor import BLOCK, Found, checked_count, keep_strongest
from retrieval.weight_files import PublishedFile, WeightsListing, cache, is_published, listing

if TYPE_CHECKING:  # torch takes seconds to import, and is first needed with the first photo
    import torch
    from torch import Tensor

    from retrieval.features.detectors import Detected, Detector

GRID = 32
"""Photos are padded to multiples of this, which all networks can halve as often as they want."""


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """A learned extractor.

    Attributes
    ----------
    reach : float
        Diameter in pixels of what a descriptor sees, for detectors that do not estimate a scale.
    weights : PublishedFile
    """

    reach: float
    weights: PublishedFile


_GITHUB = "https://github.com"
EXTRACTOR_SPECS: Mapping[str, ExtractorSpec] = {
    "disk": ExtractorSpec(
        32.0,
        PublishedFile(
            "disk",
            "depth-save.pth",
            f"{_GITHUB}/cvlab-epfl/disk/raw/8dc6d4d65b47210f629e21ad1fbfb56944b11696/depth-save.pth",
            "Apache-2.0",
            "git:0ae0911444297ea0fa5179ac7e9d0e8d7354d537",
        ),
    ),
    "aliked": ExtractorSpec(
        32.0,
        PublishedFile(
            "aliked",
            "aliked-n16.pth",
            f"{_GITHUB}/Shiaoming/ALIKED/raw/683d7c65197395c0b3f01ebe76e1084a27e73a65/models/aliked-n16.pth",
            "BSD-3-Clause",
            "git:9449ca16f784aff7fa4c88ea0925b41f6411eef0",
        ),
    ),
    "doghardnet": ExtractorSpec(
        32.0,
        PublishedFile(
            "doghardnet",
            "checkpoint_liberty_with_aug.pth",
            f"{_GITHUB}/DagnyT/hardnet/raw/35bc1d79910c4477e61ca486a4712b3b7496d43e/pretrained/train_liberty_with_aug/"
            "checkpoint_liberty_with_aug.pth",
            "MIT",
            "git:c1b2a5f4e79a5f3e50ec9a1ac98a428965cef37b",
        ),
    ),
    "xfeat": ExtractorSpec(
        32.0,
        PublishedFile(
            "xfeat",
            "xfeat.pt",
            f"{_GITHUB}/verlab/accelerated_features/raw/e92685f57f8318b18725c5c8c0bd28c7fe188d9a/weights/xfeat.pt",
            "Apache-2.0",
            "git:9da942e9c7406b8add3746bf98d4b1840233cd92",
        ),
    ),
    "superpoint": ExtractorSpec(
        32.0,
        PublishedFile(
            "superpoint",
            "superpoint_v1.pth",
            f"{_GITHUB}/magicleap/SuperPointPretrainedNetwork/raw/1fda796addba9b6f8e79d586a3699700a86b1cea/"
            "superpoint_v1.pth",
            "non-commercial research only (Magic Leap)",
            "git:107a444ca318d487390137d619d49f2f0a3b1ad8",
        ),
    ),
}


class LearnedExtractor:
    """A learned extractor, loaded when it sees its first photo.

    Parameters
    ----------
    name : str
        One of `EXTRACTOR_SPECS`.
    keypoints, long_side : int
        Keypoints kept at most, a multiple of 64, and the longest side of the working image in pixels.
    weights : Path or None
        A local file; None takes the published weights, downloaded if need be.
    mark : str
        Names own weights in the id of a catalogue that was made with them.
    device : str or None
        See `choose_device`.
    """

    VERSION = 2  # goes up with that of the working image
    KEYPOINTS, LONG_SIDE = 512, 480
    batch = 64
    AT_ONCE: Mapping[str, int] = {"cuda": 16}  # a CPU gains nothing from batches but a need for memory

    def __init__(
        self,
        name: str,
        keypoints: int = KEYPOINTS,
        long_side: int = LONG_SIDE,
        weights: Path | None = None,
        mark: str = "",
        device: str | None = None,
    ) -> None:
        self.name = name
        self.keypoints = checked_count(keypoints)
        self.long_side = long_side
        self.method = EXTRACTOR_SPECS[name]
        self.weights = weights
        self._mark = mark
        self._device = device

    @cached_property
    def id(self) -> str:
        mark = self._mark if self.weights is None else self._mark_of(self.weights)
        return f"{self.name}{mark}-{self.keypoints}-{self.long_side}-v{self.VERSION}"

    def _mark_of(self, weights: Path) -> str:
        if not weights.is_file():
            raise WeightsUnavailable(f"There is no weights file {weights}.")
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        return "" if is_published(weights, self.method.weights) else f"#{digest[:12]}"

    @cached_property
    def device(self) -> torch.device:
        from retrieval.devices import choose_device

        return choose_device(self._device)

    @cached_property
    def detector(self) -> Detector:
        """Loads the network. Raises WeightsUnavailable, WeightsCorrupt."""
        if self.weights is None and self._mark:
            raise WeightsUnavailable(
                f"The catalogue was made with weights of your own ({self.name}{self._mark}): give their file with "
                "--extractor-weights."
            )
        from retrieval.features.detectors import DETECTORS
        from retrieval.weights import fetch, read_state

        state, _ = read_state(self.weights or fetch(self.method.weights, cache()))
        # some of the keypoints found may lie in the padding
        return DETECTORS[self.name](state, self.keypoints + BLOCK, self.device)

    def extract(self, pixels: Pixels) -> LocalFeatures:
        """Keypoints of one photo. Raises TooFewKeypoints, WeightsUnavailable, WeightsCorrupt."""
        [found] = self.extract_batch([pixels])
        if isinstance(found, TooFewKeypoints):
            raise found
        return found

    def extract_batch(self, photos: Sequence[Pixels]) -> list[Found]:
        """Keypoints of many photos, those of one size in one go; each gets what it gets alone.

        Raises
        ------
        WeightsUnavailable, WeightsCorrupt
        """
        import torch

        from retrieval.devices import on_one_thread_each

        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, pixels in enumerate(photos):
            height, width = pixels.shape[:2]
            by_size[-(-height // GRID), -(-width // GRID)].append(row)
        most = self.AT_ONCE.get(self.device.type, 1)
        batches = [rows[start : start + most] for rows in by_size.values() for start in range(0, len(rows), most)]
        detector = self.detector

        def find(batch: Sequence[int]) -> list[Found]:
            images = torch.stack([padded(photos[row]) for row in batch]).to(self.device)
            with torch.inference_mode():
                detected = detector.detect(images)
            return [self._features(one, photos[row]) for row, one in zip(batch, detected, strict=True)]

        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        searched = on_one_thread_each(find, batches, threads)
        found = dict(zip(chain.from_iterable(batches), chain.from_iterable(searched), strict=True))
        return [found[row] for row in range(len(photos))]

    def _features(self, detected: Detected, pixels: Pixels) -> Found:
        height, width = pixels.shape[:2]
        xy = detected.xy.float().cpu().numpy()
        inside = np.flatnonzero((xy >= 0).all(axis=1) & (xy <= (width - 1, height - 1)).all(axis=1))
        try:
            kept = inside[keep_strongest(detected.strength.float().cpu().numpy()[inside], self.keypoints)]
        except TooFewKeypoints as error:
            return error
        scale, orientation = detected.scale, detected.orientation
        return LocalFeatures(
            xy=xy[kept],
            scale=np.full(len(kept), self.method.reach, np.float32) if scale is None else _rows(scale, kept),
            orientation=np.zeros(len(kept), np.float32) if orientation is None else _rows(orientation, kept),
            descriptors=_rows(detected.descriptors, kept).astype(np.float16),
            size=(width, height),
        )


def padded(pixels: Pixels) -> Tensor:
    """RGB uint8 [h, w, 3] as float32 [3, H, W] in 0..1, its last row and column repeated to multiples of `GRID`."""
    import torch
    from torch.nn import functional as F

    image = torch.tensor(pixels).permute(2, 0, 1).float() / 255
    below, right = (-side % GRID for side in pixels.shape[:2])
    return F.pad(image[None], (0, right, 0, below), mode="replicate")[0]


def list_extractors() -> list[WeightsListing]:
    """The published weights of every learned extractor."""
    return [listing(method.weights, "extractor") for method in EXTRACTOR_SPECS.values()]


def _rows(values: Tensor, kept: np.ndarray) -> np.ndarray:
    return np.asarray(values.float().cpu().numpy()[kept], np.float32)
