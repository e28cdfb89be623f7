"""The nearest-neighbour index over global descriptors; the door to FAISS, with the parts that it is made of.

`vectors.faiss` is derived from the registry. A footer names the last registry event that it holds, so that an older,
newer or damaged file is noticed and never trusted. How large galleries are searched is told in `search_params`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from index.errors import CatalogDamaged
from index.files import OnStep, no_steps, replacing
from index.types import Checkpoint, Float32, Int64
from index.vectors.flat import ExactPart
from index.vectors.gpu import MOST_WANTED, Accelerator, FaissGpu, Held
from index.vectors.half_precision import BLOCK, HalfPrecisionVectors, halved, write_halves
from index.vectors.index_file import append_codes, append_exact, read_part, seal
from index.vectors.ivfpq import CodedPart, extended, learn
from index.vectors.search_params import (
    GPU_FROM,
    LADDER,
    UNSAVED_FEWEST,
    UNSAVED_SHARE_CODED,
    UNSAVED_SHARE_EXACT,
    Codes,
    Depth,
    SearchParams,
)
from index.vectors.selection import Selection

FRESH_SHARE = 1000
"""An exact file is small: at a command's end it is rewritten when one vector in this many is missing from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Photo ids (int64 [k]) and cosines (float32 [k]), nearest first."""

    ids: Int64
    similarity: Float32


