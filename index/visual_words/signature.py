"""Signatures: the global descriptor of a photo as visual words, each with a code of what lies at it.

One array of bytes holds a fixed number of slots, one for each keypoint: the word (uint16), then the code (16 bytes),
as FAISS writes them one behind the other. Slots that a photo does not need name no word.
"""

from __future__ import annotations

import numpy as np

from index.types import Int64, UInt8

CODE_BYTES = 16
SLOT_BYTES = 2 + CODE_BYTES
WORDS = 1 << 16
"""Visual words; lists of photos are kept for each."""

NO_WORD = WORDS - 1
"""No keypoint that the words were learnt from falls to the last one, so it stands for an empty slot."""


def packed(coded: UInt8, slots: int) -> UInt8:
    """A signature uint8 [slots * 18] of words and codes uint8 [m, 18], m at most `slots`."""
    signature = np.full((slots, SLOT_BYTES), 255, np.uint8)
    signature[: len(coded)] = coded
    return signature.reshape(-1)


def unpacked(signatures: UInt8) -> tuple[Int64, UInt8]:
    """Row int64 [m], word and code (uint8 [m, 18]) of every slot in use of signatures uint8 [n, b]."""
    every = np.ascontiguousarray(signatures).reshape(-1, SLOT_BYTES)
    used = np.flatnonzero(words_of(every) != NO_WORD)
    return used // max(signatures.shape[1] // SLOT_BYTES, 1), every[used]


def words_of(coded: UInt8) -> Int64:
    """Words int64 [m] of what is coded, uint8 [m, 18]."""
    return np.ascontiguousarray(coded[:, :2]).view("<u2")[:, 0].astype(np.int64)
