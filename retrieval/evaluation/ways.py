"""The ways to compare that an evaluation judges, and its queries with the shortlists that all of them compare."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import cpu_count

from index.catalog import Catalog
from index.types import Float32, Float64, Int64, LocalFeatures, Photo, PreparedPhoto, Refusal, Shortlist
from retrieval.engine import Each, Engine, Extracted
from retrieval.evaluation.protocol import Query
from retrieval.features import one_core_a_photo
from retrieval.fitting import Cascade, Wanted, verified_pairs_of
from retrieval.parallel import in_parts, one_ahead
from retrieval.pipeline import BATCH, PairPool
from retrieval.scoring import PairConfidences


@dataclass(frozen=True, eq=False)
class Compared:
    """A query's shortlist, and the photos of it that were matched with their confidences."""

    shortlist: Shortlist
    photos: list[Photo]
    confidences: list[Float32]

    @cached_property
    def pairs(self) -> PairConfidences:
        """The same, joined."""
        return PairConfidences.of(self.confidences)

    @cached_property
    def mean(self) -> Float64:
        """Mean confidence of each photo, float64 [k]."""
        return self.pairs.mean()

    @cached_property
    def matches(self) -> Int64:
        """Matches of each photo that count, int64 [k]."""
        return self.pairs.matches()


class Way:
    """One way to compare a query with its shortlist, and the seconds that it has taken."""

    def __init__(self, catalog: Catalog, engine: Engine, keeps_unverified: bool, pool: PairPool | None) -> None:
        pairs = verified_pairs_of(catalog, engine, pool) if keeps_unverified else None
        self._cascade = Cascade(catalog, engine, pairs, pool)
        self.seconds = 0.0

    @property
    def ahead(self) -> int:
        """As `Cascade.ahead`."""
        return self._cascade.ahead

    def plan(self, searches: Sequence[tuple[PreparedPhoto, Shortlist]]) -> None:
        """As `Cascade.plan`."""
        begun = time.perf_counter()
        self._cascade.plan([Wanted(one.key, partial(_features, one), found.photos) for one, found in searches])
        self.seconds += time.perf_counter() - begun

    def compare(self, photo: PreparedPhoto, shortlist: Shortlist) -> Compared:
        """A query with those of its shortlist that the recipe compares."""
        photos, begun = shortlist.photos, time.perf_counter()
        rows, confidences = self._cascade.compare(photo.key, lambda: photo.features, photos)
        self.seconds += time.perf_counter() - begun
        return Compared(shortlist, [photos[row] for row in rows], confidences)


def _features(photo: PreparedPhoto) -> LocalFeatures:
    return photo.features


def ways_of(catalog: Catalog, engines: Iterable[Engine], pool: PairPool | None) -> dict[str, Way]:
    """By `Engine.comparing`; engines that only score differently share one."""
    wanted = {one.comparing: one for one in engines}
    return {
        name: Way(catalog, one, one.reranking.verification is not None and one.unverified.comparing in wanted, pool)
        for name, one in sorted(wanted.items(), key=lambda item: item[1].reranking.verification is None)
    }


def planned(
    catalog: Catalog, queries: Sequence[Query], engine: Engine, ways: Mapping[str, Way]
) -> Iterator[tuple[Query, tuple[PreparedPhoto, Shortlist] | Refusal]]:
    """Queries with their shortlists, in order; the pairs of some are compared at once where there is a pool."""
    for part in in_parts(prepared_queries(catalog, queries, engine), max(way.ahead for way in ways.values())):
        searches = {
            id(photo): _shortlist(catalog, query, photo, engine)
            for query, photo in part
            if isinstance(photo, PreparedPhoto)
        }
        asked = [(photo, searches[id(photo)]) for _, photo in part if isinstance(photo, PreparedPhoto)]
        for way in ways.values():
            way.plan(asked)
        for query, photo in part:
            yield query, photo if isinstance(photo, Refusal) else (photo, searches[id(photo)])


def _shortlist(catalog: Catalog, query: Query, photo: PreparedPhoto, engine: Engine) -> Shortlist:
    probe = engine.encoder.probe(photo.features, photo.vector)
    found = catalog.shortlist(probe, engine.shortlist, query.where, engine.per_turtle)
    return found if query.turtles is None else replace(found, catalogued_turtles=query.turtles)


def prepared_queries(
    catalog: Catalog, queries: Sequence[Query], engine: Engine
) -> Iterator[tuple[Query, PreparedPhoto | Refusal]]:
    """Queries with what is computed from their photos, in order; a batch is read while the one before is asked."""
    batches = (queries[first : first + BATCH] for first in range(0, len(queries), BATCH))
    with one_core_a_photo(), ThreadPoolExecutor(cpu_count()) as cores:
        for batch in one_ahead(lambda batch: _read(catalog, batch, engine, cores.map), batches):
            yield from batch


def _read(
    catalog: Catalog, batch: Sequence[Query], engine: Engine, each: Each
) -> list[tuple[Query, PreparedPhoto | Refusal]]:
    """A batch; photos outside the catalogue are read on all cores."""
    outside = [query for query in batch if query.enrolled is None]
    extracted = engine.extract_batch([query.sighting for query in outside], each)
    encoded = engine.encode([one for one in extracted if isinstance(one, Extracted)])
    there = catalog.enrolled([photo.sha256 for photo in encoded])
    following = iter(encoded)
    read: dict[int, PreparedPhoto | Refusal] = {}
    for query, one in zip(outside, extracted, strict=True):
        path = query.sighting.path
        photo = next(following) if isinstance(one, Extracted) else Refusal(path, str(one))
        inside = isinstance(photo, PreparedPhoto) and photo.sha256 in there
        read[id(query)] = Refusal(path, f"{path} is in the gallery itself.") if inside else photo
    return [
        (query, read[id(query)] if query.enrolled is None else _stored(catalog, query, query.enrolled))
        for query in batch
    ]


def _stored(catalog: Catalog, query: Query, photo: Photo) -> PreparedPhoto:
    [features], [vector] = catalog.features([photo]), catalog.vectors([photo])
    thumbnail = catalog.thumbnail(photo)
    return PreparedPhoto(query.sighting, photo.sha256, features, vector, thumbnail, features.size, photo.quality)