class VectorIndex:
    """Inner-product search over unit vectors with photo ids: exact while small, then as `search_params` says.

    What was read from the file and what came since lie apart, so that catching up copies nothing; what came since is
    searched exactly. Photos that were removed stay in the file until it is built anew, and no search admits them.

    Parameters
    ----------
    ladder : SearchParams
        When a gallery is searched how.
    accelerator : Accelerator
        May hold the file's vectors on a GPU.
    """

    def __init__(self, dimension: int, ladder: SearchParams = LADDER, accelerator: Accelerator | None = None) -> None:
        self.dimension = dimension
        self._ladder = ladder
        self._saved: ExactPart | CodedPart = ExactPart(dimension)
        self._newer = ExactPart(dimension)
        self._accelerator = accelerator or FaissGpu()
        self._on_gpu: Held | None = None
        self._unfiltered = 0

    def __len__(self) -> int:
        return len(self._saved) + len(self._newer)

    @property
    def unsaved(self) -> int:
        """How many vectors no file holds yet."""
        return len(self._newer)

    @property
    def exact(self) -> bool:
        """Whether the index holds the vectors as they are, not only at half precision."""
        return isinstance(self._saved, ExactPart)

    @property
    def depths(self) -> tuple[Depth, ...]:
        """How deep coded searches go and what they find; none where every search is exact."""
        return self._saved.depths if isinstance(self._saved, CodedPart) else ()

    @property
    def due(self) -> bool:
        """Whether enough has come in that the file is worth rewriting in the middle of a command."""
        one_in = UNSAVED_SHARE_EXACT if self.exact else UNSAVED_SHARE_CODED
        return self.unsaved > max(UNSAVED_FEWEST, len(self._saved) // one_in)

    @property
    def worth_saving(self) -> bool:
        """Whether the file is worth rewriting at the end of a command."""
        return self.due or (self.exact and self.unsaved * FRESH_SHARE >= max(len(self), 1))

    def add(self, ids: Int64, vectors: Float32) -> None:
        """Add unit vectors float32 [n, d] under their photo ids int64 [n]."""
        self._newer.add(ids, vectors)

    def search(self, vector: Float32, k: int, allowed: Int64 | Selection) -> Neighbours:
        """The k nearest of the `allowed` photos to a vector float32 [d], fewer when there are fewer.

        Ids that many searches allow are best prepared once as a `Selection`.
        """
        selection = allowed if isinstance(allowed, Selection) else Selection(allowed)
        vector = np.ascontiguousarray(vector, np.float32)
        parts = [self._search_saved(vector, k, selection)]
        if len(self._newer):
            parts.append(self._newer.search(vector, k, selection.of_ids()))
        ids = np.concatenate([part[0] for part in parts])
        similarity = np.concatenate([part[1] for part in parts])
        best = np.argsort(-similarity, kind="stable")[:k]
        return Neighbours(ids[best], similarity[best])

    def vectors(self, ids: Int64) -> Float32:
        """The vectors float32 [n, d] of photos int64 [n], all of them in the index; see `exact`."""
        found = np.empty((len(ids), self.dimension), np.float32)
        in_saved = np.isin(ids, self._saved.ids)
        if in_saved.any():
            found[in_saved] = self._saved.vectors(ids[in_saved])
        if not in_saved.all():
            found[~in_saved] = self._newer.vectors(ids[~in_saved])
        return found

    def holds(self, ids: Int64, vectors: Float32) -> bool:
        """Whether these photos int64 [n] are in the index with these vectors float32 [n, d]."""
        if not np.isin(ids, self.ids()).all():
            return False
        found = self.vectors(ids)
        return found.tobytes() == vectors.tobytes() if self.exact else halved(found) == halved(vectors)

    def ids(self) -> Int64:
        """Every photo id in the index, int64 [n], in no particular order."""
        return np.concatenate([self._saved.ids, self._newer.ids])

    def save(self, path: Path, checkpoint: Checkpoint, on_step: OnStep = no_steps) -> None:
        """Write the whole index as one file, replacing the old one at once. Raises StorageFull."""
        codes = self._ladder.codes(len(self), self.dimension)
        with replacing(path) as temporary:
            saved = self._written_exact(temporary) if codes is None else self._written_coded(temporary, codes)
            seal(temporary, checkpoint, saved)
            on_step("vectors written")
        self._saved, self._newer = saved, ExactPart(self.dimension)
        self._on_gpu, self._unfiltered = None, 0
        on_step("vectors replaced")

    @classmethod
    def build(
        cls,
        path: Path,
        dimension: int,
        photos: int,
        blocks: Iterable[tuple[Int64, Float32]],
        checkpoint: Checkpoint,
        on_step: OnStep = no_steps,
        ladder: SearchParams = LADDER,
    ) -> VectorIndex:
        """Write a new file of so many photos, from blocks of ids int64 [n] and unit vectors float32 [n, d].

        A large gallery is never whole in memory. Raises StorageFull.
        """
        index = cls(dimension, ladder)
        codes = ladder.codes(photos, dimension)
        if codes is None:
            for ids, vectors in blocks:
                index.add(ids, vectors)
            index.save(path, checkpoint, on_step)
            return index
        with replacing(path) as temporary:
            index._saved = _coded(temporary, dimension, photos, blocks, codes, ladder)
            seal(temporary, checkpoint, index._saved)
            on_step("vectors written")
        on_step("vectors replaced")
        return index

    @classmethod
    def load(cls, path: Path, dimension: int, ladder: SearchParams = LADDER) -> tuple[VectorIndex, Checkpoint]:
        """Read a saved index and the state it holds. Raises CatalogDamaged, FileNotFoundError."""
        part, held, checkpoint = read_part(path, ladder)
        if held != dimension:
            raise CatalogDamaged(f"{path} holds another kind of index; `turtleidx check` rebuilds it.")
        index = cls(dimension, ladder)
        index._saved = part
        return index, checkpoint

    def _search_saved(self, vector: Float32, k: int, selection: Selection) -> tuple[Int64, Float32]:
        part = self._saved
        if not len(part):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        within = selection.within(part.ids)
        if within.everything and k <= MOST_WANTED and (held := self._gpu()) is not None:
            positions, similarity = held.search(vector, min(k, len(part)))
            return part.ids[positions], similarity
        if isinstance(part, ExactPart):
            return part.search(vector, min(k, within.count), None if within.everything else selection.of_ids())
        if not within.count:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        positions, similarity = part.search(vector, k, within.selector, within.count)
        return part.ids[positions], similarity

    def _gpu(self) -> Held | None:
        self._unfiltered += 1
        if self._unfiltered == GPU_FROM:
            self._on_gpu = self._accelerator.hold(self._saved.blocks(), self.dimension, half=not self.exact)
        return self._on_gpu

    def _written_exact(self, path: Path) -> ExactPart:
        whole = ExactPart(self.dimension)
        for part in (self._saved, self._newer):
            if len(part):
                whole.add(part.ids, np.concatenate(list(part.blocks())))
        append_exact(path, whole)
        return whole

    def _written_coded(self, path: Path, codes: Codes) -> CodedPart:
        old, newer = self._saved, self._newer
        if isinstance(old, CodedPart) and len(self) < self._ladder.outgrown * old.learnt_from:
            ids = self.ids()
            halves = _halves(path, self.dimension, len(ids), chain(old.blocks(), newer.blocks()))
            part = CodedPart(ids, halves, extended(old, halves), old.depths, old.learnt_from, self._ladder)
            append_codes(path, part)
            return part
        both = chain.from_iterable(zip(_split(part.ids), part.blocks(), strict=True) for part in (old, newer))
        return _coded(path, self.dimension, len(self), both, codes, self._ladder)


def _coded(
    path: Path,
    dimension: int,
    photos: int,
    blocks: Iterable[tuple[Int64, Float32]],
    codes: Codes,
    ladder: SearchParams,
) -> CodedPart:
    """Learn codes and write them with the vectors."""
    order: list[Int64] = []

    def vectors() -> Iterator[Float32]:
        for ids, block in blocks:
            order.append(np.asarray(ids, np.int64))
            yield block

    halves = _halves(path, dimension, photos, vectors())
    lists, depths = learn(halves, codes, ladder.target)
    part = CodedPart(np.concatenate(order), halves, lists, depths, photos, ladder)
    append_codes(path, part)
    return part


def _halves(path: Path, dimension: int, photos: int, blocks: Iterable[Float32]) -> HalfPrecisionVectors:
    with path.open("wb") as file:
        write_halves(file, dimension, photos, blocks)
    return HalfPrecisionVectors(path)


def _split(ids: Int64) -> list[Int64]:
    return [ids[first : first + BLOCK] for first in range(0, len(ids), BLOCK)]
