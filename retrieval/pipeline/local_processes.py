"""Looks at pairs by processes of this machine: of Python, threads of one interpreter run one line at a time.

The loops of a look are compiled and run side by side in threads; what lies around them takes a tenth of its time, which
is what few cores lose by threads, and what many cores would wait for. Processes are started when there is enough to do,
and know neither catalogue nor networks: each photo is put into a folder for them once, from where each process fetches
it once.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TypeVar

from index.types import Float32, LocalFeatures, Matches
from retrieval.engine import Engine, ReadPhoto
from retrieval.features import one_core_a_photo
from retrieval.gpus import CPU, device_name
from retrieval.matching import (
    FIRST_STAGE,
    VIEWED,
    NearestNeighbourMatcher,
    ReadsBeside,
    Verification,
    ViewedFirstStage,
    first_stage,
)
from retrieval.parallel import granted_cores, in_parts
from retrieval.pipeline.pair_pool import Comparing, Confidences, PairBatch
from retrieval.scoring import pair_confidences

WORTH = 4_000
"""Pairs to look at from which on processes are started, which takes some seconds; a pair takes two milliseconds."""
MOST = 8
"""Processes at most: each takes a third of a gigabyte."""
AHEAD, MOST_AHEAD = 32, 1024
"""Photos whose pairs are planned at once, for each process, and in all."""
WAITING = 2
"""Batches on their way for each process."""
REMEMBERED = 2048
"""Photos that a process has at hand, of a hundred kilobytes each."""
BLOCK = 16
"""Photos in which further extractors find features before they are written."""

Found = TypeVar("Found")


class LookProcesses(AbstractContextManager["LookProcesses"]):
    """As `retrieval.pipeline.PairPool`: first stages on a CPU, a process a core; what needs more is left to who asks.

    Whatever goes wrong with the processes, the answers are the same: what they have not done is done here.

    Parameters
    ----------
    processes : int
        As many as there are cores for.
    worth : int
        Pairs of one plan from which on they are started.
    """

    def __init__(self, processes: int, worth: int = WORTH) -> None:
        self._count, self._worth = processes, worth
        self._processes: ProcessPoolExecutor | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._sent: dict[tuple[str, bool], str] = {}

    @property
    def ahead(self) -> int:
        """As `PairPool.ahead`."""
        return min(AHEAD * max(self._count, 1), MOST_AHEAD)

    def prepare(self, engine: Engine, extractors: Sequence[str], photos: Iterable[LocalFeatures]) -> Iterator[None]:
        """As `PairPool.prepare`, in this process."""
        assert not extractors or isinstance(engine.matcher, ReadsBeside)
        if isinstance(engine.matcher, ReadsBeside):
            for block in in_parts(photos, BLOCK):
                engine.matcher.prepare(block)
                yield

    def compare(
        self, engine: Engine, comparing: Comparing, batches: Iterable[PairBatch]
    ) -> Iterator[tuple[PairBatch, Confidences]]:
        """As `PairPool.compare`, of batches that a first stage tells."""
        viewed = _looks_alone(engine, comparing)
        if viewed is None:
            return
        name = engine.looking if comparing is Comparing.LOOK else engine.comparison
        for batch, found in self._done(partial(_confidences, viewed), batches, viewed=viewed):
            yield batch, {name: found}

    def looks(self, batches: Iterable[PairBatch]) -> Iterator[tuple[PairBatch, Sequence[Matches]]]:
        """As `PairPool.looks`."""
        asked = list(batches)
        done = set()
        for batch, found in self._done(_matches, asked, viewed=False):
            done.add(id(batch))
            yield batch, found
        for batch in asked:
            if id(batch) not in done:
                query, *others = batch.features(range(len(batch.keys)))
                yield batch, first_stage(query, others)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes."""
        if self._processes is not None:
            self._processes.shutdown(cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def _done(
        self, task: Callable[..., Found], batches: Iterable[PairBatch], *, viewed: bool
    ) -> Iterator[tuple[PairBatch, Found]]:
        """What the processes find of each batch; nothing more once one has died or the disk is full."""
        asked = list(batches)
        pending: dict[Future[Found], PairBatch] = {}
        try:
            pool = self._started(sum(len(batch.keys) - 1 for batch in asked))
            if pool is None:
                return
            for batch in asked:
                if len(pending) >= WAITING * self._count:
                    yield from _finished(pending)
                pending[pool.submit(task, *self._send(batch, viewed=viewed))] = batch
            while pending:
                yield from _finished(pending)
        except (BrokenProcessPool, OSError):  # an OSError: their folder is on a disk that is full
            if self._processes is not None:
                self._processes.shutdown(wait=False, cancel_futures=True)
            self._count, self._processes = 0, None
        finally:
            for one in pending:
                one.cancel()

    def _started(self, pairs: int) -> ProcessPoolExecutor | None:
        """None where they would not help."""
        if self._processes is None and self._count > 1 and pairs >= self._worth:
            self._folder = TemporaryDirectory(prefix="turtleidx-")
            # nothing is inherited: threads of the linear algebra library do not survive a fork
            self._processes = ProcessPoolExecutor(self._count, multiprocessing.get_context("spawn"), _on_one_core)
        return self._processes

    def _send(self, batch: PairBatch, *, viewed: bool) -> list[str]:
        """Files with the photos of a batch, and with their working images where views are made of them."""
        assert self._folder is not None
        fresh = [place for place, key in enumerate(batch.keys) if (key, viewed) not in self._sent]
        for place, photo in zip(fresh, batch.features(fresh), strict=True):
            file = Path(self._folder.name, str(len(self._sent)))
            source = ReadPhoto(photo.source.image()) if viewed and photo.source is not None else None
            file.write_bytes(pickle.dumps(replace(photo, source=source)))
            self._sent[batch.keys[place], viewed] = str(file)
        return [self._sent[key, viewed] for key in batch.keys]


def look_processes() -> LookProcesses:
    """As many as there are cores for, and memory as a rule."""
    return LookProcesses(min(granted_cores(), MOST))


def _looks_alone(engine: Engine, comparing: Comparing) -> bool | None:
    """Whether the query is looked at in several views; None where more than a first stage on a CPU is wanted."""
    if engine.matching is None or device_name(engine.matching.device) != CPU:
        return None
    if comparing is Comparing.LOOK:
        return {FIRST_STAGE: False, VIEWED: True}.get(engine.first_stage)
    if comparing is Comparing.BOTH:
        return None
    judged_by = engine.matcher.id, engine.reranking.verification
    if judged_by == (NearestNeighbourMatcher.id, Verification()):
        return False
    return True if judged_by == (VIEWED, None) else None


def _finished(pending: dict[Future[Found], PairBatch]) -> Iterator[tuple[PairBatch, Found]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for one in done:
        yield pending.pop(one), one.result()


def _on_one_core() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # as `retrieval.parallel` reads it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks ends them


@lru_cache(REMEMBERED)
def _read(file: str) -> LocalFeatures:
    photo = pickle.loads(Path(file).read_bytes())
    assert isinstance(photo, LocalFeatures)
    return photo


def _matches(*files: str) -> list[Matches]:
    query, *others = map(_read, files)
    return first_stage(query, others)


def _confidences(viewed: bool, *files: str) -> list[Float32]:
    query, *others = map(_read, files)
    with one_core_a_photo():
        found = (ViewedFirstStage() if viewed else first_stage)(query, others)
    return [pair_confidences(one, len(query), len(other)) for one, other in zip(found, others, strict=True)]
