"""How far a training is: on disk after each round, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from index.types import Photo

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

STATE = ".partial"
"""Ending of the file that an interrupted training goes on from."""


def named(options: DataclassInstance, photos: Sequence[Photo]) -> str:
    """Names options and photos, so that a training never goes on from another one's state."""
    chosen = {name: str(value) for name, value in asdict(options).items()}
    return hashlib.sha256(json.dumps([chosen, sorted(photo.key for photo in photos)]).encode()).hexdigest()


def save_state(path: Path, name: str, state: Mapping[str, object]) -> None:
    """Write how far the training of this name is, whole or not at all."""
    partial = path.with_name(f"{path.name}.new")
    partial.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"named": name, **state}, partial)
    partial.replace(path)


def load_state(path: Path, name: str, device: torch.device) -> dict[str, Any] | None:
    """What was saved for the training of this name; None where nothing was, or another one's."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state if state["named"] == name else None
