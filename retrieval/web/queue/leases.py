"""Who is looking at what, so that two people do not answer the same group at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 120.0
"""How long a group is kept for whoever opened it last."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A group, the window that has it, and until when (seconds of the clock)."""

    group: int
    window: str
    who: str
    until: float


class Leases:
    """Leases of groups by windows; `clock` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[int, Lease] = {}

    def take(self, group: int, window: str, who: str) -> Lease:
        """The lease of a group: this window's own from now on, or another window's that still holds."""
        with self._lock:
            now = self._clock()
            held = self._held.get(group)
            if held is not None and held.window != window and held.until > now:
                return held
            taken = Lease(group, window, who, now + SECONDS)
            for other in [one for one, lease in self._held.items() if lease.window == window]:
                del self._held[other]  # a window looks at one group
            self._held[group] = taken
            return taken

    def others(self, window: str) -> dict[int, Lease]:
        """Groups that other windows are looking at."""
        with self._lock:
            now = self._clock()
            return {group: one for group, one in self._held.items() if one.window != window and one.until > now}

    def release(self, group: int) -> None:
        """Nobody looks at it any more."""
        with self._lock:
            self._held.pop(group, None)
