"""Signatures: the global descriptor of a photo as visual words, each with a binary code of what lies at it.

One array of bytes holds a fixed number of slots, 18 bytes each: first the words (uint16), then the codes (128 bits).
Slots that a photo does not need name no word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from index.types import Int64

UInt8 = npt.NDArray[np.uint8]

CODE_BYTES = 16
BITS = 8 * CODE_BYTES
SLOT_BYTES = CODE_BYTES + 2
WORDS = 8192
"""Visual words at most; lists of photos are kept for each."""

NO_WORD = np.iinfo(np.uint16).max


def packed(words: Int64, codes: UInt8, slots: int) -> UInt8:
    """A signature uint8 [slots * 18] from words int64 [m] and codes uint8 [m, 16], m at most `slots`."""
    signature = np.zeros(slots * SLOT_BYTES, np.uint8)
    every = np.full(slots, NO_WORD, "<u2")
    every[: len(words)] = words
    signature[: 2 * slots] = every.view(np.uint8)
    signature[2 * slots : 2 * slots + CODE_BYTES * len(words)] = codes.reshape(-1)
    return signature


def unpacked(signatures: UInt8) -> tuple[Int64, Int64, UInt8]:
    """Row, word (int64 [m] each) and code (uint8 [m, 16]) of every slot in use of signatures uint8 [n, b]."""
    n, size = signatures.shape
    slots = size // SLOT_BYTES
    every = np.ascontiguousarray(signatures[:, : 2 * slots]).view("<u2").reshape(n, slots)
    rows, places = np.nonzero(every != NO_WORD)
    codes = signatures[:, 2 * slots :].reshape(n, slots, CODE_BYTES)[rows, places]
    return rows, every[rows, places].astype(np.int64), np.ascontiguousarray(codes)
