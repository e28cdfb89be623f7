"""The engine behind the page: loaded in the background, used by one at a time, whoever waits at the screen first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.catalog import Catalog
from index.errors import TurtleidxError

if TYPE_CHECKING:
    from retrieval.engine import Engine


class Workbench:
    """Loads the catalogue's engine and lends it.

    Parameters
    ----------
    matcher, device : str or None
        As for `turtleidx query`.
    """

    def __init__(self, catalog: Catalog, matcher: str | None = None, device: str | None = None) -> None:
        self._catalog = catalog
        self._matcher = matcher
        self._device = device
        self._turn = threading.Condition()
        self._busy = False
        self._urgent = 0
        self.engine: Engine | None = None
        self.failed: str | None = None

    def load(self) -> bool:
        """Load the engine; False where it cannot be, and `failed` says why in one sentence."""
        from retrieval.engine import Engine, EngineOptions  # what compares photos takes seconds to import
        from retrieval.pipeline import finder_of, masks_of, remembered_heads

        try:
            choices = EngineOptions(
                matcher=self._matcher,
                device=self._device,
                heads=remembered_heads(self._catalog),
                head_finder=finder_of(self._catalog),
                masks=masks_of(self._catalog),
            )
            engine = Engine.load(self._catalog.recipe, choices)
            self._catalog.require(engine.recipe)
            self.engine = engine
        except TurtleidxError as error:
            self.failed = str(error)
        return self.engine is not None

    @contextmanager
    def at_once(self) -> Iterator[Engine | None]:
        """The engine for somebody who waits at the screen; None while there is none."""
        if self.engine is None:
            yield None
            return
        with self._turn:
            self._urgent += 1
            self._turn.wait_for(lambda: not self._busy)
            self._urgent -= 1
            self._busy = True
        try:
            yield self.engine
        finally:
            self._give_back()

    @contextmanager
    def in_background(self) -> Iterator[Engine]:
        """The engine for long work, which calls `give_way` now and then."""
        self._take_patiently()
        try:
            if self.engine is None:
                raise RuntimeError("the engine is not loaded")
            yield self.engine
        finally:
            self._give_back()

    def give_way(self) -> None:
        """Let those go first who wait at the screen."""
        if self._urgent:
            self._give_back()
            self._take_patiently()

    def _take_patiently(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: not self._busy and not self._urgent)
            self._busy = True

    def _give_back(self) -> None:
        with self._turn:
            self._busy = False
            self._turn.notify_all()
