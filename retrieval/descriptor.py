"""Global encoders: one unit vector a photo, whose inner products decide who is shortlisted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.errors import WeightsCorrupt, WeightsUnavailable
from index.types import Float32, LocalFeatures
from retrieval.keypoints import rootsift

Pixels = npt.NDArray[np.uint8]
BUNDLED = "vlad-1"


class Encoder(Protocol):
    """Turns photos into global descriptors."""

    @property
    def id(self) -> str:
        """Names the method and its weights; catalogues are made with exactly one."""

    @property
    def dimension(self) -> int:
        """Length of a descriptor."""

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Float32:
        """Unit vectors float32 [n, dimension] of n photos: RGB uint8 [h, w, 3] each, and their local features."""


class VladEncoder:
    """Vector of locally aggregated descriptors (Jegou et al., CVPR 2010) of the photo's own SIFT features.

    Residuals to the nearest visual word are summed, each word's sum is brought to unit length (Arandjelovic and
    Zisserman, CVPR 2013), then everything is projected on the whitened principal components of a training set.

    Parameters
    ----------
    words : float32 [k, 128]
        Visual words in RootSIFT space.
    mean : float32 [k * 128]
    projection : float32 [k * 128, d]
        Whitened principal components.
    """

    def __init__(self, words: Float32, mean: Float32, projection: Float32, name: str) -> None:
        self.words = words
        self.mean = mean
        self.projection = projection
        self.id = name

    @classmethod
    def bundled(cls) -> VladEncoder:
        """The codebook that comes with turtleidx, trained on drawn heads."""
        with resources.as_file(resources.files("retrieval") / "data" / f"{BUNDLED}.npz") as path:
            return cls.load(path, BUNDLED)

    @classmethod
    def load(cls, path: Path, name: str) -> VladEncoder:
        """Read what `save` wrote; WeightsCorrupt when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                words, mean, projection = (stored[key].astype(np.float32) for key in ("words", "mean", "projection"))
        except (OSError, ValueError, KeyError) as error:
            raise WeightsCorrupt(f"{path} is not a VLAD codebook; install turtleidx again.") from error
        return cls(words, mean, projection, name)

    def save(self, path: Path) -> None:
        """Store in half precision, without pickle."""
        half = np.float16
        np.savez(
            path, words=self.words.astype(half), mean=self.mean.astype(half), projection=self.projection.astype(half)
        )

    @property
    def dimension(self) -> int:
        return int(self.projection.shape[1])

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Float32:
        del pixels
        raw = np.stack(
            [aggregate(rootsift(one.descriptors.astype(np.uint8, copy=False)), self.words) for one in features]
        )
        return unit(np.asarray((raw - self.mean) @ self.projection, np.float32))


def aggregate(descriptors: Float32, words: Float32) -> Float32:
    """VLAD with intra-normalisation: RootSIFT float32 [n, 128] and words [k, 128] to unit float32 [k * 128]."""
    nearest = (descriptors @ words.T - 0.5 * (words**2).sum(axis=1)).argmax(axis=1)
    sums = np.zeros_like(words)
    np.add.at(sums, nearest, descriptors - words[nearest])
    return np.asarray(unit(unit(sums).reshape(1, -1))[0])


def unit(vectors: Float32) -> Float32:
    """Rows at unit length; rows of zeros stay zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


class TimmEncoder:
    """Any timm model with its own preprocessing; weights from the hub, or from a local file without a network.

    Parameters
    ----------
    name : str
        A timm model name such as ``vit_small_patch14_dinov2.lvd142m`` or ``hf-hub:BVRA/MegaDescriptor-T-224``.
    weights : Path or None
        A local checkpoint; None downloads the published one.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt
    """

    BATCH = 32

    def __init__(self, name: str, weights: Path | None = None, device: str = "cpu") -> None:
        import timm  # torch takes seconds to import, and the bundled encoder does without it
        import torch

        self._torch = torch
        self._device = device
        try:
            self._model = timm.create_model(name, pretrained=weights is None, num_classes=0)
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsUnavailable(_unavailable(name, error)) from error
        if weights is not None:
            self._load(weights, name)
        self._model.eval().to(device)
        config = timm.data.resolve_data_config({}, model=self._model)
        self._transform = timm.data.create_transform(**config, is_training=False)
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:12] if weights else "published"
        self.id = f"timm:{name}#{digest}"
        self.dimension = int(self._model.num_features)

    def _load(self, weights: Path, name: str) -> None:
        """A local checkpoint; its classifier, if it has one, is left out."""
        from retrieval.weights import read_state

        state, _ = read_state(weights)
        result = self._model.load_state_dict(state, strict=False)
        if result.missing_keys:
            raise WeightsCorrupt(f"{weights} does not fit the timm model {name}: it lacks {result.missing_keys[0]}.")

    def encode(self, pixels: Sequence[Pixels], features: Sequence[LocalFeatures]) -> Float32:
        del features
        from torchvision.transforms.functional import to_pil_image

        batches = []
        for start in range(0, len(pixels), self.BATCH):
            images = [self._transform(to_pil_image(one)) for one in pixels[start : start + self.BATCH]]
            with self._torch.inference_mode():
                output = self._model(self._torch.stack(images).to(self._device))
            batches.append(output.float().cpu().numpy())
        return unit(np.concatenate(batches))


def load_encoder(spec: str, weights: Path | None = None, device: str = "cpu") -> Encoder:
    """The encoder that `spec` names: ``vlad`` (bundled) or ``timm:NAME``; `weights` is a local checkpoint for timm."""
    if spec in ("vlad", BUNDLED):
        return VladEncoder.bundled()
    if spec.startswith("timm:"):
        name = spec.removeprefix("timm:")
        return TimmEncoder(name.partition("#")[0], weights, device)
    raise WeightsUnavailable(f"There is no encoder {spec!r}: use 'vlad' or 'timm:MODEL'.")


def _unavailable(name: str, error: Exception) -> str:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"The weights of timm model {name} cannot be downloaded ({first_line}); "
        "download them elsewhere and give the file with --encoder-weights FILE."
    )
