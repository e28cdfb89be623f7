"""Photos made ready for the catalogue: read, extracted and encoded on all cores, a few batches at a time.

While the caller writes one batch, the next is encoded and the one after it is read and extracted; nothing else is held,
so memory does not grow with the number of photos.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.exchange import RefusedRow
from index.types import Photo, PreparedPhoto, Refusal, Sighting
from retrieval.engine import Each, Engine, Extracted
from retrieval.features import one_core_a_photo
from retrieval.images import file_sha256
from retrieval.parallel import keep_freed_memory, on_all_cores, one_ahead
from retrieval.pipeline.results import EnrollReport

BATCH = 64
"""Photos of one transaction, and so the most that a crash can cost."""


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
    catalog: Catalog, rows: Iterable[Sighting | RefusedRow], engine: Engine
) -> Generator[PreparedBatch, None, None]:
    """Batches for `Catalog.enroll`, in the order of the rows, which are read as they are needed."""
    keep_freed_memory()
    stream = iter(rows)
    batches = iter(lambda: list(islice(stream, BATCH)), [])
    with one_core_a_photo(), ThreadPoolExecutor(cpu_count()) as cores:
        extracted = one_ahead(lambda batch: _extract(catalog, batch, engine, cores.map), batches)
        yield from one_ahead(lambda batch: _encode(batch, engine), extracted)


def _extract(catalog: Catalog, rows: Sequence[Sighting | RefusedRow], engine: Engine, each: Each) -> _ExtractedBatch:
    refused = [Refusal(row.photo, row.reason) for row in rows if isinstance(row, RefusedRow)]
    sightings = [row for row in rows if isinstance(row, Sighting)]
    hashes = list(each(_hash_of, sightings))
    there = catalog.enrolled([digest for digest in hashes if isinstance(digest, str)])
    fresh = [
        one for one, digest in zip(sightings, hashes, strict=True) if isinstance(digest, str) and digest not in there
    ]
    refused += [digest for digest in hashes if isinstance(digest, Refusal)]
    found = engine.extract_batch(fresh, each)
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


def _encode(batch: _ExtractedBatch, engine: Engine) -> PreparedBatch:
    [photos] = on_all_cores(engine.encode, [batch.photos])  # one thread: the other cores extract meanwhile
    return PreparedBatch(photos, batch.already_there, batch.refused, batch.size)


def _hash_of(sighting: Sighting) -> str | Refusal:
    try:
        return file_sha256(Path(sighting.path))
    except PhotoRefused as refusal:
        return Refusal(sighting.path, str(refusal))


Progress = Callable[[int], None]
"""Called with the number of photos that were just finished."""


def enroll(
    catalog: Catalog,
    sightings: Iterable[Sighting | RefusedRow],
    engine: Engine,
    who: str,
    progress: Progress | None = None,
) -> EnrollReport:
    """Add photos to the gallery, a transaction a batch; what is there already is left as it is.

    A run that was interrupted is continued by the same call: photos of committed batches are recognised by their bytes.

    Raises
    ------
    RecipeMismatch, CatalogBusy, StorageFull
    """
    started = time.perf_counter()
    enrolled: list[int] = []
    already_there: list[int] = []
    refused: list[Refusal] = []
    remarks: list[Refusal] = []
    catalog.require(engine.recipe)
    with catalog.writing("enroll"):
        for batch in prepared(catalog, sightings, engine):
            for outcome in catalog.enroll(batch.photos, who):
                (already_there if outcome.already_there else enrolled).append(outcome.photo.id)
            already_there += (photo.id for photo in batch.already_there)
            refused += batch.refused
            remarks += (Refusal(one.sighting.path, words) for one in batch.photos for words in one.remarks)
            if progress:
                progress(batch.size)
    seconds = time.perf_counter() - started
    return EnrollReport(tuple(enrolled), tuple(already_there), tuple(refused), seconds, tuple(remarks))
