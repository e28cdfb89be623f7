"""What a training run leaves on disk to continue from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retrieval.matching.lightglue.config import LightGlueConfig


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
