"""Photos made ready for the catalogue: read, extracted and encoded on all cores, a few batches at a time.

While the caller writes one batch, the next is encoded and the one after it is read and extracted; nothing else is held,
so memory does not grow with the number of photos.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import TypeVar

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.manifest import RefusedRow
from index.types import Photo, PreparedPhoto, Sighting
from retrieval.allocation import keep_freed_memory
from retrieval.images import file_sha256
from retrieval.instruments import Each, Extracted, Instruments
from retrieval.keypoints import one_core_a_photo
from retrieval.nearest import on_all_cores
from retrieval.results import Refusal

BATCH = 64
"""Photos of one transaction, and so the most that a crash can cost."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Photos to write, photos that are in the catalogue already, and refused ones: `size` rows in all."""

    photos: Sequence[PreparedPhoto]
    already_there: Sequence[Photo]
    refused: Sequence[Refusal]
    size: int


@dataclass(frozen=True, slots=True)
class _ExtractedBatch:
    photos: Sequence[Extracted]
    already_there: Sequence[Photo]
    refused: Sequence[Refusal]
    size: int


def prepared(
    catalog: Catalog, rows: Iterable[Sighting | RefusedRow], instruments: Instruments
) -> Generator[PreparedBatch, None, None]:
    """Batches for `Catalog.enroll`, in the order of the rows, which are read as they are needed."""
    keep_freed_memory()
    stream = iter(rows)
    batches = iter(lambda: list(islice(stream, BATCH)), [])
    with one_core_a_photo(), ThreadPoolExecutor(cpu_count()) as cores:
        extracted = one_ahead(lambda batch: _extract(catalog, batch, instruments, cores.map), batches)
        yield from one_ahead(lambda batch: _encode(batch, instruments), extracted)


def one_ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in order; the next item is worked on while the caller is busy with the last result."""
    with ThreadPoolExecutor(1) as worker:
        pending: Future[Result] | None = None
        for item in items:
            begun = worker.submit(work, item)
            if pending is not None:
                yield pending.result()
            pending = begun
        if pending is not None:
            yield pending.result()


def _extract(
    catalog: Catalog, rows: Sequence[Sighting | RefusedRow], instruments: Instruments, each: Each
) -> _ExtractedBatch:
    refused = [Refusal(row.photo, row.reason) for row in rows if isinstance(row, RefusedRow)]
    sightings = [row for row in rows if isinstance(row, Sighting)]
    hashes = list(each(_hash_of, sightings))
    there = catalog.enrolled([digest for digest in hashes if isinstance(digest, str)])
    fresh = [
        one for one, digest in zip(sightings, hashes, strict=True) if isinstance(digest, str) and digest not in there
    ]
    refused += [digest for digest in hashes if isinstance(digest, Refusal)]
    found = instruments.extract_batch(fresh, each)
    refused += [
        Refusal(sighting.path, str(error))
        for sighting, error in zip(fresh, found, strict=True)
        if isinstance(error, PhotoRefused)
    ]
    return _ExtractedBatch(
        photos=[one for one in found if isinstance(one, Extracted)],
        already_there=[there[digest] for digest in hashes if isinstance(digest, str) and digest in there],
        refused=refused,
        size=len(rows),
    )


def _encode(batch: _ExtractedBatch, instruments: Instruments) -> PreparedBatch:
    [photos] = on_all_cores(instruments.encode, [batch.photos])  # one thread: the other cores extract meanwhile
    return PreparedBatch(photos, batch.already_there, batch.refused, batch.size)


def _hash_of(sighting: Sighting) -> str | Refusal:
    try:
        return file_sha256(Path(sighting.path))
    except PhotoRefused as refusal:
        return Refusal(sighting.path, str(refusal))
