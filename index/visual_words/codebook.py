"""The visual words of signatures, and the codes of what lies at them; shares the door to FAISS with `index.vectors`.

A word is a pair of words of the halves of a descriptor (inverted multi-index, Babenko and Lempitsky, CVPR 2012), so
that 65,536 of them fit in 64 KB and are found without a search. What remains is product quantised (Jegou, Douze and
Schmid, PAMI 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.errors import WeightsCorrupt
from index.types import Float32, UInt8
from index.visual_words.signature import CODE_BYTES, NO_WORD, WORDS, words_of

_faiss: Any = faiss

LENGTH = 128
"""Numbers in a keypoint's descriptor."""

_HALVES = (2, 256, LENGTH // 2)
_RESIDUALS = (CODE_BYTES, 256, LENGTH // CODE_BYTES)


@dataclass(frozen=True, eq=False)
class Codebook:
    """What signatures are written and read with.

    Attributes
    ----------
    halves : float32 [2, 256, 64]
        Words of the first and of the second half of a descriptor.
    residuals : float32 [16, 256, 8]
        Codewords of the 16 parts of the difference between a descriptor and its word.
    """

    halves: Float32
    residuals: Float32

    @classmethod
    @lru_cache(maxsize=1)
    def bundled(cls) -> Codebook:
        """The one that comes with turtleidx, trained on drawn heads."""
        with resources.as_file(resources.files("index") / "data" / "words-1.npz") as path:
            return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Codebook:
        """Read what `save` wrote; WeightsCorrupt when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                halves, residuals = (stored[name].astype(np.float32) for name in ("halves", "residuals"))
            if (halves.shape, residuals.shape) != (_HALVES, _RESIDUALS):
                raise ValueError
        except (OSError, ValueError, KeyError) as error:
            raise WeightsCorrupt(f"{path} does not hold visual words; install turtleidx again.") from error
        return cls(halves, residuals)

    @classmethod
    def learnt(cls, described: Float32, rounds: int, seed: int) -> Codebook:
        """From descriptors of unit length float32 [n, 128] by k-means."""
        lists = _lists()
        lists.quantizer_trains_alone = 1
        for clustering in (_faiss.downcast_index(lists.quantizer).pq.cp, lists.pq.cp):
            clustering.niter, clustering.seed, clustering.max_points_per_centroid = rounds, seed, len(described)
        lists.train(described)
        pairs = _faiss.downcast_index(lists.quantizer).pq.centroids
        halves = _faiss.vector_to_array(pairs).reshape(_HALVES)
        residuals = _faiss.vector_to_array(lists.pq.centroids).reshape(_RESIDUALS)
        return cls(halves, residuals)._with_an_empty_last_word(described)

    def save(self, path: Path) -> None:
        """Store in half precision, without pickle."""
        np.savez(path, halves=self.halves.astype(np.float16), residuals=self.residuals.astype(np.float16))

    def coded(self, described: Float32) -> UInt8:
        """Words and codes uint8 [m, 18] of descriptors of unit length float32 [n, 128].

        Hardly ever a descriptor has none, because it falls to the word that stands for an empty slot.
        """
        threads = _faiss.omp_get_max_threads()
        _faiss.omp_set_num_threads(1)  # of this thread only: one photo is too little for a team, which waits spinning
        try:
            coded: UInt8 = self._coder.sa_encode(np.ascontiguousarray(described, np.float32))
        finally:
            _faiss.omp_set_num_threads(threads)
        kept: UInt8 = coded[words_of(coded) != NO_WORD]
        return kept

    def decoded(self, coded: UInt8) -> Float32:
        """About what the descriptors were, float32 [m, 128], from words and codes uint8 [m, 18]."""
        described: Float32 = self._coder.sa_decode(np.ascontiguousarray(coded))
        return described

    def no_lists(self) -> Any:
        """An inverted file without entries."""
        lists = _lists()
        pairs = _faiss.downcast_index(lists.quantizer)
        _faiss.copy_array_to_vector(self.halves.reshape(-1), pairs.pq.centroids)
        _faiss.copy_array_to_vector(self.residuals.reshape(-1), lists.pq.centroids)
        pairs.ntotal, pairs.is_trained, lists.is_trained = WORDS, True, True
        lists.precompute_table()
        return lists

    @cached_property
    def _coder(self) -> Any:
        return self.no_lists()

    def _with_an_empty_last_word(self, described: Float32) -> Codebook:
        """The same words in an order in which no descriptor of these falls to the last one."""
        first, second = (words_of(self._coder.sa_encode(described)) >> shift & 255 for shift in (0, 8))
        free = np.ones((256, 256), bool)
        free[first, second] = False
        one, other = np.argwhere(free)[0]
        halves = self.halves.copy()
        halves[0, [one, 255]], halves[1, [other, 255]] = halves[0, [255, one]], halves[1, [255, other]]
        return Codebook(halves, self.residuals)


def _lists() -> Any:
    quantizer = _faiss.MultiIndexQuantizer(LENGTH, 2, 8)
    lists = _faiss.IndexIVFPQ(quantizer, LENGTH, WORDS, CODE_BYTES, 8)
    quantizer.this.disown()
    lists.own_fields = True
    return lists
