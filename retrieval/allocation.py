"""How freed memory is kept for the next photo."""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST_KEPT = 32 << 20
KEPT = 512 << 20


@cache
def keep_freed_memory() -> None:
    """Make the C library keep large freed blocks, up to 512 MB, where it is glibc.

    SIFT's pyramids take tens of megabytes a photo in blocks that glibc would fetch from the system and give back for
    every photo; the system then clears each page again, which costs as much as finding the keypoints.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(M_TRIM_THRESHOLD, KEPT)
    # threads would otherwise get heaps of their own, which are given back whole
    mallopt(M_ARENA_MAX, 1)
