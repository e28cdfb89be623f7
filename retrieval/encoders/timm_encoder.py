"""Encoders that others trained on photos: any timm model, and what is known about the useful ones."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.functional import to_pil_image

from index.errors import WeightsCorrupt, WeightsUnavailable
from index.types import Float32, LocalFeatures, Pixels
from retrieval.devices import choose_device
from retrieval.encoders.encoder import VectorEncoder
from retrieval.encoders.lite0 import LITE0, LITE0_NAME, fill_in_order
from retrieval.weight_files import PublishedFile, WeightsListing, cache, found
from retrieval.weights import fetch, read_state


@dataclass(frozen=True, slots=True)
class Known:
    """A model of which more is known than timm knows.

    Attributes
    ----------
    architecture : str
        timm's name of the network.
    hub : str
        Where the weights are published on the Hugging Face hub, and `file` there.
    size : int or None
        Photos are squeezed to this many pixels both ways; None leaves it to timm's configuration.
    pooled : bool
        Generalised mean pooling and a batch normalisation instead of timm's own pooling.
    published : PublishedFile or None
        A file that is not on that hub, whose tensors stand in the order of timm's, with the classifier's two last.
    """

    architecture: str
    hub: str
    file: str
    licence: str
    size: int | None = None
    pooled: bool = False
    published: PublishedFile | None = None

    @property
    def url(self) -> str:
        if self.published is not None:
            return self.published.url
        return f"https://huggingface.co/{self.hub}/resolve/main/{self.file}"


KNOWN: Mapping[str, Known] = {
    "efficientnet-lite0": Known(LITE0_NAME, "", LITE0.file, LITE0.licence, size=224, published=LITE0),
    "dinov2-small": Known(
        "vit_small_patch14_dinov2", "timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors", "Apache-2.0"
    ),
    "megadescriptor": Known(
        "swin_tiny_patch4_window7_224",
        "BVRA/MegaDescriptor-T-224",
        "pytorch_model.bin",
        "CC-BY-NC-4.0 (non-commercial)",
        size=224,
    ),
    "miewid": Known(
        "efficientnetv2_rw_m",
        "conservationxlabs/miewid-msv3",
        "model.safetensors",
        "none stated: ask Conservation X Labs",
        size=440,
        pooled=True,
    ),
}


class Pooled(nn.Module):
    """A backbone whose features are pooled by their generalised mean (Radenovic et al., TPAMI 2018) and normalised."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        self.backbone = timm.create_model(architecture, pretrained=False, num_classes=0, global_pool="")
        self.num_features = int(self.backbone.num_features)
        self.p = nn.Parameter(torch.full((1,), 3.0))
        self.bn = nn.BatchNorm1d(self.num_features)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, h, w] to descriptors [B, num_features]."""
        powers: Tensor = self.backbone(images).clamp(min=1e-6) ** self.p
        pooled: Tensor = self.bn(powers.mean((-2, -1)) ** (1 / self.p))
        return pooled


class TimmEncoder(VectorEncoder):
    """A timm model with its own preprocessing; weights from the hub, or from a local file without a network.

    Parameters
    ----------
    name : str
        One of `KNOWN`, or a timm model name such as ``convnext_small.fb_in22k`` or ``hf-hub:OWNER/MODEL``.
    weights : Path or None
        A local checkpoint; None downloads the published one.
    device : str or None
        See `choose_device`.
    pretrained : bool
        False leaves the network untrained, for training to begin with.

    Attributes
    ----------
    network : nn.Module
        Images float32 [n, 3, h, w] to embeddings [n, dimension].
    mean, std : tuple of float
        By which it expects images to be normalised.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt, DeviceUnavailable
    """

    BATCH = 32

    def __init__(
        self, name: str, weights: Path | None = None, device: str | None = None, *, pretrained: bool = True
    ) -> None:
        known = KNOWN.get(name)
        self.device = choose_device(device)
        try:
            if known and known.pooled:
                self.network: nn.Module = Pooled(known.architecture)
            else:
                download = pretrained and weights is None and known is None
                self.network = timm.create_model(
                    known.architecture if known else name, pretrained=download, num_classes=0
                )
            if known is None or weights is not None or not pretrained:
                pass
            elif known.published is not None:
                fill_in_order(self.network, read_state(fetch(known.published, cache()))[0])
            else:
                self._fill(timm.models.load_state_dict_from_hf(known.hub, known.file), name)
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsUnavailable(_unavailable(name, error)) from error
        size = known.size if known else None
        if weights is not None:
            state, header = read_state(weights)
            size = int(header["size"]) if "size" in header else size
            self._fill(state, str(weights))
        self.network.eval().to(self.device)
        self.see(size)
        published = "published" if pretrained else "untrained"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12] if weights else published
        self.id = f"timm:{name}#{digest}"
        self.dimension = int(str(self.network.num_features))

    def see(self, size: int | None) -> None:
        """From now on see whole photos, made so many pixels wide and high; None: as the model's publishers do."""
        backbone = self.network.backbone if isinstance(self.network, Pooled) else self.network
        config = timm.data.resolve_data_config({}, model=backbone)
        if size:
            config |= {"input_size": (3, size, size), "crop_pct": 1.0, "crop_mode": "squash"}
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self._transform = timm.data.create_transform(**config, is_training=False)

    @classmethod
    def of_file(cls, path: Path, device: str | None = None) -> TimmEncoder:
        """An encoder that `turtleidx train encoder` wrote: its header names the model.

        Raises
        ------
        WeightsUnavailable, WeightsCorrupt
        """
        _, header = read_state(path)
        if "model" not in header:
            raise WeightsCorrupt(f"{path} does not name the model of its weights: give it with --encoder-weights.")
        return cls(header["model"], path, device)

    def _fill(self, state: Mapping[str, Tensor], source: str) -> None:
        """Take over weights; a classifier, if there is one, is left out."""
        tensors: Mapping[str, Tensor] = dict(state)
        if isinstance(self.network, Pooled):
            tensors = {"p" if re.search(r"pool\w*\.p$", name) else name: tensors[name] for name in tensors}
        else:
            # published files of older timm versions, or of the authors, name things differently
            rename = getattr(sys.modules[type(self.network).__module__], "checkpoint_filter_fn", None)
            tensors = rename(tensors, self.network) if rename else tensors
        try:
            missing = self.network.load_state_dict(tensors, strict=False).missing_keys
        except RuntimeError as error:
            raise WeightsCorrupt(
                f"{source} does not fit the timm model: {str(error).splitlines()[-1].strip()}"
            ) from error
        if missing:
            raise WeightsCorrupt(f"{source} does not fit the timm model: it lacks {missing[0]}.")

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Float32:
        """Unit vectors float32 [n, dimension] of n photos, RGB uint8 [h, w, 3] each."""
        del features
        batches = []
        for start in range(0, len(pixels), self.BATCH):
            images = [self._transform(to_pil_image(one)) for one in pixels[start : start + self.BATCH]]
            with torch.inference_mode():
                output = self.network(torch.stack(images).to(self.device))
                batches.append(F.normalize(output.float(), dim=-1).cpu().numpy())
        return np.concatenate(batches)


def encoder_licence(name: str) -> str:
    """Under which licence a timm model's weights are published, as far as is known."""
    if known := KNOWN.get(name):
        return known.licence
    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name.partition(".")[0]) else None
    return (config.license if config else None) or "not known, see where it is published"


def list_encoders() -> list[WeightsListing]:
    """Models that can be asked for by a short name; timm keeps what it downloads."""
    return [
        WeightsListing(
            f"timm:{name}", "encoder", known.licence, known.url, found(known.file) if known.published else None
        )
        for name, known in KNOWN.items()
    ]


def _unavailable(name: str, error: Exception) -> str:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    place = f" ({known.url})" if (known := KNOWN.get(name)) else ""
    return (
        f"The weights of timm model {name} cannot be downloaded ({first_line}); "
        f"download them elsewhere{place} and give the file with --encoder-weights FILE."
    )
