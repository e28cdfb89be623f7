"""Work spread over all cores, one item read ahead, and memory kept for the next photo."""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import islice
from os import cpu_count, environ
from typing import TypeVar

from threadpoolctl import ThreadpoolController

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


def peak_memory_gib() -> float | None:
    """The most memory in GiB that this process has had until now; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (30 if sys.platform == "darwin" else 20)


Item = TypeVar("Item")
Result = TypeVar("Result")

_LIBRARIES = ThreadpoolController()


def on_all_cores(task: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The tasks' results in order, one task a core, on as many as OMP_NUM_THREADS grants, else on all.

    A pair's matrix product is too small to be shared between cores: a linear algebra library that tries spends most of
    the time waiting for itself, so it gets one thread here.
    """
    with _LIBRARIES.limit(limits=1, user_api="blas"), ThreadPoolExecutor(granted_cores()) as pool:
        return list(pool.map(task, items))


def parts_on_all_cores(
    task: Callable[[Sequence[Item]], Iterable[Result]], items: Sequence[Item], most: int = 8
) -> list[Result]:
    """As `on_all_cores`, of a task that takes several items at once, in order: as many as leave no core idle.

    Threads of one interpreter wait for each other between operations, which are fewer where each works on more.
    """
    size = max(1, min(most, -(-len(items) // granted_cores())))
    return [one for part in on_all_cores(task, in_parts(items, size)) for one in part]


def granted_cores() -> int:
    """How many cores this process may use: Ray, and others who run many on one machine, say so by this variable."""
    told = environ.get("OMP_NUM_THREADS", "")
    return min(int(told), cpu_count() or 1) if told.isdecimal() and int(told) else cpu_count() or 1


def in_parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """So many of the items at a time, in order; the last part may be shorter."""
    stream = iter(items)
    while part := list(islice(stream, size)):
        yield part


def one_ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in order; the next item is worked on while the caller is busy with the last result."""
    return some_ahead(work, items, 1)


def some_ahead(work: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[Result]:
    """Results in order; so many further items at most are worked on while the caller is busy with one result."""
    with ThreadPoolExecutor(most) as workers:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(workers.submit(work, item))
            if len(pending) > most:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
