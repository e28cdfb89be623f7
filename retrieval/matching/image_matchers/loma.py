"""LoMa (Nordström, Edstedt et al. 2026) through the authors' package `lomatch`, which fetches its own weights."""

from __future__ import annotations

from typing import Any

import torch

from index.errors import WeightsUnavailable
from index.types import Float32, Pixels
from retrieval.matching.image_matchers.detector_free import DetectorFreeMatcher

VARIANT = "B128"
KEYPOINTS = 512


class LomaNetwork:
    """Their detector, descriptor and matcher on working images.

    Parameters
    ----------
    model : loma.LoMa
        Or what behaves like it.
    """

    def __init__(self, model: Any, filter_matches: Any) -> None:
        self._model, self._filter = model, filter_matches
        self.id = f"loma-{VARIANT}-{KEYPOINTS}"

    def prepare(self, pixels: Pixels) -> Any:
        """Keypoints and descriptors of one photo, and its height and width."""
        image = torch.tensor(pixels).permute(2, 0, 1).float()[None] / 255
        return self._model.detect_and_describe(image, KEYPOINTS)

    def match(self, one: Any, other: Any) -> tuple[Float32, Float32, Float32]:
        """As `PairNetwork.match`."""
        with torch.inference_mode():
            scores = self._model(one[0], other[0], one[1], other[1])["scores"]
            partner, _, confidence, _ = self._filter(scores, 0.0)
        rows = torch.where(partner[0] > -1)[0]
        first, second = one[0][0][rows], other[0][0][partner[0][rows]]
        return (
            _in_pixels(first, *one[2:]),
            _in_pixels(second, *other[2:]),
            confidence[0][rows].float().clamp(0, 1).cpu().numpy(),
        )


def load_loma() -> DetectorFreeMatcher:
    """LoMa with its published weights.

    Raises
    ------
    WeightsUnavailable
        The package is not installed, or its weights cannot be downloaded.
    """
    try:
        from loma import LoMa, LoMaB128
        from loma.loma import filter_matches
    except ImportError as error:
        raise WeightsUnavailable("LoMa comes with `pip install 'turtleidx[loma]'`.") from error
    try:
        model = LoMa(LoMaB128())
    except OSError as error:
        raise WeightsUnavailable(f"The weights of LoMa could not be downloaded ({error}).") from error
    return DetectorFreeMatcher(LomaNetwork(model, filter_matches))


def _in_pixels(points: torch.Tensor, height: int, width: int) -> Float32:
    """From -1..1 to pixels, centres at whole numbers."""
    size = torch.tensor([width, height], dtype=torch.float32, device=points.device)
    return ((points.float() + 1) / 2 * size - 0.5).cpu().numpy()
