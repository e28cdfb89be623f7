"""A whole catalogue as one portable file, and back.

The archive is an ordinary ZIP of the two stores that cannot be had from others, of networks that were trained on the
catalogue, and of what the review page keeps in its folder: begun imports, answers that wait, photos. Only names that
are expected are ever read from it, so an archive from a stranger cannot write anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index.catalog.catalog import FEATURES, REGISTRY, Catalog
from index.catalog.networks import is_network, kept_networks
from index.catalog.page_folders import is_kept_by_page, kept_by_page
from index.errors import CatalogDamaged, CatalogExists, CatalogTooNew
from index.files import full_disk_named, replacing, sync_folder
from index.naming import account
from index.registry import relative_to

FORMAT = 1
CONTENTS = "turtleidx.json"
DATA = f"{FEATURES}/data.mdb"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class BackupReport:
    """Where a backup lies, how large it is, and how many photos it holds."""

    path: Path
    bytes: int
    photos: int


def write_backup(catalog: Catalog, target: Path) -> BackupReport:
    """Write a catalogue into one file, whole or not at all. Raises StorageFull, CatalogBusy."""
    target = target.absolute()
    with catalog.writing("backup"), _scratch(target.with_name(f".{target.name}.parts")) as scratch:
        parts = {REGISTRY: scratch / "registry", DATA: scratch / "features"}
        catalog.registry.copy(parts[REGISTRY])
        catalog.feature_store.copy(parts[DATA])
        contents = {name: {"bytes": part.stat().st_size, "sha256": _digest(part)} for name, part in parts.items()}
        own = {name: catalog.path / name for name in (*kept_by_page(catalog.path), *kept_networks(catalog.path))}
        contents |= {name: {"bytes": part.stat().st_size, "sha256": _digest(part)} for name, part in own.items()}
        with (
            replacing(target) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            archive.writestr(CONTENTS, json.dumps({"format": FORMAT, "files": contents}, indent=1))
            for name, part in parts.items():
                archive.write(part, name)
            for name, part in own.items():
                archive.write(part, name, zipfile.ZIP_STORED)  # photos do not get smaller
        with catalog.reading() as session:
            photos = session.number("SELECT count(*) FROM photos WHERE NOT removed")
    return BackupReport(target, target.stat().st_size, photos)


def is_backup(file: Path) -> bool:
    """Whether a file is what `backup` writes, of whichever catalogue."""
    try:
        with zipfile.ZipFile(file) as archive:
            return CONTENTS in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def restore_backup(source: Path, folder: Path) -> Catalog:
    """Unpack a backup into a new catalogue. Raises CatalogExists, CatalogDamaged for a bad archive, CatalogTooNew."""
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CatalogExists(f"{folder} exists already: restore into another folder.")
    draft = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with _readable(source), full_disk_named(folder), zipfile.ZipFile(source) as archive:
            contents = json.loads(archive.read(CONTENTS))
            if contents["format"] > FORMAT:
                raise CatalogTooNew(f"{source} was written by a newer turtleidx; update turtleidx.")
            (draft / FEATURES).mkdir(parents=True)
            own = {
                name: str(said["sha256"])
                for name, said in contents["files"].items()
                if is_kept_by_page(name) or is_network(name)
            }
            for name in (REGISTRY, DATA, *own):
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                _unpack(archive, name, draft / name, contents["files"][name]["sha256"])
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    catalog = Catalog.open(folder)
    with catalog.writing("restore"):
        catalog.searcher.rebuild()
        _find_again(catalog, own)
    return catalog


def _find_again(catalog: Catalog, own: Mapping[str, str]) -> None:
    """Photos that came with the backup lie in the new folder: as one event, where there are any."""
    base, moved = catalog.path.parent, []
    with catalog.reading() as session:
        for name, digest in own.items():
            whole = catalog.path / name
            sql = "SELECT id FROM photos WHERE sha256 = ? AND ends_with(path, ?) AND path <> ?"
            found = session.rows(sql, digest, f"/{name}", whole.as_posix())
            moved += [(int(number), whole) for (number,) in found]
    if not moved:
        return
    with catalog.transaction("restore", account(), "photos that came with the backup") as transaction:
        for number, whole in moved:
            values = (whole.as_posix(), relative_to(whole, base), number)
            transaction.journal.update("photos", "?::VARCHAR AS path, ?::VARCHAR AS relative", "id = ?", *values)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for parts, of a fixed name, so that what a killed backup left goes with the next one."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with full_disk_named(folder):
            folder.mkdir(parents=True)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(archive: zipfile.ZipFile, name: str, target: Path, digest: str) -> None:
    with archive.open(name) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file, _CHUNK)
    if _digest(target) != digest:
        raise ValueError(f"{name} has changed since it was written")


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        FileNotFoundError,
        IsADirectoryError,
    ) as error:
        raise CatalogDamaged(f"{source} is not a whole turtleidx backup ({error}); use another one.") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
