"""The photos that a search may return, as FAISS takes them. Shares the door to FAISS with `index.vectors`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.types import Int64

_faiss: Any = faiss


@dataclass(frozen=True, slots=True)
class Within:
    """What a selection admits of one part of the index: how many, which, and a FAISS selector of positions or None."""

    count: int
    everything: bool
    positions: Int64
    selector: Any


class Selection:
    """Photo ids int64 [n], prepared for searches."""

    def __init__(self, ids: Int64) -> None:
        self._member = np.zeros(int(ids.max(initial=0)) + 1, bool)
        self._member[ids] = True
        self._part: Int64 | None = None
        self._within = Within(0, everything=False, positions=np.zeros(0, np.int64), selector=None)

    @classmethod
    def of_members(cls, member: npt.NDArray[np.bool_]) -> Selection:
        """The photos whose ids are True in bool [largest id + 1]."""
        return cls(np.flatnonzero(member))

    @property
    def members(self) -> npt.NDArray[np.bool_]:
        """Which ids are admitted, bool [largest id + 1]; others are not."""
        return self._member

    def without(self, ids: Int64) -> Selection:
        """The same but for these photos."""
        member = self._member.copy()
        member[ids[ids < len(member)]] = False
        return self.of_members(member)

    def of_ids(self) -> Any:
        """A FAISS selector of ids."""
        return self._of_ids

    @cached_property
    def _of_ids(self) -> Any:
        return _bitmap(self._member)

    def positions(self, ids: Int64) -> Int64:
        """Where the admitted photos stand among these ids, int64 in rising order."""
        return np.flatnonzero(self._admits(ids))

    def _admits(self, ids: Int64) -> npt.NDArray[np.bool_]:
        there = ids < len(self._member)
        found: npt.NDArray[np.bool_] = (
            self._member[ids] if there.all() else self._member[np.where(there, ids, 0)] & there
        )
        return found

    def within(self, ids: Int64) -> Within:
        """What is admitted of a part with these ids; remembered for the part that was asked for last."""
        if self._part is not ids:
            member = self._admits(ids)
            positions = np.flatnonzero(member)
            everything = len(positions) == len(ids)
            self._within = Within(len(positions), everything, positions, None if everything else _bitmap(member))
            self._part = ids
        return self._within


def _bitmap(member: Any) -> Any:
    return _faiss.IDSelectorBitmap(np.packbits(member, bitorder="little"))
