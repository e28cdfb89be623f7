"""Memory that the layers write into again and again; one thread has one at a time."""

from __future__ import annotations

from math import prod

import numpy as np

from index.types import Float32


class Room:
    """Named pieces of memory for one pair after another: fresh ones cost a page fault every four kilobytes."""

    def __init__(self) -> None:
        self._kept: dict[str, Float32] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Float32:
        """Uninitialised float32 of this shape; what was taken under `name` before is overwritten."""
        count = prod(shape)
        kept = self._kept.get(name)
        if kept is None or len(kept) < count:
            kept = self._kept[name] = np.empty(count, np.float32)
        return kept[:count].reshape(shape)
