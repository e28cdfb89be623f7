"""Making shards of a catalogue, bringing them up to date, and giving a catalogue its features back from them.

Features are copied to every shard before any shard gives one up, and a shard's list of members is written last: a
crash at any point leaves photos in two shards at worst, and the same call goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalog import Catalog, read_checkpoint
from index.errors import CatalogDamaged, CatalogMissing, InputError
from index.features import FeatureStore, copy_records
from index.files import OnStep, no_steps
from index.shards.assignment import Members, read_assignment
from index.shards.manifest import NAME, ShardManifest, refuse_foreign_folder
from index.shards.shard import Shard
from index.types import Progress


@dataclass(frozen=True, slots=True)
class ShardingReport:
    """What became of the shards.

    Attributes
    ----------
    photos : tuple of int
        In each shard.
    added, removed : int
        Photos that came into a shard, and that left one; a move is both.
    lacking : tuple of str
        Paths of photos whose features are nowhere.
    """

    photos: tuple[int, ...]
    added: int
    removed: int
    lacking: tuple[str, ...]


def shard_catalog(
    catalog: Catalog,
    folder: Path,
    shards: int | None = None,
    progress: Progress | None = None,
    on_step: OnStep = no_steps,
) -> ShardingReport:
    """Divide a catalogue's features and index, or bring shards that are there up to date.

    Parameters
    ----------
    shards : int or None
        How many; None: as many as there are.

    Raises
    ------
    InputError, OutputTaken, CatalogBusy, StorageFull
    """
    refuse_foreign_folder(folder)
    before = _present(catalog, folder)
    if shards is None and before is None:
        raise InputError(f"There are no shards in {folder} yet: say with --shards how many to make.")
    wanted = ShardManifest.of(catalog, shards or (before.shards if before else 1))
    most = max(wanted.shards, 0 if before is None else before.shards)
    with catalog.writing("shard"):
        folder.mkdir(parents=True, exist_ok=True)
        ShardManifest(wanted.catalog, wanted.recipe, most).write(folder)
        report = _Sharding(catalog, folder, most, on_step).run(wanted.shards, progress)
        wanted.write(folder)
        for number in range(wanted.shards, most):
            shutil.rmtree(Shard(folder, number, catalog.recipe).path, ignore_errors=True)
    return report


def _present(catalog: Catalog, folder: Path) -> ShardManifest | None:
    """What is there of this catalogue; of another recipe only its number of shards stays."""
    if not (folder / NAME).exists():
        return None
    try:
        found = ShardManifest.read(folder)
    except CatalogDamaged:
        return None
    if found.catalog != ShardManifest.of(catalog, 1).catalog:
        raise InputError(f"The shards in {folder} are those of another catalogue than {catalog.path}.")
    return found


class _Sharding:
    """One run over all shards that there are or will be."""

    def __init__(self, catalog: Catalog, folder: Path, most: int, on_step: OnStep) -> None:
        self._catalog = catalog
        self._shards = [Shard(folder, number, catalog.recipe, on_step) for number in range(most)]
        self._on_step = on_step

    def run(self, shards: int, progress: Progress | None) -> ShardingReport:
        with self._catalog.reading() as session:
            assignment, held = read_assignment(session, shards), read_checkpoint(session)
        wanted = [assignment.of(number) for number in range(len(self._shards))]
        lacking: set[str] = set()
        for shard, own in zip(self._shards, wanted, strict=True):
            shard.create()
            lacking |= set(self._copied(shard, own))
            if progress:
                progress(len(own), len(assignment.members))
        wanted = [own if not lacking else own.at(_present_in(own, lacking)) for own in wanted]
        added = removed = 0
        for shard, own in zip(self._shards, wanted, strict=True):
            before = _members_or_none(shard)
            came, went = len(own.without(before)), len(before.without(own))
            added, removed = added + came, removed + went
            with self._catalog.reading() as session:
                if came or went or not shard.exists() or not _ids_are(shard, own):
                    shard.write_index(session, own, held)
                    shard.write_members(own)
            shard.feature_store.delete(shard.feature_store.digests() - set(own.names()))
            shard.feature_store.forget_others()  # those of an extractor before
        return ShardingReport(tuple(map(len, wanted[:shards])), added, removed, self._paths(lacking))

    def _copied(self, shard: Shard, own: Members) -> list[str]:
        """Bring features of these photos into a shard; gives those that are nowhere."""
        there = _digests(shard.feature_store)
        missing = [name for name in own.names() if name not in there]
        for store in [self._catalog.feature_store, *(other.feature_store for other in self._shards if other != shard)]:
            if not missing:
                break
            missing = _copy_what_is_there(store, shard.feature_store, missing)
        self._on_step("features copied")
        return missing

    def _paths(self, names: set[str]) -> tuple[str, ...]:
        if not names:
            return ()
        with self._catalog.reading() as session:
            sql = (
                "SELECT path FROM photos WHERE coalesce(sighting, sha256) IN (SELECT unnest(?::VARCHAR[])) ORDER BY id"
            )
            return tuple(str(path) for (path,) in session.rows(sql, sorted(names)))


def restore_features(catalog: Catalog, folder: Path, progress: Progress | None = None) -> ShardingReport:
    """Give a catalogue the features back that its own store lacks, from its shards.

    Raises
    ------
    CatalogMissing, InputError, RecipeMismatch, CatalogBusy, StorageFull
    """
    manifest = ShardManifest.read(folder)
    manifest.require(catalog, folder)
    catalog.renew_features()
    shards = [Shard(folder, number, catalog.recipe) for number in range(manifest.shards)]
    with catalog.writing("shard"):
        with catalog.reading() as session:
            names = read_assignment(session, manifest.shards).members.names()
        there = _digests(catalog.feature_store)
        missing = [name for name in names if name not in there]
        lacked = len(missing)
        for shard in shards:
            before = len(missing)
            missing = _copy_what_is_there(shard.feature_store, catalog.feature_store, missing)
            if progress:
                progress(before - len(missing), lacked)
        if not catalog.searcher.file_is_right():
            catalog.searcher.rebuild()
    every = _Sharding(catalog, folder, manifest.shards, no_steps)
    photos = tuple(len(_members_or_none(shard)) for shard in shards)
    return ShardingReport(photos, lacked - len(missing), 0, every._paths(set(missing)))


def _copy_what_is_there(source: FeatureStore, target: FeatureStore, names: Sequence[str]) -> list[str]:
    try:
        return copy_records(source, target, names)
    except CatalogDamaged:  # a lost or damaged store has nothing to give
        return list(names)


def _digests(store: FeatureStore) -> set[str]:
    try:
        return store.digests()
    except CatalogDamaged:
        return set()


def _members_or_none(shard: Shard) -> Members:
    try:
        return shard.members()
    except (CatalogMissing, CatalogDamaged):
        return Members.none()


def _ids_are(shard: Shard, own: Members) -> bool:
    try:
        return np.array_equal(np.sort(shard.index().ids()), own.ids)
    except (CatalogMissing, CatalogDamaged):
        return False


def _present_in(own: Members, lacking: set[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([name not in lacking for name in own.names()], bool)
