"""What enrolling would do, told before it happens: the same reading of tables, names and files, but no pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from os import cpu_count
from pathlib import Path

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.exchange import PhotoChange, RefusedRow
from index.types import HeadBox, Photo, Sighting, same_head
from retrieval.images import FileDigests, Glance, file_digests, glance

BATCH = 256


@dataclass(frozen=True, slots=True)
class Again:
    """A photo that is brought although it is there, with the same bytes or as the same picture with other metadata."""

    sighting: Sighting
    photo: Photo
    same_bytes: bool

    @property
    def elsewhere(self) -> str:
        """That the photo is there as another turtle, or as nobody, and what can be done."""
        seen, photo = self.sighting, self.photo
        what = "has the bytes of" if self.same_bytes else "is, but for its metadata,"
        owner = "nobody's yet" if photo.turtle is None else f"turtle {photo.turtle}"
        apart = "" if photo.turtle is None else " (if it shows both, give each its own head box in columns x, y, w, h)"
        return (
            f"{seen.path} {what} {photo.path}, which is {owner}, and was not enrolled as {seen.turtle}: if it is "
            f"{seen.turtle}, use `turtleidx photos move {photo.id} --to {seen.turtle}`{apart}."
        )


class Outcome(StrEnum):
    """What would become of a photo."""

    ENROLL = "enroll"
    THERE = "already there"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one photo.

    Attributes
    ----------
    seen : Sighting or None
        What is known about it, the date being that of the file where nobody gave one; None for a row that is refused.
    size : (width, height) or None
        Of the upright original.
    reason : str
        Why it would be refused, or what should be known about it.
    """

    path: str
    outcome: Outcome
    seen: Sighting | None
    size: tuple[int, int] | None
    reason: str


def foresee(
    catalog: Catalog | None, rows: Iterable[Sighting | RefusedRow], changes: Sequence[PhotoChange] = ()
) -> Iterator[Foreseen]:
    """What `enroll` would do with each row, in order; nothing is written. `catalog` is None where there is none yet.

    Parameters
    ----------
    changes : sequence of PhotoChange
        What would have been taken over of photos of the catalogue by then.
    """
    stream = iter(rows)
    earlier: dict[str, list[Sighting]] = {}
    moving, of_file = {one.old.id: one.new.turtle for one in changes}, defaultdict[str, list[PhotoChange]](list)
    for one in changes:
        of_file[one.old.sha256].append(one)
    with ThreadPoolExecutor(cpu_count()) as cores:
        for batch in iter(lambda: list(islice(stream, BATCH)), []):
            looked = list(cores.map(_look, batch))
            there = [_moved(photo, moving) for photo in _there(catalog, batch, looked, of_file)]
            standing = {} if catalog is None else catalog.standing_ids(_names(batch))
            for row, found, photo in zip(batch, looked, there, strict=True):
                yield _foreseen(row, found, photo, standing, earlier)


@dataclass(frozen=True, slots=True)
class _Looked:
    file: FileDigests
    glance: Glance


def _names(rows: Sequence[Sighting | RefusedRow]) -> set[str]:
    return {row.turtle for row in rows if isinstance(row, Sighting) and row.turtle is not None}


def _look(row: Sighting | RefusedRow) -> _Looked | str:
    if isinstance(row, RefusedRow):
        return row.reason
    try:
        return _Looked(file_digests(Path(row.path)), glance(Path(row.path), row.box))
    except PhotoRefused as refusal:
        return str(refusal)


def _there(
    catalog: Catalog | None,
    rows: Sequence[Sighting | RefusedRow],
    looked: Sequence[_Looked | str],
    changes: Mapping[str, Sequence[PhotoChange]],
) -> list[Photo | None]:
    if catalog is None:
        return [None] * len(rows)
    known = [
        (number, found.file.sha256, _box_until_then(row.box, changes.get(found.file.sha256, ())), found.file.content)
        for number, (row, found) in enumerate(zip(rows, looked, strict=True))
        if isinstance(row, Sighting) and isinstance(found, _Looked)
    ]
    photos = catalog.sightings([(digest, box) for _, digest, box, _ in known], [content for *_, content in known])
    there: list[Photo | None] = [None] * len(rows)
    for (number, *_), photo in zip(known, photos, strict=True):
        there[number] = photo
    return there


def _box_until_then(box: HeadBox | None, changes: Sequence[PhotoChange]) -> HeadBox | None:
    """The box in which a head is still known that a change puts into this one."""
    return next((one.old.box for one in changes if same_head(one.new.box, box)), box)


def _moved(photo: Photo | None, moving: Mapping[int, str | None]) -> Photo | None:
    return replace(photo, turtle=moving[photo.id]) if photo is not None and photo.id in moving else photo


def _foreseen(
    row: Sighting | RefusedRow,
    found: _Looked | str,
    photo: Photo | None,
    standing: dict[str, str],
    earlier: dict[str, list[Sighting]],
) -> Foreseen:
    if isinstance(row, RefusedRow) or isinstance(found, str):
        path = row.photo if isinstance(row, RefusedRow) else row.path
        return Foreseen(path, Outcome.REFUSED, None, None, str(found))
    seen, remarks = found.glance.dated(row)
    owner = None if row.turtle is None else standing.get(row.turtle, row.turtle)
    if photo is not None:
        if owner is None or owner == photo.turtle:
            return Foreseen(row.path, Outcome.THERE, seen, found.glance.size, f"as {photo.path}")
        return Foreseen(
            row.path,
            Outcome.REFUSED,
            seen,
            found.glance.size,
            Again(row, photo, found.file.sha256 == photo.sha256).elsewhere,
        )
    alike = earlier.setdefault(found.file.content or found.file.sha256, [])
    twin = next((one for one in alike if same_head(one.box, row.box)), None)
    if twin is None:
        alike.append(row)
        return Foreseen(row.path, Outcome.ENROLL, seen, found.glance.size, "; ".join(remarks))
    if row.turtle in (None, twin.turtle):
        return Foreseen(row.path, Outcome.THERE, seen, found.glance.size, f"as {twin.path}")
    words = f"{row.path} has the bytes, or the picture, of {twin.path}, which is turtle {twin.turtle}."
    return Foreseen(row.path, Outcome.REFUSED, seen, found.glance.size, words)
