"""A pool of pairs in this process that finishes batches in any order, and what a catalogue knows of its pairs."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from index.catalog.catalog import Catalog
from index.features.environment import PAIRS
from index.types import LocalFeatures, Matches
from retrieval.cluster.pair_worker import Instruments, compare_pairs, find_features, look_at
from retrieval.cluster.sent_photo import SentPhoto, known_beside
from retrieval.engine.engine import Engine
from retrieval.parallel import in_parts
from retrieval.pipeline.pair_pool import Comparing, Confidences, PairBatch, extractors_beside


class LocalPool:
    """As `PairPool`.

    Attributes
    ----------
    batches : list of tuple of str
        The keys of what was compared.
    dies_after : int
        Batches until the process that asks is interrupted.
    """

    def __init__(self, ahead: int = 5, dies_after: int = 10**9) -> None:
        self.ahead, self.dies_after = ahead, dies_after
        self.batches: list[tuple[str, ...]] = []
        self.prepared = 0
        self._random = random.Random(0)

    def prepare(self, engine: Engine, extractors: Sequence[str], photos: Iterable[LocalFeatures]) -> Iterator[None]:
        for block in in_parts(photos, 3):
            sent = there_and_back([_sent(photo, extractors) for photo in block])
            for photo, learnt in zip(block, find_features(Instruments.of(engine), sent), strict=True):
                self.prepared += 1
                for name, features in learnt.items():
                    assert photo.source is not None
                    photo.source.keep(name, features)
            yield

    def compare(
        self, engine: Engine, comparing: Comparing, batches: Iterable[PairBatch]
    ) -> Iterator[tuple[PairBatch, Confidences]]:
        extractors = extractors_beside(engine, comparing)
        for some in in_parts(batches, 4):
            for batch in self._random.sample(some, len(some)):
                if len(self.batches) == self.dies_after:
                    raise KeyboardInterrupt
                photos = [_sent(photo, extractors) for photo in batch.features(range(len(batch.keys)))]
                query, *others = there_and_back(photos)
                found, learnt = compare_pairs(there_and_back(Instruments.of(engine)), comparing, query, *others)
                assert not any(learnt)  # all was found before
                self.batches.append(batch.keys)
                yield batch, there_and_back(found)

    def looks(self, batches: Iterable[PairBatch]) -> Iterator[tuple[PairBatch, list[Matches]]]:
        for some in in_parts(batches, 4):
            for batch in self._random.sample(some, len(some)):
                query, *others = there_and_back([*batch.features(range(len(batch.keys)))])
                self.batches.append(batch.keys)
                yield batch, there_and_back(look_at(query, *others))


def there_and_back(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _sent(photo: LocalFeatures, extractors: Sequence[str]) -> LocalFeatures:
    assert photo.source is not None
    return replace(photo, source=SentPhoto(photo.source.image(), known_beside(photo, extractors)))


def pairs_known(catalog: Catalog) -> dict[bytes, bytes]:
    """Every record of compared pairs."""
    with catalog.feature_store.environment.reading() as (transaction, databases):
        return {bytes(key): bytes(record) for key, record in transaction.cursor(db=databases[PAIRS])}


def without_pairs(catalog: Catalog) -> Catalog:
    """The same catalogue, after it has forgotten what it knew of pairs."""
    catalog.feature_store.environment.write(lambda transaction, databases: transaction.drop(databases[PAIRS], False))
    return catalog
