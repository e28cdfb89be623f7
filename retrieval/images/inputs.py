"""Which photos a user means: files, folders whose sub-folders are turtles, manifests."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import InputError, NoPhotos
from index.exchange import DateOrder, NearIds, RefusedRow, difference, is_nothing, read_manifest, read_roles
from index.naming import checked_id, checked_path, shown
from index.types import Side, Sighting
from retrieval.images.folders import Passed, find_photos

Tell = Callable[[str], None]
"""Told a sentence for the person who brings the photos."""


def silent(sentence: str) -> None:
    """Tell nobody."""


def from_paths(
    paths: Iterable[Path], known: Sighting, by_folder: bool, passed: Passed | None = None
) -> Iterator[Sighting | RefusedRow]:
    """Photos and folders, in order; what `known` says holds for all of them.

    Parameters
    ----------
    by_folder : bool
        The first folder below a given folder names the turtle, unless `known` does.
    passed : Passed or None
        Told what in folders was no photo.
    """
    for path in paths:
        if not path.is_dir():
            yield _checked(replace(known, path=str(path)))
            continue
        try:
            for photo in find_photos(path, passed):
                inside = photo.relative_to(path).parts
                owner = inside[0] if by_folder and len(inside) > 1 and not is_nothing(inside[0]) else None
                yield _checked(replace(known, path=str(photo), turtle=known.turtle or owner))
        except NoPhotos as error:
            yield RefusedRow(0, shown(path), shown(str(error)), {})


def sightings_in(folder: str | os.PathLike[str], side: Side | None = None) -> Iterator[Sighting | RefusedRow]:
    """Every photo below a folder whose sub-folders are turtles; photos that lie in none of them are of nobody.

    Parameters
    ----------
    side : Side or None
        From which all of them were taken.
    """
    return from_paths([Path(folder)], Sighting("", side=side), by_folder=True)


def _checked(sighting: Sighting) -> Sighting | RefusedRow:
    """A photo whose path and turtle can be kept, or why they cannot."""
    try:
        checked_path(sighting.path)
    except InputError as error:
        return RefusedRow(0, shown(sighting.path), str(error), {})
    try:
        return sighting if sighting.turtle is None else replace(sighting, turtle=checked_id(sighting.turtle))
    except InputError as error:
        return RefusedRow(0, sighting.path, f"{sighting.path}: {error}", {})


def from_manifest(
    path: Path, roles: Collection[str], known: Sighting, dates: DateOrder | None = None, tell: Tell = silent
) -> Iterator[Sighting | RefusedRow]:
    """Rows of a manifest; what `known` says fills the cells that are empty.

    Parameters
    ----------
    dates : DateOrder or None
        How dates are written that do not begin with the year, where the column does not show it.
    tell : callable
        Told in sentences what was recognised in the table.
    """
    manifest = read_manifest(path, roles, dates)
    for sentence in manifest.remarks:
        tell(sentence)
    for row in manifest:
        yield row if isinstance(row, RefusedRow) else _filled(row.sighting, known)


Ask = Callable[[str, str], str | None]
"""Asked about an id that is new and a known one that looks alike: which is meant, or None where nobody can say."""


def without_lookalikes(
    rows: Iterable[Sighting | RefusedRow], ids: NearIds, ask: Ask
) -> Iterator[Sighting | RefusedRow]:
    """Rows whose turtles are known or look like no other; those about which nobody can say are refused."""
    decided: dict[str, str | None] = {}
    for row in rows:
        name = row.turtle if isinstance(row, Sighting) else None
        if isinstance(row, RefusedRow) or name is None:
            yield row
            continue
        known = ids.lookalike(name)
        if known is None:
            ids.add(name)
            yield row
            continue
        if name not in decided:
            decided[name] = ask(name, known)
        meant = decided[name]
        if meant is None:
            yield RefusedRow(0, row.path, f"{row.path}: {lookalike_sentence(name, known)}", {})
            continue
        if meant == name:
            ids.add(name)
        yield replace(row, turtle=meant)


def lookalike_sentence(name: str, known: str) -> str:
    """Why an id is not taken, and the ways out."""
    return (
        f"turtle {name} would be new and differs from {known} only in {difference(name, known)}: write {known}, or "
        "give --new-ids if it is another turtle."
    )


def count_photos(paths: Iterable[Path]) -> int:
    """How many photos `from_paths` will give, for a progress bar."""
    total = 0
    for path in paths:
        try:
            total += sum(1 for _ in find_photos(path)) if path.is_dir() else 1
        except NoPhotos:
            total += 1
    return total


def why_none(manifest: Path, roles: Collection[str]) -> str:
    """Why a manifest gave no photo, in a sentence. Raises ManifestError."""
    there = read_roles(manifest)
    if not roles or not there:
        return f"{manifest} names no photo{' with a role' if roles else ''}."
    return f"{manifest} has no row with the role {' or '.join(roles)}; its roles are {', '.join(there)}."


@dataclass(frozen=True, slots=True)
class Question:
    """One photo to look up.

    Attributes
    ----------
    sighting : Sighting
        The photo, and what is known about it; its `side` is the gallery to search, None searches all.
    columns : mapping
        The manifest row that it came from, to be echoed; empty otherwise.
    """

    sighting: Sighting
    columns: Mapping[str, str]


def questions(
    paths: Iterable[Path],
    manifest: Path | None,
    roles: Collection[str],
    side: Side | None,
    dates: DateOrder | None = None,
    tell: Tell = silent,
) -> Iterator[Question | RefusedRow]:
    """The photos of a query: files, everything in folders, and a manifest's rows with their own sides."""
    for one in from_paths(paths, Sighting("", side=side), by_folder=False):
        yield one if isinstance(one, RefusedRow) else Question(one, {})
    if manifest is not None:
        table = read_manifest(manifest, roles, dates)
        for sentence in table.remarks:
            tell(sentence)
        for row in table:
            if isinstance(row, RefusedRow):
                yield row
            else:
                yield Question(replace(row.sighting, side=row.sighting.side or side), row.columns)


def _filled(sighting: Sighting, known: Sighting) -> Sighting:
    return replace(
        sighting,
        turtle=sighting.turtle or known.turtle,
        side=sighting.side or known.side,
        taken_on=sighting.taken_on or known.taken_on,
        encounter=sighting.encounter or known.encounter,
        species=sighting.species or known.species,
        site=sighting.site or known.site,
        observer=sighting.observer or known.observer,
        latitude=known.latitude if sighting.latitude is None else sighting.latitude,
        longitude=known.longitude if sighting.longitude is None else sighting.longitude,
    )
