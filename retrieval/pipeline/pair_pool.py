"""Where pairs of photos are compared that fits, evaluations and audits ask for: elsewhere, whole batches at a time.

A pool only computes. Whoever asks keeps what is known of pairs, plans which of them are missing, and writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from index.types import Float32, LocalFeatures, Matches
from retrieval.engine import Engine
from retrieval.matching import ReadsBeside, verified
from retrieval.scoring import pair_confidences


class Comparing(StrEnum):
    """What is asked about pairs: the first stage, the matcher, or the matcher before and after geometry spoke."""

    LOOK = "look"
    MATCH = "match"
    BOTH = "both"


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """A photo and others that it is compared with.

    Attributes
    ----------
    keys : tuple of str
        What their features are kept under, the photo's first.
    features : callable
        Gives those of photos by their places in `keys`.
    """

    keys: tuple[str, ...]
    features: Callable[[Sequence[int]], Sequence[LocalFeatures]]


Confidences = dict[str, list[Float32]]
"""Of each of the others, float32 [n], by the name under which caches know what gave them."""


class PairPool(Protocol):
    """Processes that compare pairs."""

    @property
    def ahead(self) -> int:
        """For so many photos pairs are planned at once, so that all processes have something to do."""

    def prepare(self, engine: Engine, extractors: Sequence[str], photos: Iterable[LocalFeatures]) -> Iterator[None]:
        """Have photos' sources keep what these further extractors find in them; pauses now and then, for writing.

        Raises ClusterUnavailable, and as the extractors.
        """

    def compare(
        self, engine: Engine, comparing: Comparing, batches: Iterable[PairBatch]
    ) -> Iterator[tuple[PairBatch, Confidences]]:
        """Batches as they are done, in any order; they are taken when there is somebody to do them.

        Raises ClusterUnavailable, and as the engine.
        """

    def looks(self, batches: Iterable[PairBatch]) -> Iterator[tuple[PairBatch, Sequence[Matches]]]:
        """The same of verified nearest neighbours, with their places. Raises ClusterUnavailable."""


def extractors_beside(engine: Engine, comparing: Comparing) -> tuple[str, ...]:
    """Further extractors whose features are needed to compare so."""
    matcher = engine.matcher
    found = matcher.beside if isinstance(matcher, ReadsBeside) else ()
    return tuple(one for one in found if comparing is not Comparing.LOOK or one in engine.first_stage)


def compared(
    engine: Engine, comparing: Comparing, query: LocalFeatures, others: Sequence[LocalFeatures]
) -> Confidences:
    """Compare on this machine. Raises as the engine."""
    if comparing is Comparing.LOOK:
        return {engine.looking: _confidences(query, others, engine.look(query, others))}
    tolerances = engine.reranking.verification
    if comparing is Comparing.MATCH or tolerances is None:
        return {engine.comparison: _confidences(query, others, engine.compare(query, others))}
    matches = engine.matcher.match(query, others)
    return {
        engine.unverified.comparison: _confidences(query, others, matches),
        engine.comparison: _confidences(query, others, verified(query, others, matches, tolerances)),
    }


def _confidences(query: LocalFeatures, others: Sequence[LocalFeatures], found: Sequence[Matches]) -> list[Float32]:
    return [pair_confidences(one, len(query), len(it)) for one, it in zip(found, others, strict=True)]
