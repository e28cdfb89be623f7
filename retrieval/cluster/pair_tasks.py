"""Pairs of photos compared by Ray's tasks on all nodes; whoever asks keeps the one cache and the one writer.

A photo is put into Ray's object store once, from where each node fetches it once. No more batches are on their way than
one for each process and a second that waits. A batch whose process or node dies is computed again, elsewhere if needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError

from index.errors import ClusterUnavailable, TurtleidxError
from index.types import LocalFeatures, Matches, PhotoSource
from retrieval.cluster.pair_worker import Instruments, compare_pairs, find_features, look_at
from retrieval.cluster.sent_photo import SentPhoto, known_beside
from retrieval.engine import Engine
from retrieval.parallel import in_parts
from retrieval.pipeline import Comparing, Confidences, PairBatch, extractors_beside

PATIENCE = 600.0
"""Seconds in which one of all batches on their way has to be done, the start of processes included."""
TRIES = 20
"""How often Ray computes a batch again whose process or node has died."""
GPU_SHARE = 0.25
"""Of a GPU, for a process."""
WAITING = 2
"""Batches on their way for each process."""
AHEAD, MOST_AHEAD = 32, 1024
"""Photos whose pairs are planned at once, for each process, and in all."""
REMEMBERED = 4096
"""Photos in the object store that are not sent again, of a hundred or two kilobytes each."""
BLOCK = 16
"""Photos of one task that finds features."""

Item = TypeVar("Item")
Light = TypeVar("Light")
Asked = tuple[Any, Light]
"""Ray's reference to what will be found, and what stands for the item meanwhile."""
Sources = dict[int, PhotoSource | None]
"""Of photos by their places."""


class PairTasks:
    """As `retrieval.pipeline.PairPool`, on the cluster that this process is connected to."""

    def __init__(self) -> None:
        self._gpus = ray.cluster_resources().get("GPU", 0.0) > 0
        self._sent: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    @property
    def processes(self) -> int:
        """How many the cluster has room for now."""
        room = ray.cluster_resources()
        found = room.get("GPU", 0.0) / GPU_SHARE if self._gpus else room.get("CPU", 1.0)
        return max(1, int(found))

    @property
    def ahead(self) -> int:
        """As `PairPool.ahead`."""
        return min(AHEAD * self.processes, MOST_AHEAD)

    def prepare(self, engine: Engine, extractors: Sequence[str], photos: Iterable[LocalFeatures]) -> Iterator[None]:
        """As `PairPool.prepare`."""
        task, instruments = self._task(find_features, on_gpu=self._gpus), ray.put(Instruments.of(engine))

        def ask(block: Sequence[LocalFeatures]) -> Asked[Sources]:
            sent = task.remote(instruments, [_image_only(photo, extractors) for photo in block])
            return sent, {place: photo.source for place, photo in enumerate(block)}

        for sources, learnt in self._done(ask, in_parts(photos, BLOCK)):
            _keep(sources, learnt)
            yield

    def compare(
        self, engine: Engine, comparing: Comparing, batches: Iterable[PairBatch]
    ) -> Iterator[tuple[PairBatch, Confidences]]:
        """As `PairPool.compare`."""
        task, instruments = self._task(compare_pairs, on_gpu=self._gpus), ray.put(Instruments.of(engine))
        extractors = extractors_beside(engine, comparing)

        def ask(batch: PairBatch) -> Asked[tuple[PairBatch, Sources]]:
            photos, sources = self._put(batch, extractors, viewed=engine.directed)
            return task.remote(instruments, comparing, *photos), (batch, sources)

        for (batch, sources), (confidences, learnt) in self._done(ask, batches):
            _keep(sources, learnt)
            yield batch, confidences

    def looks(self, batches: Iterable[PairBatch]) -> Iterator[tuple[PairBatch, list[Matches]]]:
        """As `PairPool.looks`."""
        task = self._task(look_at, on_gpu=False)

        def ask(batch: PairBatch) -> Asked[PairBatch]:
            photos, _ = self._put(batch, (), viewed=False)
            return task.remote(*photos), batch

        yield from self._done(ask, batches)

    @staticmethod
    def _task(function: Callable[..., Any], *, on_gpu: bool) -> Any:
        room = {"num_cpus": 0, "num_gpus": GPU_SHARE} if on_gpu else {"num_cpus": 1}
        # a process goes from task to task, so that it loads its networks once
        return ray.remote(max_calls=0, max_retries=TRIES, scheduling_strategy="SPREAD", **room)(function)

    def _done(self, ask: Callable[[Item], Asked[Light]], items: Iterable[Item]) -> Iterator[tuple[Light, Any]]:
        """What stands for each item, and what was found about it, as they are done."""
        asked: dict[Any, Light] = {}
        most = WAITING * self.processes
        try:
            for item in items:
                if len(asked) >= most:
                    yield self._next(asked)
                reference, light = ask(item)
                asked[reference] = light
            while asked:
                yield self._next(asked)
        finally:
            for one in asked:
                ray.cancel(one)

    @staticmethod
    def _next(asked: dict[Any, Light]) -> tuple[Light, Any]:
        ready, _ = ray.wait(list(asked), timeout=PATIENCE)
        if not ready:
            raise ClusterUnavailable(
                f"No process of the cluster has answered for {PATIENCE / 60:.0f} minutes: look with `ray status` what "
                "it does. What was compared is kept, and the same command continues."
            )
        try:
            found = ray.get(ready[0])
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(error, RayTaskError) and isinstance(cause, TurtleidxError):
                raise cause from error
            raise ClusterUnavailable(
                f"The cluster broke off ({str(error).strip().splitlines()[-1]}); what was compared is kept, and the "
                "same command continues."
            ) from error
        return asked.pop(ready[0]), found

    def _put(self, batch: PairBatch, extractors: Sequence[str], *, viewed: bool) -> tuple[list[Any], Sources]:
        """The photos of a batch in the object store, and the sources of those in which something may be found."""
        names = [(key, viewed, *extractors) for key in batch.keys]
        sent = {place: self._sent[name] for place, name in enumerate(names) if name in self._sent}
        fresh = [place for place in range(len(names)) if place not in sent]
        sources: Sources = {}
        for place, photo in zip(fresh, batch.features(fresh), strict=True):
            known = known_beside(photo, extractors)
            whole = len(known) == len(extractors)
            image = b"" if photo.source is None or (whole and not viewed) else photo.source.image()
            sent[place] = ray.put(replace(photo, source=SentPhoto(image, known)))
            if not whole:  # it is sent again when all is known
                sources[place] = photo.source
        for place, name in enumerate(names):
            if place not in sources:
                self._sent[name] = sent[place]
                self._sent.move_to_end(name)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        return [sent[place] for place in range(len(names))], sources


def _image_only(photo: LocalFeatures, extractors: Sequence[str]) -> LocalFeatures:
    """The photo without its own keypoints, which nobody needs to find others."""
    none = np.empty(0, np.float32)
    source = None if photo.source is None else SentPhoto(photo.source.image(), known_beside(photo, extractors))
    return LocalFeatures(np.empty((0, 2), np.float32), none, none, photo.descriptors[:0], photo.size, source)


def _keep(sources: Sources, learnt: Sequence[dict[str, LocalFeatures]]) -> None:
    for place, source in sources.items():
        for name, features in learnt[place].items():
            if source is not None:
                source.keep(name, features)
