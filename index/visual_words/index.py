"""The nearest-neighbour index over signatures: the same questions as `index.vectors`, answered by votes.

Every admitted photo's votes are counted, so a filter never shortens an answer: photos without a vote come last.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from index.files import OnStep, no_steps, replacing
from index.types import Checkpoint, Descriptor, Float32, Int64, UInt8
from index.vectors import FRESH_SHARE, UNSAVED_FEWEST, UNSAVED_SHARE_CODED, Neighbours, Selection, probes
from index.visual_words.index_file import lists_are_whole, read_votes, write_votes
from index.visual_words.inverted_file import VotePart, read_lists, write_merged, write_part

MAP_FROM = 256 << 20
"""Bytes of lists from which they are mapped, and merged on the disk: about 40,000 photos of 256 words."""


class VotingIndex:
    """Search over signatures with photo ids.

    What was read from the file and what came since lie apart, as in `VectorIndex`. Photos that were removed stay in
    the file until it is built anew, and no search admits them.
    """

    def __init__(self, dimension: int, map_from: int = MAP_FROM) -> None:
        self.dimension = dimension
        self._map_from = map_from
        self._saved = VotePart.empty()
        self._mapped = False
        self._newer = VotePart.empty()

    def __len__(self) -> int:
        return len(self._saved) + len(self._newer)

    @property
    def unsaved(self) -> int:
        """How many photos no file holds yet."""
        return len(self._newer)

    @property
    def due(self) -> bool:
        """Whether enough has come in that the file is worth rewriting in the middle of a command."""
        return self.unsaved > max(UNSAVED_FEWEST, len(self._saved) // UNSAVED_SHARE_CODED)

    @property
    def worth_saving(self) -> bool:
        """Whether the file is worth rewriting at the end of a command."""
        return self.due or (not self._mapped and self.unsaved * FRESH_SHARE >= max(len(self), 1))

    def add(self, ids: Int64, descriptors: UInt8) -> None:
        """Add signatures uint8 [n, b] under their photo ids int64 [n]."""
        self._newer.add(ids, descriptors)

    @property
    def keypoints(self) -> int:
        """How many keypoints the photos have in all, on which it depends in how many words each is looked for."""
        return self._saved.keypoints + self._newer.keypoints

    def search(self, query: Descriptor, k: int, allowed: Int64 | Selection, keypoints: int | None = None) -> Neighbours:
        """The k of the `allowed` photos with most votes of a query, fewer when there are fewer.

        Queries are told in `VotePart.similarity`.

        Parameters
        ----------
        keypoints : int or None
            Those of the whole gallery, where this index holds only a part of it.
        """
        selection = allowed if isinstance(allowed, Selection) else Selection(allowed)
        words = probes(self.keypoints if keypoints is None else keypoints)
        ids, similarity = [], []
        for part in (self._saved, self._newer):
            # the selection remembers one part, and that shall be the larger one
            within = selection.within(part.ids) if part is self._saved else None
            places = within.positions if within else selection.positions(part.ids)
            votes = part.similarity(query, within.selector if within else None, words)[places]
            best = _highest(votes, k)
            ids.append(part.ids[places[best]])
            similarity.append(votes[best])
        every = np.concatenate(similarity)
        best = np.argsort(-every, kind="stable")[:k]
        return Neighbours(np.concatenate(ids)[best], every[best])

    def holds(self, ids: Int64, descriptors: UInt8) -> bool:
        """Whether these photos int64 [n] are in the index with these signatures uint8 [n, b]."""
        known = self.ids()
        if not np.isin(ids, known).all():
            return False
        order = np.argsort(known)
        checks = np.concatenate([self._saved.checks, self._newer.checks])[order]
        found = checks[np.searchsorted(known, ids, sorter=order)]
        return bool((found == [zlib.crc32(row.tobytes()) for row in descriptors]).all())

    def ids(self) -> Int64:
        """Every photo id in the index, int64 [n], in no particular order."""
        return np.concatenate([self._saved.ids, self._newer.ids])

    def save(self, path: Path, checkpoint: Checkpoint, on_step: OnStep = no_steps) -> None:
        """Write the whole index as one file, replacing the old one at once. Raises StorageFull."""
        with replacing(path) as temporary:
            if self._mapped:
                write_merged(temporary, [self._saved, self._newer])
                whole = _one_behind_the_other([self._saved, self._newer])
            else:
                self._saved.absorb(self._newer)
                write_part(temporary, self._saved)
                whole = self._saved
            write_votes(temporary, checkpoint, whole, self.dimension)
            on_step("vectors written")
        on_step("vectors replaced")
        if self._mapped or path.stat().st_size >= self._map_from:
            self._saved, _ = read_votes(path, self.dimension, self._map_from)
            self._mapped, self._newer = True, VotePart.empty()

    @classmethod
    def build(
        cls,
        path: Path,
        dimension: int,
        blocks: Iterable[tuple[Int64, UInt8]],
        checkpoint: Checkpoint,
        on_step: OnStep = no_steps,
        map_from: int = MAP_FROM,
    ) -> VotingIndex:
        """Write a new file from blocks of ids int64 [n] and signatures uint8 [n, b].

        A large gallery is never whole in memory. Raises StorageFull.
        """
        index = cls(dimension, map_from)
        runs: list[Path] = []
        parts: list[VotePart] = []
        try:
            for ids, signatures in blocks:
                index.add(ids, signatures)
                if len(index._newer) * dimension >= map_from:
                    runs.append(path.with_name(f"{path.name}.run{len(runs)}"))
                    write_part(runs[-1], index._newer)
                    parts.append(_mapped(index._newer, runs[-1]))
                    index._newer = VotePart.empty()
            if not parts:
                index.save(path, checkpoint, on_step)
                return index
            parts.append(index._newer)
            with replacing(path) as temporary:
                write_merged(temporary, parts)
                write_votes(temporary, checkpoint, _one_behind_the_other(parts), dimension)
                on_step("vectors written")
            on_step("vectors replaced")
        finally:
            parts.clear()
            for run in runs:
                with contextlib.suppress(OSError):
                    run.unlink()
        return cls.load(path, dimension, map_from)[0]

    @classmethod
    def load(cls, path: Path, dimension: int, map_from: int = MAP_FROM) -> tuple[VotingIndex, Checkpoint]:
        """Read a saved index and the state it holds. Raises CatalogDamaged, FileNotFoundError."""
        index = cls(dimension, map_from)
        index._saved, checkpoint = read_votes(path, dimension, map_from)
        index._mapped = path.stat().st_size >= map_from
        return index, checkpoint

    @staticmethod
    def file_is_whole(path: Path) -> bool:
        """Whether what opening does not verify is as it was written."""
        return lists_are_whole(path)


def _highest(values: Float32, k: int) -> Int64:
    """Positions of the k highest, highest first, the earlier photo first among equals."""
    if k < len(values):
        least = np.partition(values, len(values) - k)[len(values) - k]
        above = np.flatnonzero(values > least)
        chosen = np.concatenate([above, np.flatnonzero(values == least)[: k - len(above)]])
    else:
        chosen = np.arange(len(values))
    return chosen[np.lexsort((chosen, -values[chosen]))]


def _one_behind_the_other(parts: Iterable[VotePart]) -> VotePart:
    """Ids, checksums and weights of parts, without their lists."""
    every = list(parts)
    return VotePart(
        np.concatenate([part.ids for part in every]),
        np.concatenate([part.checks for part in every]),
        np.concatenate([part.weight for part in every]),
        None,
    )


def _mapped(part: VotePart, path: Path) -> VotePart:
    return VotePart(part.ids, part.checks, part.weight, read_lists(path, mapped=os.name != "nt"))
