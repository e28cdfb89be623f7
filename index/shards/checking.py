"""Shards against the registry: what is missing, behind, or damaged, and making it right from what is still there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.catalog import Catalog
from index.errors import CatalogDamaged, CatalogMissing
from index.features import damaged_records
from index.shards.assignment import Members, read_assignment
from index.shards.manifest import ShardManifest
from index.shards.shard import VECTORS, Shard
from index.shards.sharding import shard_catalog


@dataclass(frozen=True, slots=True)
class ShardCheck:
    """What a check found: each entry one sentence; `photos` are those that belong into shards."""

    problems: tuple[str, ...]
    repaired: tuple[str, ...]
    photos: int
    shards: int


def check_shards(catalog: Catalog, folder: Path, *, repair: bool = False) -> ShardCheck:
    """Read every record of every shard and compare all with the registry.

    Parameters
    ----------
    repair : bool
        Make again what is wrong, from the catalogue's own features, else from other shards'.

    Raises
    ------
    CatalogMissing, InputError, RecipeMismatch, CatalogBusy, StorageFull
    """
    manifest = ShardManifest.read(folder)
    manifest.require(catalog, folder)
    shards = [Shard(folder, number, catalog.recipe) for number in range(manifest.shards)]
    found, photos = _faults(catalog, shards)
    repaired: tuple[str, ...] = ()
    if found and repair:
        for fault in found:
            fault.clear_away()
        lacking = shard_catalog(catalog, folder).lacking
        left, photos = _faults(catalog, shards)
        still = {fault.shard.number for fault in left}
        repaired = tuple(fault.sentence for fault in found if fault.shard.number not in still)
        nowhere = [f"The features of {path} are in no shard and not in the catalogue." for path in lacking]
        more = ["Run `turtleidx reindex` to read their originals, then this command again."] if lacking else []
        return ShardCheck((*(fault.sentence for fault in left), *nowhere, *more), repaired, photos, len(shards))
    return ShardCheck(tuple(fault.sentence for fault in found), repaired, photos, len(shards))


@dataclass(frozen=True, slots=True, eq=False)
class _Fault:
    """What is wrong with a shard, and what of it has to go before it can be made again."""

    shard: Shard
    sentence: str
    records: tuple[str, ...] = ()
    all_features: bool = False
    index: bool = False

    def clear_away(self) -> None:
        if self.all_features:
            self.shard.renew_features()
        if self.records:
            self.shard.feature_store.delete(self.records)
        if self.index:
            (self.shard.path / VECTORS).unlink(missing_ok=True)


def _faults(catalog: Catalog, shards: list[Shard]) -> tuple[list[_Fault], int]:
    faults: list[_Fault] = []
    with catalog.reading() as session:
        assignment = read_assignment(session, len(shards))
    for shard in shards:  # which takes long on far disks, and others may write meanwhile
        faults += _faults_of(catalog, shard, assignment.of(shard.number))
    return faults, len(assignment.members)


def _faults_of(catalog: Catalog, shard: Shard, wanted: Members) -> list[_Fault]:
    try:
        members = shard.members()
    except (CatalogMissing, CatalogDamaged) as error:
        return [_Fault(shard, f"Shard {shard.number}: {error}", index=True)]
    faults = []
    lacks, odd = len(wanted.without(members)), len(members.without(wanted))
    if lacks or odd:
        faults.append(
            _Fault(shard, f"Shard {shard.number} is behind the registry: {lacks} photos are to come, {odd} to go.")
        )
    if not shard.index_holds(catalog.registry, members, members.at(members.among(wanted))):
        faults.append(_Fault(shard, f"The index of shard {shard.number} is not what the registry says.", index=True))
    try:
        damaged = damaged_records(shard.feature_store, members.names())
    except CatalogDamaged as error:
        faults.append(_Fault(shard, f"Shard {shard.number}: {error}", all_features=True))
    else:
        if damaged:
            sentence = f"{len(damaged)} feature records of shard {shard.number} are damaged or missing."
            faults.append(_Fault(shard, sentence, records=tuple(damaged)))
    return faults
