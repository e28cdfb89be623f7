"""Photos that an earlier reader of files got wrong: which they are, and that the others were looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from index.catalog import Browser, Catalog
from index.errors import CatalogReadOnly
from index.registry import PhotoRecord
from index.types import Refusal
from retrieval.engine import working_side
from retrieval.images import READER, EarlierReading, earlier_reading


@dataclass(frozen=True, slots=True)
class Outdated:
    """What earlier readers got wrong.

    Attributes
    ----------
    pixels : tuple of PhotoRecord
        Photos whose pixels are read otherwise now; `reindex` reads them again.
    dates : tuple of Refusal
        Photos whose date is not that of the picture, and why, to stand behind the path; a person may know better.
    alike : tuple of int
        Numbers of photos that are read as they were.
    contents : mapping of int to str
        Digests of files without their metadata, by number.
    """

    pixels: tuple[PhotoRecord, ...]
    dates: tuple[Refusal, ...]
    alike: tuple[int, ...]
    contents: Mapping[int, str]

    def sentences(self) -> list[str]:
        """What is wrong, a sentence a photo, each with the way out."""
        return [
            *(f"{one.path} was read otherwise by an earlier version: run `turtleidx reindex`." for one in self.pixels),
            *(f"{one.path} {one.reason}; correct it with `turtleidx photos date`." for one in self.dates),
        ]


def outdated(catalog: Catalog) -> Outdated:
    """Look at the originals of all photos that an earlier reader read, those that lie where the catalogue says."""
    waiting = [photo for photo in Browser(catalog).photos() if photo.reader < READER and photo.keypoints]
    long_side = working_side(catalog.recipe.extractor)
    with ThreadPoolExecutor(cpu_count()) as cores:
        found = zip(waiting, cores.map(lambda photo: _look(photo, catalog, long_side), waiting), strict=True)
        return _sorted([(photo, now) for photo, now in found if now is not None])


def mark_alike(catalog: Catalog, found: Outdated) -> None:
    """Remember which photos are read as they were, so that they need not be looked at again, and what files hold."""
    chosen = list(found.alike)
    if chosen or found.contents:
        with (
            suppress(CatalogReadOnly),
            catalog.writing("check"),
            catalog.transaction("look again", "") as transaction,
        ):
            sql = "UPDATE photos SET reader = ? WHERE id IN (SELECT unnest(?::BIGINT[]))"
            transaction.run(sql, READER, chosen)
            transaction.run(
                "UPDATE photos SET content = g.content FROM (SELECT unnest(?::BIGINT[]) AS id, "
                "unnest(?::VARCHAR[]) AS content) g WHERE g.id = photos.id",
                *(list(found.contents), list(found.contents.values())),
            )


def _look(photo: PhotoRecord, catalog: Catalog, long_side: int) -> EarlierReading | None:
    path = Path(photo.path)
    if photo.relative is not None and not path.is_file():
        path = catalog.path.parent / photo.relative
    return earlier_reading(path, photo.box, long_side) if path.is_file() else None


def _sorted(found: Sequence[tuple[PhotoRecord, EarlierReading]]) -> Outdated:
    pixels: list[PhotoRecord] = []
    alike: list[PhotoRecord] = []
    dates: list[Refusal] = []
    for photo, now in found:
        (pixels if now.reading > photo.reading else alike).append(photo)
        if photo.taken_on is not None and photo.taken_on == now.changed_on and photo.taken_on != now.taken.day:
            dates.append(Refusal(photo.path, _date_sentence(photo.taken_on, now)))
    dated_wrongly = {one.path for one in dates}
    settled = [photo.id for photo in alike if photo.path not in dated_wrongly]
    contents = {photo.id: now.content for photo, now in found if now.content is not None}
    return Outdated(tuple(pixels), tuple(dates), tuple(settled), contents)


def _date_sentence(day: dt.date, now: EarlierReading) -> str:
    known = "when it was taken is not known" if now.taken.day is None else f"it was taken on {now.taken.day}"
    return f"is dated {day}, the day on which its file was changed: {known}"
