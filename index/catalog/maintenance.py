"""Checking the three stores against each other, repairing what is derived, and giving disk space back."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from index.catalog.catalog import Catalog
from index.catalog.networks import network_problems
from index.catalog.originals import Originals, every_original
from index.catalog.page_folders import page_files
from index.catalog.readings import WAITING
from index.catalog.repair import OWNERS
from index.errors import CatalogDamaged, CatalogReadOnly
from index.registry import QUERY_KEY, broken_rules
from index.types import Progress


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found: each entry one sentence.

    Attributes
    ----------
    problems : tuple of str
        What only a person, a backup or the original photos can put right.
    repaired : tuple of str
        What was wrong and is right again.
    photos : int
        How many photos were checked.
    originals : Originals or None
        Where their files were looked at too.
    second : int
        How many of them have features of a further extractor; the others get them when they are compared so.
    page : tuple of str
        What the review page keeps in the catalogue's folder.
    """

    problems: tuple[str, ...]
    repaired: tuple[str, ...]
    photos: int
    originals: Originals | None = None
    second: int = 0
    page: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What compacting gave back: photos whose bytes went, and bytes on disk before and after."""

    photos: int
    bytes_before: int
    bytes_after: int


def check_catalog(catalog: Catalog, *, originals: bool = False, progress: Progress | None = None) -> CheckReport:
    """Read every record of every store, compare them, and repair what can be had from the registry.

    Parameters
    ----------
    originals : bool
        Read the files too that the photos were enrolled from.
    progress : callable or None
        Called with the number of files that were just read.
    """
    repaired: list[str] = []
    with ExitStack() as stack:
        try:
            stack.enter_context(catalog.writing("check"))
            may_write = True
        except CatalogReadOnly:
            may_write = False
        with catalog.reading() as session:
            problems = broken_rules(session)
            rows = session.rows(
                f"SELECT coalesce(sighting, sha256), keypoints, path FROM photos WHERE NOT removed AND NOT {WAITING} "
                "ORDER BY id"
            )
            known = {str(row[0]) for row in session.rows(OWNERS)}
        for digest, keypoints, path in rows:
            problem = _feature_problem(catalog, digest, keypoints)
            if not keypoints:
                problems.append(
                    f"{path} cannot be searched, because its original could not be read again: run `turtleidx photos "
                    "relocate FOLDER` if it was moved, then `turtleidx reindex`."
                )
            elif problem:
                problems.append(f"The features of {path} {problem}: restore a backup, or run `turtleidx reindex`.")
        orphans = catalog.feature_store.digests() - known
        if orphans and may_write:
            catalog.feature_store.delete(orphans)
            repaired.append(f"{len(orphans)} feature records without a photo were deleted.")
        if may_write and (stale := catalog.feature_store.second.forget_stale()):
            repaired.append(f"{stale} further feature records that were damaged or out of date were deleted.")
        stored = catalog.feature_store.second.digests()
        lonely = {digest for digests in stored.values() for digest in digests} - known
        if lonely and may_write:
            catalog.feature_store.delete(lonely)
            repaired.append(f"{len(lonely)} further feature records without a photo were deleted.")
        if may_write and not catalog.searcher.file_is_right():
            catalog.searcher.rebuild()
            repaired.append("The vector index was built anew from the registry.")
    second = {digest for digests in stored.values() for digest in digests} & {str(row[0]) for row in rows}
    files = None
    if originals:
        files = every_original(catalog, progress)
        problems += files.sentences()
    problems += network_problems(catalog)
    lying = page_files(catalog)
    problems += lying.problems()
    return CheckReport(tuple(problems), tuple(repaired), len(rows), files, len(second), tuple(lying.sentences()))


def _feature_problem(catalog: Catalog, digest: str, keypoints: int) -> str | None:
    try:
        (features,) = catalog.feature_store.features([digest])
        thumbnail = catalog.feature_store.thumbnail(digest)
    except CatalogDamaged:
        return "are damaged"
    if features is None or thumbnail is None:
        return "are missing"
    if len(features) != keypoints or not np.isfinite(features.xy).all():
        return "are not those that were enrolled"
    return None


def compact_catalog(catalog: Catalog, who: str) -> CompactReport:
    """Delete the bytes of removed photos for good and rewrite the stores without gaps; rows and history stay."""
    with catalog.writing("compact"):
        before = _bytes(catalog)
        with catalog.transaction("compact", who) as transaction:
            gone = transaction.rows(
                "SELECT p.id, p.sha256 FROM photos p WHERE p.removed AND p.id IN (SELECT photo FROM descriptors)"
            )
            stay = {
                str(row[0])
                for row in transaction.rows(
                    "SELECT coalesce(sighting, sha256) FROM photos WHERE NOT removed "
                    f"UNION SELECT {QUERY_KEY} FROM queries"
                )
            }
            ids = [int(row[0]) for row in gone]
            transaction.run("DELETE FROM descriptors WHERE photo IN (SELECT unnest(?::BIGINT[]))", ids)
            transaction.run("DELETE FROM descriptors WHERE photo NOT IN (SELECT id FROM photos)")
            transaction.run("DELETE FROM reread")
            transaction.run("DELETE FROM readings")  # an undone box is then read again by `reindex`
            transaction.journal.put("settings", [{"name": "compacted", "value": transaction.at.isoformat(sep=" ")}])
        further = {digest for digests in catalog.feature_store.second.digests().values() for digest in digests}
        catalog.feature_store.delete((catalog.feature_store.digests() | further) - stay)
        catalog.feature_store.forget_others()
        catalog.feature_store.second.forget_stale()
        catalog.feature_store.compact()
        catalog.registry.compact()
        catalog.searcher.rebuild()
        return CompactReport(len(ids), before, _bytes(catalog))


def _bytes(catalog: Catalog) -> int:
    return sum(path.stat().st_size for path in catalog.path.rglob("*") if path.is_file())
