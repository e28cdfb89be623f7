"""Photos that people bring: kept in the catalogue's folder `incoming` until they are imported or thrown away.

A draft is a folder with a random name. Its files have numbers for names: what a browser or a ZIP calls a file is shown
and never used as a path. Nothing is written to the catalogue before a person says so.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import stat
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from index.catalog import Catalog
from index.errors import InputError, ManifestError, PhotoRefused, UnknownRecord
from index.exchange import RefusedRow, read_manifest
from index.files import full_disk_named, replacing
from index.naming import checked_id
from index.types import Side, Sighting
from retrieval.images import EXTENSIONS, jpeg, load_photo

FOLDER = "incoming"
DRAFT = "draft.json"
TABLES = (".csv", ".xlsx", ".tsv", ".txt")
MOST_FILES = 5_000
MOST_BYTES = 64 << 20
MOST_IN_ALL = 8 << 30
PREVIEW = 240
_NAME = re.compile(r"[0-9a-f]{32}")
_CHUNK = 1 << 20
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Row:
    """One photo of a draft.

    Attributes
    ----------
    file, name : str
        The file in the draft's folder, and what it was called where it came from.
    state : str
        ready, duplicate (in the catalogue), twin (of an earlier row) or unreadable; `told` says more.
    day_source : str
        table, exif, name or none.
    """

    file: str
    name: str
    sha256: str = ""
    turtle: str = ""
    side: str = ""
    day: str = ""
    day_source: str = "none"
    encounter: str = ""
    site: str = ""
    take: bool = True
    state: str = "ready"
    told: str = ""


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
        return tuple(one for one in self.rows if one.take and one.state == "ready")


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
        self._folder = catalog.path / FOLDER

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
            rows = tuple(Row(**row) for row in values["rows"])
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
        rows, refused = list(draft.rows), list(draft.refused)
        tables: list[Path] = []
        with full_disk_named(folder):
            for name, file in files:
                ending = PurePosixPath(name).suffix.lower()
                if ending == ".zip":
                    self._unpack(folder, file, name, rows, refused, tables)
                else:
                    self._take(folder, file, name, rows, refused, tables)
        examined = tuple(self._examined(rows, folder))
        for table in tables:
            examined = _told_by_table(examined, table, refused)
        done = replace(draft, rows=examined, refused=tuple(refused))
        self.save(done)
        return done

    def sightings(self, draft: Draft) -> list[Sighting]:
        """What is to be enrolled, its files under their own names in a folder of the catalogue. Raises InputError."""
        kept = self._catalog.path / "photos" / f"{draft.begun[:10]}-{draft.id[:8]}"
        kept.mkdir(parents=True, exist_ok=True)
        return [_sighting(row, self._path(draft.id) / row.file, kept / _safe_name(row)) for row in draft.taken]

    def _take(
        self,
        folder: Path,
        file: BinaryIO,
        name: str,
        rows: list[Row],
        refused: list[str],
        tables: list[Path],
    ) -> None:
        ending = PurePosixPath(name).suffix.lower()
        if ending not in EXTENSIONS and ending not in TABLES:
            if not PurePosixPath(name).name.startswith("."):
                refused.append(f"{name}: no photo that can be read")
            return
        if len(rows) >= MOST_FILES:
            raise InputError(f"That is more than {MOST_FILES} photos: import them in parts.")
        number = len(rows) + len(tables) + 1
        target = folder / f"{number:05d}{ending}"
        while target.exists():
            number += 1
            target = folder / f"{number:05d}{ending}"
        if _copied(file, target) > MOST_BYTES:
            target.unlink()
            refused.append(f"{name}: larger than {MOST_BYTES >> 20} MB")
        elif ending in TABLES:
            tables.append(target)
        else:
            rows.append(Row(target.name, name))

    def _unpack(
        self,
        folder: Path,
        file: BinaryIO,
        name: str,
        rows: list[Row],
        refused: list[str],
        tables: list[Path],
    ) -> None:
        try:
            with zipfile.ZipFile(file) as archive:
                for member in _members(archive, refused):
                    with archive.open(member) as opened:
                        self._take(folder, opened, member.filename, rows, refused, tables)  # type: ignore[arg-type]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
            refused.append(f"{name}: no ZIP that can be read ({error})")

    def _examined(self, rows: Sequence[Row], folder: Path) -> Iterator[Row]:
        """What the files say about themselves; the catalogue is only read."""
        seen: set[str] = {one.sha256 for one in rows if one.sha256}
        turtles = self._ids({part for one in rows for part in PurePosixPath(one.name).parts[:-1]})
        for row in rows:
            if row.sha256 or row.state == "unreadable":
                yield row
                continue
            try:
                photo = load_photo(folder / row.file, PREVIEW)
            except PhotoRefused as error:
                told = str(error).replace(str(folder / row.file), row.name)
                yield replace(row, state="unreadable", told=told, take=False)
                continue
            told = "; ".join(photo.all_remarks)
            found = _placed(_dated(replace(row, sha256=photo.sha256, told=told), photo.taken.day), turtles)
            there = self._catalog.enrolled([photo.sha256]).get(photo.sha256)
            if there is not None:
                found = replace(found, state="duplicate", told=there.turtle or f"{there.id}", take=False)
            elif photo.sha256 in seen:
                found = replace(found, state="twin", take=False)
            seen.add(photo.sha256)
            yield found

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


def _members(archive: zipfile.ZipFile, refused: list[str]) -> Iterator[zipfile.ZipInfo]:
    """Members that are ordinary files of an ordinary size. Raises InputError for a bomb."""
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(members) > MOST_FILES or sum(one.file_size for one in members) > MOST_IN_ALL:
        raise InputError(f"The ZIP holds more than {MOST_FILES} files or {MOST_IN_ALL >> 30} GB: import it in parts.")
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if stat.S_ISLNK(member.external_attr >> 16) or ".." in parts or member.filename.startswith(("/", "\\")):
            refused.append(f"{member.filename}: a link or a path that leads out of the ZIP")
        elif "__MACOSX" not in parts:
            yield member


def _copied(file: BinaryIO, target: Path) -> int:
    """Copy, at most a little more than one file may have; gives the bytes."""
    written = 0
    with target.open("xb") as opened:
        while chunk := file.read(_CHUNK):
            written += len(chunk)
            if written > MOST_BYTES:
                break
            opened.write(chunk)
    return written


def _dated(row: Row, taken_on: dt.date | None) -> Row:
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
    """What a table says about the rows, by file name."""
    said: dict[str, Sighting] = {}
    try:
        for one in read_manifest(table):
            if isinstance(one, RefusedRow):
                refused.append(one.reason)
            else:
                said[PurePosixPath(one.sighting.path.replace("\\", "/")).name.lower()] = one.sighting
    except ManifestError as error:
        refused.append(str(error).replace(str(table), "The table"))
        return tuple(rows)
    return tuple(_filled(row, said.get(PurePosixPath(row.name).name.lower())) for row in rows)


def _filled(row: Row, said: Sighting | None) -> Row:
    if said is None:
        return row
    dated = row if said.taken_on is None else replace(row, day=str(said.taken_on), day_source="table")
    return replace(
        dated,
        turtle=said.turtle or row.turtle,
        side=str(said.side or row.side),
        encounter=said.encounter or row.encounter,
        site=said.site or row.site,
    )


def _sighting(row: Row, draft: Path, kept: Path) -> Sighting:
    _checked(row)
    if not kept.exists():
        shutil.copy2(draft, kept)
    return Sighting(
        path=str(kept),
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
