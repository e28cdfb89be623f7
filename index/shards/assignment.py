"""Which photo lies in which shard: whole individuals, by a number that no renaming changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.registry import Session
from index.types import Int64

_PHOTOS = """
SELECT d.photo AS id, d.event AS event, coalesce(2 * e.turtle, 2 * e.id + 1) AS individual,
       coalesce(p.sighting, p.sha256) AS key
FROM descriptors d JOIN photos p ON p.id = d.photo JOIN encounters e ON e.id = p.encounter ORDER BY d.photo
"""
"""Everything with a descriptor: removed photos and retired turtles too, so that giving them back moves nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Photos of a shard, or of all, in order of id.

    Attributes
    ----------
    ids, events : int64 [n]
        Photos, and the event that gave each its present descriptor: a photo that was read again is another one.
    keys : uint8 [n, 32]
        What features are kept under.
    """

    ids: Int64
    events: Int64
    keys: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def none(cls) -> Members:
        """Without photos."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, np.zeros((0, 32), np.uint8))

    def at(self, rows: npt.NDArray[Any]) -> Members:
        """Some of them, by a mask or by positions in rising order."""
        return Members(self.ids[rows], self.events[rows], self.keys[rows])

    def names(self) -> list[str]:
        """What features are kept under, as hex digits."""
        return [row.tobytes().hex() for row in self.keys]

    def without(self, others: Members) -> Members:
        """Those that the others do not hold in the same reading."""
        return self.at(~self.among(others))

    def among(self, others: Members) -> npt.NDArray[np.bool_]:
        """Which of these the others hold in the same reading, bool [n]."""
        if not len(others):
            return np.zeros(len(self), bool)
        place = np.minimum(np.searchsorted(others.ids, self.ids), len(others) - 1)
        same: npt.NDArray[np.bool_] = (others.ids[place] == self.ids) & (others.events[place] == self.events)
        same &= (others.keys[place] == self.keys).all(axis=1)  # a registry may have been put back by a backup
        return same


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Every photo with a descriptor, and its shard int64 [n]."""

    members: Members
    shard: Int64

    def of(self, shard: int) -> Members:
        """The photos of one shard."""
        return self.members.at(self.shard == shard)


def read_assignment(session: Session, shards: int) -> Assignment:
    """What belongs where at the session's state of the registry."""
    columns = session.columns(_PHOTOS)
    ids, events, individual = (
        np.asarray(np.ma.getdata(columns[name]), np.int64) for name in ("id", "event", "individual")
    )
    keys = np.frombuffer(bytes.fromhex("".join(columns["key"])), np.uint8).reshape(-1, 32)
    return Assignment(Members(ids, events, keys), shard_of(individual, shards))


def shard_of(individual: Int64, shards: int) -> Int64:
    """The shard of individuals int64 [n] (twice a turtle's key, or twice an unidentified encounter's number and one).

    Numbers that follow each other fall into shards at random (splitmix64; Steele et al., OOPSLA 2014), and always into
    the same ones.
    """
    mixed = individual.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(shards)).astype(np.int64)
