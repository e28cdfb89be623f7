"""Photos made ready for the catalogue: read, extracted and encoded on all cores, a few batches at a time.

While the caller writes one batch, the next is encoded and the one after it is read and extracted; nothing else is held,
so memory does not grow with the number of photos.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from os import cpu_count
from pathlib import Path

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.exchange import RefusedRow
from index.types import PreparedPhoto, Progress, Refusal, Sighting
from retrieval.defaults import EncountersBy
from retrieval.engine import Each, Engine, Extracted
from retrieval.features import one_core_a_photo
from retrieval.images import FileDigests, file_digests
from retrieval.parallel import keep_freed_memory, on_all_cores, one_ahead
from retrieval.pipeline.intake.dry_run import Again
from retrieval.pipeline.intake.occasions import Occasions
from retrieval.pipeline.results import EnrollReport

BATCH = 64
"""Photos of one transaction, and so the most that a crash can cost."""


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """Photos to write, photos that are in the catalogue already, and refused ones: `size` rows in all."""

    photos: Sequence[PreparedPhoto]
    already_there: Sequence[Again]
    refused: Sequence[Refusal]
    size: int


Prepare = Callable[[Catalog, Iterable[Sighting | RefusedRow], Engine], Iterable[PreparedBatch]]
"""Makes photos ready for a catalogue, in the order of the rows."""


@dataclass(frozen=True, slots=True)
class SortedOut:
    """Rows by what is to become of them: those in `fresh` are to be read."""

    fresh: Sequence[Sighting]
    already_there: Sequence[Again]
    refused: Sequence[Refusal]


@dataclass(frozen=True, slots=True)
class _ExtractedBatch:
    photos: Sequence[Extracted]
    already_there: Sequence[Again]
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
    sightings = [row for row in rows if isinstance(row, Sighting)]
    brought = sorted_out(catalog, rows, list(each(digests_of, sightings)))
    found = [
        (sighting, head)
        for sighting, heads in zip(brought.fresh, engine.extract_heads(brought.fresh, each), strict=True)
        for head in heads
    ]
    refused = [Refusal(sighting.path, str(head)) for sighting, head in found if isinstance(head, PhotoRefused)]
    return _ExtractedBatch(
        photos=[head for _, head in found if isinstance(head, Extracted)],
        already_there=brought.already_there,
        refused=[*brought.refused, *refused],
        size=len(rows),
    )


def sorted_out(
    catalog: Catalog, rows: Sequence[Sighting | RefusedRow], digests: Sequence[FileDigests | Refusal]
) -> SortedOut:
    """What is to become of rows, with the digests of the sightings' files among them in order."""
    refused = [Refusal(row.photo, row.reason) for row in rows if isinstance(row, RefusedRow)]
    refused += [digest for digest in digests if isinstance(digest, Refusal)]
    sightings = (row for row in rows if isinstance(row, Sighting))
    readable = [(one, file) for one, file in zip(sightings, digests, strict=True) if isinstance(file, FileDigests)]
    there = catalog.sightings(
        [(file.sha256, one.box) for one, file in readable], [file.content for _, file in readable]
    )
    return SortedOut(
        fresh=[one for (one, _), row in zip(readable, there, strict=True) if row is None],
        already_there=[
            Again(one, row, file.sha256 == row.sha256)
            for (one, file), row in zip(readable, there, strict=True)
            if row is not None
        ],
        refused=refused,
    )


def _encode(batch: _ExtractedBatch, engine: Engine) -> PreparedBatch:
    [photos] = on_all_cores(engine.encode, [batch.photos])  # one thread: the other cores extract meanwhile
    return PreparedBatch(photos, batch.already_there, batch.refused, batch.size)


def digests_of(sighting: Sighting) -> FileDigests | Refusal:
    """Of a sighting's file."""
    try:
        return file_digests(Path(sighting.path))
    except PhotoRefused as refusal:
        return Refusal(sighting.path, str(refusal))


def enroll(
    catalog: Catalog,
    sightings: Iterable[Sighting | RefusedRow],
    engine: Engine,
    who: str,
    progress: Progress | None = None,
    encounters_by: EncountersBy | None = None,
    prepare: Prepare = prepared,
) -> EnrollReport:
    """Add photos to the gallery, a transaction a batch; what is there already is left as it is.

    A run that was interrupted is continued by the same call: photos of committed batches are recognised by their bytes.

    Parameters
    ----------
    encounters_by : EncountersBy or None
        How undated photos without a named encounter are told apart into occasions.
    prepare : Prepare
        Reads photos and finds their features; else on this machine's cores.

    Raises
    ------
    RecipeMismatch, CatalogBusy, StorageFull
    """
    started = time.perf_counter()
    enrolled: list[int] = []
    already_there: list[int] = []
    refused: list[Refusal] = []
    remarks: list[Refusal] = []
    occasions = None if encounters_by is None else Occasions(encounters_by)
    catalog.require(engine.recipe)
    with catalog.writing("enroll"):
        for batch in prepare(catalog, sightings, engine):
            photos = batch.photos if occasions is None else [_grouped(photo, occasions) for photo in batch.photos]
            outcomes = catalog.enroll(photos, who)
            enrolled += (outcome.photo.id for outcome in outcomes if not outcome.already_there)
            again = [
                Again(photo.sighting, outcome.photo, photo.sha256 == outcome.photo.sha256)
                for photo, outcome in zip(photos, outcomes, strict=True)
                if outcome.already_there
            ]
            there, refusals = _told_apart(catalog, [*again, *batch.already_there])
            already_there += there
            refused += [*batch.refused, *refusals]
            remarks += (Refusal(one.sighting.path, words) for one in batch.photos for words in one.remarks)
            if progress:
                progress(batch.size)
    seconds = time.perf_counter() - started
    return EnrollReport(tuple(enrolled), tuple(already_there), tuple(refused), seconds, tuple(remarks))


def _grouped(photo: PreparedPhoto, occasions: Occasions) -> PreparedPhoto:
    seen = photo.sighting
    if seen.taken_on is not None or seen.encounter is not None:
        return photo
    return replace(photo, sighting=replace(seen, encounter=occasions.name(seen)))


def _told_apart(catalog: Catalog, again: Sequence[Again]) -> tuple[list[int], list[Refusal]]:
    """Photos that are there already as what they were brought for, and those that are there as another turtle."""
    standing = catalog.standing_ids({one.sighting.turtle for one in again if one.sighting.turtle is not None})
    there: list[int] = []
    refused: list[Refusal] = []
    for one in again:
        name = one.sighting.turtle
        if name is None or standing.get(name, name) == one.photo.turtle:
            there.append(one.photo.id)
        else:
            refused.append(Refusal(one.sighting.path, one.elsewhere))
    return there, refused
