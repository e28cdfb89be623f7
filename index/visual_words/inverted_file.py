"""Photos found by the votes of visual words: the inverted file over signatures.

Each keypoint of a query is compared with those of the photos that have its word or one near it, and each that lies
within a fixed distance votes for its photo. Because the distance is fixed, a photo's votes depend on no other photo
(those of local naive Bayes nearest neighbours, McCann and Lowe, CVPR 2012, do), and any part of a gallery is ranked as
it would be alone. FAISS keeps the lists, mapped from the file where they are large.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from index.types import Descriptor, Float32, Int64, UInt8
from index.vectors import probes
from index.visual_words.codebook import LENGTH, Codebook
from index.visual_words.signature import CODE_BYTES, WORDS, unpacked, words_of

_faiss: Any = faiss

NEAR = 0.15
"""Squared distance of descriptors of unit length from which on they do not vote; one pair in 20,000 is nearer."""

_POWER = 3
_CHUNK = 1 << 22
_COUNT = struct.Struct("<q")
_COUNT_AT = 8
"""Where FAISS's header of an index holds the number of entries."""


class VotePart:
    """Photos by position, and the inverted lists of their words.

    Attributes
    ----------
    ids : int64 [n]
        Photo ids.
    checks : uint32 [n]
        Checksums of the signatures.
    """

    def __init__(self, ids: Int64, checks: Any, weight: Float32, lists: Any) -> None:
        self.ids = ids
        self.checks = checks
        self._weight = weight
        self.lists = lists

    @classmethod
    def empty(cls) -> VotePart:
        """Without photos."""
        return cls(
            np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.float32), Codebook.bundled().no_lists()
        )

    @classmethod
    def of(cls, ids: Int64, signatures: UInt8) -> VotePart:
        """Of photo ids int64 [n] and their signatures uint8 [n, b]."""
        part = cls.empty()
        part.add(ids, signatures)
        return part

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def keypoints(self) -> int:
        """Keypoints of all photos."""
        return int(self.lists.ntotal)

    @property
    def weight(self) -> Float32:
        """What a vote for each photo counts, float32 [n]: less for photos of many words."""
        return self._weight

    def add(self, ids: Int64, signatures: UInt8) -> None:
        """Add photos, in memory."""
        rows, coded = unpacked(signatures)
        if len(rows):
            order = np.argsort(words_of(coded).astype(np.uint16), kind="stable")  # lists in turn are filled faster
            self.lists.add_sa_codes(coded[order], rows[order] + len(self))
        occupied = np.bincount(rows, minlength=len(ids)).astype(np.float32)
        checks = np.array([zlib.crc32(row.tobytes()) for row in signatures], np.uint32)
        self.ids = np.concatenate([self.ids, np.asarray(ids, np.int64)])
        self.checks = np.concatenate([self.checks, checks])
        self._weight = np.concatenate([self._weight, 1 / np.sqrt(np.maximum(occupied, 1), dtype=np.float32)])

    def similarity(self, query: Descriptor, selector: Any = None, words: int | None = None) -> Float32:
        """The votes of a query for every photo, or those that a FAISS selector of positions lets through.

        Each keypoint is compared in so many `words`; None: as `index.vectors.search_params` says.
        A query is descriptors of unit length, float32 [m, 128], or a signature, uint8 [b]. Gives float32 [n]: 1 where
        each keypoint of both photos has one equal in the other.
        """
        described = Codebook.bundled().decoded(unpacked(query[None])[1]) if query.ndim == 1 else query
        if not len(self) or not len(described):
            return np.zeros(len(self), np.float32)
        look = _faiss.SearchParametersIVF(nprobe=words or probes(self.lists.ntotal), sel=selector)
        _, distances, positions = self.lists.range_search(described, NEAR, params=look)
        votes = np.bincount(positions, (1 - np.maximum(distances, 0) / NEAR) ** _POWER, len(self))
        return np.asarray(votes * self.weight / len(described) ** 0.5, np.float32)

    def absorb(self, other: VotePart) -> None:
        """Take over the photos of another part, which is empty afterwards; both in memory."""
        self.lists.merge_from(other.lists, len(self))
        self.ids = np.concatenate([self.ids, other.ids])
        self.checks = np.concatenate([self.checks, other.checks])
        self._weight = np.concatenate([self._weight, other.weight])
        other.ids, other.checks, other._weight = other.ids[:0], other.checks[:0], other.weight[:0]

    def sizes(self) -> Int64:
        """How many photos have each word, int64 [WORDS]."""
        lists = self.lists.invlists
        return np.fromiter((lists.list_size(word) for word in range(WORDS)), np.int64, WORDS)

    def list_of(self, word: int, size: int) -> tuple[UInt8, Int64]:
        """Codes uint8 [m, 16] and positions int64 [m] of the photos that have a word."""
        if not size:
            return np.zeros((0, CODE_BYTES), np.uint8), np.zeros(0, np.int64)
        lists = self.lists.invlists
        codes, ids = lists.get_codes(word), lists.get_ids(word)
        copied = _faiss.rev_swig_ptr(codes, size * CODE_BYTES).copy(), _faiss.rev_swig_ptr(ids, size).copy()
        lists.release_codes(word, codes)
        lists.release_ids(word, ids)
        return copied


def write_part(path: Path, part: VotePart) -> None:
    """Write the lists of a part in memory."""
    with path.open("wb") as file:
        _faiss.write_index(part.lists, _faiss.PyCallbackIOWriter(file.write, _CHUNK))


def write_merged(path: Path, parts: Sequence[VotePart]) -> None:
    """Write the lists of parts, one behind the other, in FAISS's own format; one word at a time is in memory."""
    sizes = np.stack([part.sizes() for part in parts])
    before = np.cumsum([0, *map(len, parts)])[:-1]
    head = bytearray(_faiss.serialize_index(Codebook.bundled().no_lists()).tobytes())
    head = head[: head.rindex(b"ilar")]
    _COUNT.pack_into(head, _COUNT_AT, int(sizes.sum()))
    with path.open("wb") as file:
        file.write(head + struct.pack("<4sQQ4sQ", b"ilar", WORDS, CODE_BYTES, b"full", WORDS))
        file.write(sizes.sum(axis=0).astype("<u8").tobytes())
        for word in range(WORDS):
            found = [part.list_of(word, int(size[word])) for part, size in zip(parts, sizes, strict=True)]
            file.writelines(codes.tobytes() for codes, _ in found)
            file.writelines(
                (ids + first).astype("<i8").tobytes() for (_, ids), first in zip(found, before, strict=True)
            )


def read_lists(path: Path, *, mapped: bool) -> Any:
    """The lists at the beginning of a file."""
    lists = _faiss.read_index(str(path), _faiss.IO_FLAG_MMAP if mapped else 0)
    if not isinstance(lists, _faiss.IndexIVFPQ) or (lists.nlist, lists.d, lists.code_size) != (
        WORDS,
        LENGTH,
        CODE_BYTES,
    ):
        raise ValueError("another kind of index")
    if mapped:
        _faiss.downcast_InvertedLists(lists.invlists).prefetch_nthread = 0  # threads for each search cost more
    return lists
