"""Imports that somebody began: kept in the catalogue's folder `incoming` until they are imported or thrown away.

A draft is a folder with a random name, and a grid of what its photos are. What would become of each is told as by
`turtleidx enroll --check`, again whenever something was typed. The catalogue is not changed before a person says so.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from index.catalog import INCOMING, PHOTOS, Catalog
from index.errors import InputError, ManifestError, PhotoRefused, UnknownRecord
from index.exchange import ManifestRow, NearIds, RefusedRow, read_manifest
from index.files import replacing
from index.naming import checked_id
from index.types import Side, Sighting
from retrieval.images import jpeg, load_photo, without_lookalikes
from retrieval.pipeline import Foreseen, Outcome, foresee
from retrieval.web.named_photos import named_photos
from retrieval.web.uploads import take_in

DRAFT = "draft.json"
PREVIEW = 240
_NAME = re.compile(r"[0-9a-f]{32}")
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Row:
    """One photo of a draft.

    Attributes
    ----------
    file, name : str
        The file in the draft's folder, and what it was called where it came from.
    state : str
        ready, duplicate (in the catalogue), twin (of an earlier row), refused or unreadable; `told` says more.
    day_source : str
        table, exif, name or none.
    """

    file: str
    name: str
    turtle: str = ""
    side: str = ""
    day: str = ""
    day_source: str = "none"
    encounter: str = ""
    site: str = ""
    take: bool = True
    state: str = "ready"
    told: str = ""

    @property
    def taken(self) -> bool:
        return self.take and self.state == "ready"


@dataclass(frozen=True, slots=True)
class Draft:
    """An import that somebody began; `refused` names what was brought and is no photo."""

    id: str
    who: str
    begun: str
    rows: tuple[Row, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[Row, ...]:
        return tuple(one for one in self.rows if one.taken)


@dataclass(eq=False)
class ImportRun:
    """The import that is running, or the last one."""

    running: bool = False
    done: int = 0
    total: int = 0
    refused: list[str] = field(default_factory=list)
    enrolled: int = 0
    trouble: str = ""
    draft: str = ""


class Drafts:
    """The drafts of one catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._folder = catalog.path / INCOMING

    def begin(self, who: str) -> Draft:
        """A new, empty draft."""
        made = Draft(uuid.uuid4().hex, who, dt.datetime.now().astimezone().isoformat(timespec="minutes"))
        self._path(made.id).mkdir(parents=True)
        self.save(made)
        return made

    def all(self) -> list[Draft]:
        """Every draft that was not finished, newest first."""
        if not self._folder.is_dir():
            return []
        found = [self.read(path.name) for path in self._folder.iterdir() if (path / DRAFT).is_file()]
        return sorted(found, key=lambda one: one.begun, reverse=True)

    def read(self, name: str) -> Draft:
        """One draft. Raises UnknownRecord."""
        try:
            values = json.loads((self._path(name) / DRAFT).read_text(encoding="utf-8"))
            known = {one.name for one in fields(Row)}  # a draft of another version may say more
            rows = tuple(Row(**{key: row[key] for key in row.keys() & known}) for row in values["rows"])
            return Draft(values["id"], values["who"], values["begun"], rows, tuple(values["refused"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnknownRecord("There is no such draft of an import.") from error

    def save(self, draft: Draft) -> None:
        """Keep a draft, so that it survives a restart."""
        with replacing(self._path(draft.id) / DRAFT) as temporary:
            temporary.write_text(json.dumps(asdict(draft), ensure_ascii=False), encoding="utf-8")

    def discard(self, name: str) -> None:
        """Throw a draft away with its files."""
        self.read(name)
        shutil.rmtree(self._path(name))

    def photo(self, name: str, row: int) -> Path:
        """The file of one row. Raises UnknownRecord."""
        rows = self.read(name).rows
        if not 0 <= row < len(rows):
            raise UnknownRecord("There is no such row.")
        return self._path(name) / rows[row].file

    def preview(self, name: str, row: int) -> bytes:
        """A small JPEG of one row. Raises UnknownRecord."""
        try:
            return jpeg(load_photo(self.photo(name, row), PREVIEW).pixels)
        except PhotoRefused as error:
            raise UnknownRecord(str(error)) from error

    def add(self, draft: Draft, files: Sequence[tuple[str, BinaryIO]]) -> Draft:
        """Take in photos, ZIPs of photos, and tables that say more about them. Raises InputError, StorageFull."""
        folder = self._path(draft.id)
        taken = take_in(folder, files, len(draft.rows))
        turtles = self._ids({part for _, name in taken.photos for part in PurePosixPath(name).parts[:-1]})
        fresh: tuple[Row, ...] = tuple(_placed(Row(file, name), turtles) for file, name in taken.photos)
        for table in taken.tables:
            fresh = _told_by_table(fresh, table, taken.refused)
        return self.examine(replace(draft, rows=(*draft.rows, *fresh), refused=(*draft.refused, *taken.refused)))

    def examine(self, draft: Draft) -> Draft:
        """Say of each row what would become of it, and keep the draft; the catalogue is only read."""
        folder = self._path(draft.id)
        names = {row.file: row.name for row in draft.rows}
        inside = re.compile(re.escape(f"{folder}/") + r"(\d+\.\w+)")

        def told(reason: str) -> str:
            """A sentence with the names that the files had."""
            return inside.sub(lambda found: names.get(found[1], found[1]), reason)

        asked = (_sighting(row, folder / row.file) for row in draft.rows)
        brought = list(without_lookalikes(asked, NearIds.of(self._catalog), lambda *_: None))
        rows = [
            _examined(row, seen, found, told)
            for row, seen, found in zip(draft.rows, brought, foresee(self._catalog, brought), strict=True)
        ]
        done = replace(draft, rows=tuple(rows))
        self.save(done)
        return done

    def sightings(self, draft: Draft) -> list[Sighting]:
        """What is to be enrolled, its files under their own names in a folder of the catalogue. Raises InputError."""
        kept = self._catalog.path / PHOTOS / f"{draft.begun[:10]}-{draft.id[:8]}"
        kept.mkdir(parents=True, exist_ok=True)
        found = []
        for row in draft.taken:
            own = kept / _safe_name(row)
            if not own.exists():
                shutil.copy2(self._path(draft.id) / row.file, own)
            found.append(_sighting(row, own))
        return found

    def _ids(self, names: set[str]) -> set[str]:
        with self._catalog.reading() as session:
            rows = session.rows(
                "SELECT id FROM turtles WHERE status <> 'merged' AND id IN (SELECT unnest(?::VARCHAR[]))",
                sorted(names),
            )
        return {str(name) for (name,) in rows}

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UnknownRecord("There is no such draft of an import.")
        return self._folder / name


def changed(draft: Draft, columns: Mapping[str, Sequence[str]], taken: set[int]) -> Draft:
    """A draft with what a person typed into the grid. Raises InputError for values that cannot be kept."""
    rows = []
    for number, row in enumerate(draft.rows):
        typed = {name: cells[number].strip() for name, cells in columns.items() if number < len(cells)}
        changed_row = replace(row, **typed, take=number in taken and row.state == "ready")
        if typed.get("day", row.day) != row.day:
            changed_row = replace(changed_row, day_source="table")
        _checked(changed_row)
        rows.append(changed_row)
    return replace(draft, rows=tuple(rows))


def _checked(row: Row) -> None:
    if row.turtle:
        checked_id(row.turtle)
    if row.side and row.side not in set(Side):
        raise InputError(f"{row.name}: {row.side!r} is no side; left, right, top and front are.")
    if row.day:
        try:
            dt.date.fromisoformat(row.day)
        except ValueError as error:
            raise InputError(f"{row.name}: {row.day!r} is no day; write it as 2026-01-31.") from error


def _examined(row: Row, seen: Sighting | RefusedRow, found: Foreseen, told: Callable[[str], str]) -> Row:
    """The row as `enroll --check` sees it; one that has become ready is ticked."""
    words = told(found.reason)
    if found.outcome is Outcome.REFUSED:
        readable = isinstance(seen, RefusedRow) or found.size is not None
        return replace(row, state="refused" if readable else "unreadable", told=words, take=False)
    if found.outcome is Outcome.THERE:
        return replace(row, state="duplicate" if words == found.reason else "twin", told=words, take=False)
    ready = replace(row, state="ready", told=words, take=row.take or row.state != "ready")
    day = None if found.seen is None else found.seen.taken_on
    return ready if ready.day else _dated(ready, day)


def _dated(row: Row, taken_on: dt.date | None) -> Row:
    """The file's own date, else that of its name."""
    if taken_on is not None:
        return replace(row, day=str(taken_on), day_source="exif")
    found = _DAY.search(PurePosixPath(row.name).name)
    try:
        return row if found is None else replace(row, day=str(dt.date(*map(int, found.groups()))), day_source="name")
    except ValueError:
        return row


def _placed(row: Row, turtles: set[str]) -> Row:
    """A folder that is called as a turtle names it; any other one is taken for an occasion."""
    folders = PurePosixPath(row.name).parts[:-1]
    known = [part for part in folders if part in turtles]
    if known:
        return replace(row, turtle=known[-1])
    return replace(row, encounter=folders[-1]) if len(folders) > 1 else row


def _told_by_table(rows: Sequence[Row], table: Path, refused: list[str]) -> tuple[Row, ...]:
    """What a table says about the rows whose photos it names."""
    told: list[ManifestRow] = []
    try:
        for one in read_manifest(table):
            if isinstance(one, RefusedRow):
                refused.append(one.reason)
            else:
                told.append(one)
    except ManifestError as error:
        refused.append(str(error).replace(str(table), "The table"))
        return tuple(rows)
    found = named_photos([row.name for row in rows], [one.columns["photo"] for one in told])
    for place in found.unclear:
        name = told[place].columns["photo"]
        refused.append(
            f"line {told[place].number}: it is not certain which photo {name} is, because several photos or lines are "
            "called so: bring them in their folders, and write the folders in the table."
        )
    return tuple(
        _filled(row, told[found.pairs[number]].sighting) if number in found.pairs else row
        for number, row in enumerate(rows)
    )


def _filled(row: Row, said: Sighting) -> Row:
    dated = row if said.taken_on is None else replace(row, day=str(said.taken_on), day_source="table")
    return replace(
        dated,
        turtle=said.turtle or row.turtle,
        side=str(said.side or row.side),
        encounter=said.encounter or row.encounter,
        site=said.site or row.site,
    )


def _sighting(row: Row, path: Path) -> Sighting:
    _checked(row)
    return Sighting(
        path=str(path),
        turtle=row.turtle or None,
        side=Side(row.side) if row.side else None,
        taken_on=dt.date.fromisoformat(row.day) if row.day else None,
        encounter=row.encounter or None,
        site=row.site or None,
    )


def _safe_name(row: Row) -> str:
    """The name that the file had, as far as any system can keep it, behind its number."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", PurePosixPath(row.name.replace("\\", "/")).stem)[:80].strip("._") or "photo"
    return f"{PurePosixPath(row.file).stem}-{stem}{PurePosixPath(row.file).suffix}"
