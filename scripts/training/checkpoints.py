"""What a training run leaves on disk: a checkpoint to continue from and a file to ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from retrieval.lightglue import LightGlueConfig


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Where training stands: current and averaged weights, the optimiser's state, steps and pairs so far."""

    config: LightGlueConfig
    network: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimiser: dict[str, Any] | None
    steps: int
    pairs: int


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    partial = path.with_suffix(".part")
    content = {name: getattr(checkpoint, name) for name in checkpoint.__slots__}
    torch.save(content | {"config": asdict(checkpoint.config)}, partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> Checkpoint:
    content = torch.load(path, map_location="cpu", weights_only=True)
    return Checkpoint(**(content | {"config": LightGlueConfig(**content["config"])}))


def export(config: LightGlueConfig, weights: Mapping[str, Tensor], path: Path, note: Mapping[str, str]) -> None:
    """Half-precision safetensors with the configuration and `note` as metadata (text)."""
    sizes = {name: str(value) for name, value in asdict(config).items()}
    tensors = {name: tensor.detach().cpu().to(torch.float16).contiguous() for name, tensor in weights.items()}
    partial = path.with_suffix(".part")
    save_file(tensors, partial, metadata={"format": "lightglue", **sizes, **note})
    partial.replace(path)
