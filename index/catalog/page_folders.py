"""What the review page keeps in the catalogue's folder beside the stores: begun imports, answers that wait, photos.

Names are checked wherever they come from another place, so that an archive from a stranger cannot write elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.catalog.catalog import Catalog

INCOMING, OUTBOX, PHOTOS = "incoming", "outbox", "photos"
"""Begun imports, answers that wait until another process has finished writing, photos that came in by the page."""
UNREADABLE = ".unreadable"
"""Ending of an answer that could not be read."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}"
_NAME = re.compile(rf"(?:{INCOMING}|{PHOTOS})/{_PART}/{_PART}|{OUTBOX}/{_PART}")


def kept_by_page(folder: Path) -> Iterator[str]:
    """Names of the page's files in a catalogue's folder, relative to it; links and foreign files are passed over."""
    for kind in (INCOMING, OUTBOX, PHOTOS):
        for path in sorted((folder / kind).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if is_kept_by_page(name) and path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
                yield name


def is_kept_by_page(name: str) -> bool:
    """Whether the page could have written a file of this name."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class PageFiles:
    """What lies there.

    Attributes
    ----------
    imports, waiting, photos : int
        Begun imports, answers that are not in the catalogue yet, photos that came in by the page.
    unreadable, strays : tuple of str
        Answers that cannot be read, and files below `photos` that belong to no photo of the catalogue.
    """

    imports: int
    waiting: int
    photos: int
    bytes: int
    unreadable: tuple[str, ...]
    strays: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What a person should know."""
        told = []
        if self.imports:
            told.append(f"{self.imports} imports were begun on the review page and not finished.")
        if self.waiting:
            told.append(f"{self.waiting} answers of the review page wait: start `turtleidx review`, which writes them.")
        if self.photos:
            told.append(f"{self.photos} photos came in by the review page and lie in the catalogue's folder.")
        if self.strays:
            told.append(f"{len(self.strays)} files there belong to no photo, {self.strays[0]} for one.")
        return told

    def problems(self) -> list[str]:
        """What only a person can put right."""
        if not self.unreadable:
            return []
        return [
            f"{len(self.unreadable)} answers of the review page cannot be read, {self.unreadable[0]} for one: look at "
            "the group again and delete the file."
        ]


def page_files(catalog: Catalog) -> PageFiles:
    """Look at what the review page keeps in a catalogue's folder."""
    names = list(kept_by_page(catalog.path))
    answers = [name for name in names if name.startswith(f"{OUTBOX}/")]
    photos = [name for name in names if name.startswith(f"{PHOTOS}/")]
    with catalog.reading() as session:
        ends = session.rows(f"SELECT DISTINCT regexp_extract(path, '/({PHOTOS}/[^/]+/[^/]+)$', 1) FROM photos")
    known = {str(end) for (end,) in ends}  # the folder may have been moved, or have another name now
    return PageFiles(
        imports=len({name.split("/")[1] for name in names if name.startswith(f"{INCOMING}/")}),
        waiting=sum(name.endswith(".json") for name in answers),
        photos=len(photos),
        bytes=sum((catalog.path / name).stat().st_size for name in names),
        unreadable=tuple(name for name in answers if name.endswith(UNREADABLE)),
        strays=tuple(name for name in photos if name not in known),
    )
