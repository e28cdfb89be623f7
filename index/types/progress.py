"""How a long piece of work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how a long piece of work goes."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """So many more items are done, out of `total` where that is known by now."""
