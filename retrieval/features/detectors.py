"""Learned detectors behind one interface: kornia's DISK, ALIKED, DoG-HardNet and XFeat, and SuperPoint of transformers.

Every adapter takes a batch of images of one size and says for each which keypoints it found; what a photo gives does
not depend on the others of its batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from kornia import feature
from kornia.color import rgb_to_grayscale
from kornia.geometry import ConvQuadInterp3d, ScalePyramid
from torch import Tensor, nn

from index.errors import WeightsCorrupt, WeightsUnavailable


@dataclass(frozen=True, slots=True)
class Detected:
    """Keypoints of one image, in any order.

    Attributes
    ----------
    xy : [n, 2]
        Pixels, pixel centres at whole numbers.
    strength : [n]
    descriptors : [n, d]
        Of unit length.
    scale, orientation : [n] or None
        Diameter in pixels and clockwise radians, of detectors that estimate them.
    """

    xy: Tensor
    strength: Tensor
    descriptors: Tensor
    scale: Tensor | None = None
    orientation: Tensor | None = None


class Detector(Protocol):
    """A network that finds and describes keypoints."""

    def detect(self, images: Tensor) -> list[Detected]:
        """Keypoints of RGB `images` float32 [B, 3, h, w] in 0..1, sides multiples of 32."""


class Disk:
    """DISK (Tyszkiewicz et al., NeurIPS 2020), weights `depth`."""

    def __init__(self, state: Mapping[str, Tensor], most: int, device: torch.device) -> None:
        self.most = most
        self.network = filled(feature.DISK(), state).to(device)

    def detect(self, images: Tensor) -> list[Detected]:
        found = self.network(images, n=self.most)
        return [Detected(one.keypoints, one.detection_scores, one.descriptors) for one in found]


class Aliked:
    """ALIKED-n16 (Zhao et al., TIM 2023); the strongest maxima, however weak, as for hazy SIFT."""

    def __init__(self, state: Mapping[str, Tensor], most: int, device: torch.device) -> None:
        network = feature.ALIKED("aliked-n16", max_num_keypoints=most, detection_threshold=0.0)
        self.network = filled(network, state, r"dkd\.hw_grid").to(device)

    def detect(self, images: Tensor) -> list[Detected]:
        return [Detected(one.keypoints, one.keypoint_scores, one.descriptors) for one in self.network(images)]


class XFeat:
    """XFeat (Potje et al., CVPR 2024), sparse keypoints."""

    def __init__(self, state: Mapping[str, Tensor], most: int, device: torch.device) -> None:
        self.network = feature.XFeat(top_k=most)
        self.network.net = filled(self.network.net, state, r"fine_matcher\..*")
        self.network.to(device)

    def detect(self, images: Tensor) -> list[Detected]:
        found = self.network.detectAndCompute(images)
        return [Detected(one["keypoints"], one["scores"], one["descriptors"]) for one in found]


class DogHardNet:
    """Difference-of-Gaussians keypoints with HardNet descriptors (Mishchuk et al., NeurIPS 2017)."""

    def __init__(self, state: Mapping[str, Tensor], most: int, device: torch.device) -> None:
        detector = feature.ScaleSpaceDetector(
            most,
            resp_module=feature.BlobDoG(),
            subpix_module=ConvQuadInterp3d(),
            scale_pyr_module=ScalePyramid(3, 1.6, 32, double_image=True),
            ori_module=feature.LAFOrienter(19),
            scale_space_response=True,
            minima_are_also_good=True,
            mr_size=6.0,
        )
        hardnet = filled(feature.HardNet(pretrained=False), state)
        described = feature.LAFDescriptor(hardnet, patch_size=32, grayscale_descriptor=True)
        self.network = feature.LocalFeature(detector, described, scaling_coef=2.0).eval().to(device)

    def detect(self, images: Tensor) -> list[Detected]:
        lafs, responses, descriptors = self.network(rgb_to_grayscale(images))
        there = feature.laf_is_filled(lafs)
        # the frames are six times OpenCV's diameter wide, and kornia counts angles counter-clockwise
        scale = feature.get_laf_scale(lafs).flatten(1) / 6
        orientation = -torch.deg2rad(feature.get_laf_orientation(lafs).flatten(1))
        xy = feature.get_laf_center(lafs)
        return [
            Detected(xy[i][row], responses[i][row].abs(), descriptors[i][row], scale[i][row], orientation[i][row])
            for i, row in enumerate(there)
        ]


class SuperPoint:
    """SuperPoint (DeTone et al., CVPRW 2018); its weights may not be used commercially."""

    def __init__(self, state: Mapping[str, Tensor], most: int, device: torch.device) -> None:
        try:
            from transformers import SuperPointConfig, SuperPointForKeypointDetection
        except ImportError as error:
            raise WeightsUnavailable(
                "SuperPoint needs the package transformers, which is not there: pip install 'turtleidx[superpoint]'."
            ) from error
        config = SuperPointConfig(max_keypoints=most, keypoint_threshold=0.0005)
        named = {_transformers_name(name): value for name, value in state.items()}
        self.network = filled(SuperPointForKeypointDetection(config), named).to(device)

    def detect(self, images: Tensor) -> list[Detected]:
        found = self.network(rgb_to_grayscale(images).expand(-1, 3, -1, -1))
        size = torch.tensor([images.shape[3], images.shape[2]], device=images.device)
        return [
            Detected(found.keypoints[i][row] * size, found.scores[i][row], found.descriptors[i][row])
            for i, row in enumerate(found.mask.bool())
        ]


def filled(network: nn.Module, state: Mapping[str, Tensor], dispensable: str = "$") -> nn.Module:
    """The network with the weights `state`, in evaluation mode; names that match `dispensable` may be missing.

    Raises
    ------
    WeightsCorrupt
    """
    try:
        result = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        raise WeightsCorrupt(
            f"these weights do not fit {type(network).__name__}: a tensor has another shape."
        ) from error
    missing = [name for name in result.missing_keys if not re.fullmatch(dispensable, name)]
    wrong = missing or [name for name in result.unexpected_keys if not re.fullmatch(dispensable, name)]
    if wrong:
        raise WeightsCorrupt(
            f"these are not the weights of {type(network).__name__}: {wrong[0]} is missing or left over."
        )
    return network.eval()


def _transformers_name(name: str) -> str:
    """Parameter name as in transformers; the file of the authors says conv1a, convPa or convDa instead."""
    if found := re.fullmatch(r"conv(\d)([ab])\.(.*)", name):
        return f"encoder.conv_blocks.{int(found[1]) - 1}.conv_{found[2]}.{found[3]}"
    name = re.sub(r"^convP([ab])\.", r"keypoint_decoder.conv_score_\1.", name)
    return re.sub(r"^convD([ab])\.", r"descriptor_decoder.conv_descriptor_\1.", name)


DETECTORS: Mapping[str, Callable[[Mapping[str, Tensor], int, torch.device], Detector]] = {
    "disk": Disk,
    "aliked": Aliked,
    "doghardnet": DogHardNet,
    "xfeat": XFeat,
    "superpoint": SuperPoint,
}
"""By the name of the extractor: makes one of weights, the number of keypoints that it may return, and a device."""
