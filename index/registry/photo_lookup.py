"""Which photo a person means: by number, by a path or the end of one, or by the beginning of its sha256."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from index.errors import InputError, UnknownRecord
from index.naming import shown, whole_path
from index.registry.placement import relative_to
from index.registry.queries import read_records
from index.registry.records import PhotoRecord
from index.registry.session import Session

SHORTEST_DIGEST = 6


def find_photo(session: Session, reference: str, base: Path) -> PhotoRecord:
    """The one photo that is meant. Raises UnknownRecord, InputError.

    A path that leads to a photo from the working folder goes before the same words at the end of another path.

    Parameters
    ----------
    base : Path
        The folder that holds the catalogue.
    """
    found = [] if reference.isdecimal() else _lying_at(session, Path(reference), base)
    found = sorted(found or _called(session, reference), key=lambda record: record.removed)
    if not found:
        raise UnknownRecord(f"There is no photo {shown(reference)} in the catalogue.")
    if len(found) > 1 and not found[1].removed:
        raise InputError(
            f"{reference} names several photos, {found[0].id} and {found[1].id} among them: give a number."
        )
    return found[0]


def _lying_at(session: Session, path: Path, base: Path) -> list[PhotoRecord]:
    """Photos whose path this is, however it is written; where that tells nothing, the photo with the file's bytes."""
    try:
        whole = whole_path(path)
        names = sorted({whole.as_posix(), path.resolve().as_posix()})
        digest = _digest(path)
    except (OSError, InputError, RuntimeError):  # not to be read, or no text, or links in a circle
        return []
    found = _photos(session, "path IN (SELECT unnest(?::VARCHAR[])) OR relative = ?", names, relative_to(whole, base))
    if len(found) != 1 and digest is not None:
        found = _photos(session, "sha256 = ?", digest) or found
    if not found:  # paths were once kept as they were typed
        typed = _photos(session, "contains(path, '/../') AND ends_with(path, ?)", f"/{whole.name}")
        found = [record for record in typed if whole_path(Path(record.path)) == whole]
    return found


def _called(session: Session, reference: str) -> list[PhotoRecord]:
    """Two photos at most, of all that the words can mean."""
    tests = ["path = ? OR relative = ? OR ends_with(path, ?)"]
    values: list[object] = [reference, reference, f"/{reference}"]
    if reference.isdecimal() and len(reference) < 16:
        tests.append("id = ?")
        values.append(int(reference))
    if len(reference) >= SHORTEST_DIGEST and re.fullmatch("[0-9a-f]+", reference):
        tests.append("starts_with(sha256, ?)")
        values.append(reference)
    return _photos(session, f"{' OR '.join(tests)} ORDER BY removed, id LIMIT 2", *values)


def _photos(session: Session, condition: str, *values: object) -> list[PhotoRecord]:
    return read_records(session, f"SELECT * FROM photos WHERE {condition}", *values)


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
