"""`reindex`: reads the originals again, for another extractor or encoder, or where records are missing or damaged."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from index.catalog import Catalog, Reindexing
from index.errors import PhotoRefused
from index.registry import PhotoRecord
from index.types import Progress, Recipe, Refusal, Sighting
from retrieval.engine import Engine, Extracted
from retrieval.images import turn_of
from retrieval.pipeline.intake.earlier_readers import mark_alike, outdated

BATCH = 64
"""Photos of one transaction, and so the most that a crash can cost."""


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What was read again.

    Attributes
    ----------
    refused : tuple of Refusal
        Photos that cannot be searched until their originals can be read.
    """

    recipe: Recipe
    read: int
    refused: tuple[Refusal, ...]


def reindex(
    catalog: Catalog, engine: Engine, who: str, why: str = "", progress: Progress | None = None
) -> ReindexReport:
    """Give every photo the features and vector of this engine; the catalogue works with the old ones until then.

    An attempt that was interrupted is continued by the same call.

    Raises
    ------
    CatalogBusy, StorageFull
    """
    refused: list[Refusal] = []
    read = 0
    catalog.renew_features()
    with catalog.writing("reindex"), ThreadPoolExecutor(cpu_count()) as cores:
        earlier = outdated(catalog)
        mark_alike(catalog, earlier)
        replacement = Reindexing(catalog, engine.recipe, outdated=[photo.id for photo in earlier.pixels])
        waiting = replacement.waiting()
        for first in range(0, len(waiting), BATCH):
            records = waiting[first : first + BATCH]
            found = list(cores.map(lambda record: _read(record, catalog, engine), records))
            whole = [(record, one) for record, one in zip(records, found, strict=True) if isinstance(one, Extracted)]
            refused += [one for one in found if isinstance(one, Refusal)]
            replacement.stage(engine.encode([one for _, one in whole]), [record.id for record, _ in whole])
            read += len(whole)
            if progress:
                progress(len(records))
        if waiting or engine.recipe != catalog.recipe:
            replacement.switch(who, why)
        replacement.clean_up()
    return ReindexReport(catalog.recipe, read, tuple(refused))


def lost_originals(catalog: Catalog, engine: Engine) -> list[Refusal]:
    """Photos that `reindex` would have to read and whose originals are not where the catalogue says."""
    return _lost_among(Reindexing(catalog, engine.recipe).waiting(), catalog)


def foresee_reindex(catalog: Catalog, engine: Engine) -> ReindexReport:
    """What `reindex` would do, as far as files are there; nothing is written."""
    earlier = [photo.id for photo in outdated(catalog).pixels]
    waiting = Reindexing(catalog, engine.recipe, outdated=earlier).waiting()
    lost = _lost_among(waiting, catalog)
    return ReindexReport(engine.recipe, len(waiting) - len(lost), tuple(lost))


def _lost_among(records: Sequence[PhotoRecord], catalog: Catalog) -> list[Refusal]:
    return [_lost(record) for record in records if not original(record, catalog).is_file()]


def original(record: PhotoRecord, catalog: Catalog) -> Path:
    """Where a photo lies: as enrolled, or beside a catalogue that was moved together with its photos."""
    path = Path(record.path)
    if record.relative is not None and not path.is_file():
        beside = catalog.path.parent / record.relative
        return beside if beside.is_file() else path
    return path


def _read(record: PhotoRecord, catalog: Catalog, engine: Engine) -> Extracted | Refusal:
    path = original(record, catalog)
    if not path.is_file():
        return _lost(record)
    try:
        stored = None if record.box is None else catalog.feature_store.thumbnail(record.key)
        found = engine.extract(Sighting(str(path), box=record.box, turn=turn_of(stored or b"")))
    except PhotoRefused as refusal:
        return Refusal(record.path, str(refusal))
    if found.photo.sha256 != record.sha256:
        return Refusal(record.path, f"{path} has changed since it was enrolled.")
    return found


def _lost(record: PhotoRecord) -> Refusal:
    return Refusal(record.path, f"{record.path} does not exist; if it was moved, use `turtleidx photos relocate`.")
