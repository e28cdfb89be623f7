"""LoFTR (Sun et al., CVPR 2021) through kornia: matches without keypoints, from coarse to fine."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import torch
from kornia.feature import LoFTR
from kornia.feature.loftr.loftr import default_cfg
from torch import Tensor

from index.errors import WeightsCorrupt, WeightsUnavailable
from index.types import Float32, Pixels
from retrieval.matching.image_matchers.detector_free import DetectorFreeMatcher
from retrieval.weight_files import cache
from retrieval.weights import read_state

LOFTR_FILES: Mapping[str, str] = {
    name: f"https://cmp.felk.cvut.cz/~mishkdmy/models/loftr_{name}.ckpt" for name in ("outdoor", "indoor")
}
"""Where kornia publishes the weights (Apache-2.0), which it gives no digest for; recipes name the file's own."""


class LoftrNetwork:
    """LoFTR on grey working images.

    Parameters
    ----------
    weights : Path
        The published checkpoint or one of the same shape. Raises WeightsUnavailable, WeightsCorrupt.
    threshold : float
        Coarse matches of less confidence are none; the default is the authors'.
    """

    def __init__(self, weights: Path, device: torch.device, threshold: float = 0.2) -> None:
        state, _ = read_state(weights)
        self._device = device
        config = copy.deepcopy(default_cfg)
        config["match_coarse"]["thr"] = threshold
        self._network = LoFTR(pretrained=None, config=config)
        try:
            self._network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsCorrupt(f"{weights} does not fit LoFTR: {str(error).splitlines()[-1].strip()}") from error
        self._network.eval().to(device)
        self._digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]

    @cached_property
    def id(self) -> str:
        return f"loftr-{self._digest}"

    def prepare(self, pixels: Pixels) -> dict[str, Tensor]:
        """Coarse and fine feature maps of one photo."""
        grey = torch.tensor(pixels).float().mean(-1) / 255
        with torch.inference_mode():
            features: dict[str, Tensor] = self._network.extract_features(grey[None, None].to(self._device))
        return features

    def match(self, one: dict[str, Tensor], other: dict[str, Tensor]) -> tuple[Float32, Float32, Float32]:
        """As `PairNetwork.match`."""
        with torch.inference_mode():
            found = self._network({"features0": one, "features1": other})
        first, second = (found[f"keypoints{side}"].float().cpu().numpy() - 0.5 for side in (0, 1))
        return first, second, found["confidence"].float().clamp(0, 1).cpu().numpy()


def load_loftr(name: str, device: torch.device) -> DetectorFreeMatcher:
    """The matcher of ``loftr`` (outdoor), ``loftr:indoor`` or ``loftr:FILE``; downloads published weights once.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt
    """
    chosen = name.partition(":")[2] or "outdoor"
    return DetectorFreeMatcher(LoftrNetwork(_file_of(chosen), device))


def _file_of(chosen: str) -> Path:
    if chosen not in LOFTR_FILES:
        return Path(chosen)
    path = cache() / f"loftr_{chosen}.ckpt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(LOFTR_FILES[chosen], str(path), progress=False)
        except OSError as error:
            raise WeightsUnavailable(
                f"The weights of LoFTR could not be downloaded ({error}): put {LOFTR_FILES[chosen]} by hand at {path}, "
                "or name a file with --matcher loftr:FILE."
            ) from error
    return path
