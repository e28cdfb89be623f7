"""One shard: features, thumbnails and search index of some photos, in a folder that needs no registry."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.errors import CatalogDamaged, CatalogMissing
from index.features import FeatureStore
from index.files import OnStep, no_steps, replacing
from index.registry import Registry, Session, unpack_descriptors
from index.shards.assignment import Members
from index.types import Checkpoint, Descriptor, Int64, Recipe
from index.vectors import VectorIndex
from index.visual_words import VotingIndex

FEATURES, VECTORS, MEMBERS = "features.lmdb", "vectors.faiss", "members.npz"
CHUNK = 50_000
_COLUMNS = ("ids", "events", "keys")


class Shard:
    """The folder of one shard.

    `members.npz` says which photos it holds, each in which reading; index and features may hold more after a crash.
    """

    def __init__(self, folder: Path, number: int, recipe: Recipe, on_step: OnStep = no_steps) -> None:
        self.number = number
        self.path = folder / f"shard-{number:04d}"
        self.recipe = recipe
        self.feature_store = FeatureStore(self.path / FEATURES, recipe.extractor, on_step)
        self._on_step = on_step

    def exists(self) -> bool:
        """Whether there is anything of it."""
        return (self.path / MEMBERS).is_file()

    def create(self) -> None:
        """Make what is missing of its folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / FEATURES / "data.mdb").exists():
            shutil.rmtree(self.path / FEATURES, ignore_errors=True)
            FeatureStore.create(self.path / FEATURES, self.recipe.extractor)

    def renew_features(self) -> None:
        """Begin an empty feature store where the present one cannot be read."""
        shutil.rmtree(self.path / FEATURES, ignore_errors=True)
        self.create()

    def members(self) -> Members:
        """Which photos it holds. Raises CatalogMissing, CatalogDamaged."""
        path = self.path / MEMBERS
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                columns = [stored[name] for name in _COLUMNS]
        except FileNotFoundError:
            raise CatalogMissing(
                f"Shard {self.number} is not at {self.path}: bring its disk back, or `turtleidx check --shards FOLDER "
                "--repair` makes it again."
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CatalogDamaged(
                f"{path} cannot be read ({error}): `turtleidx check --shards FOLDER --repair` makes it again."
            ) from error
        return Members(*columns)

    def index(self) -> VectorIndex | VotingIndex:
        """Its search index. Raises CatalogMissing, CatalogDamaged."""
        try:
            if self.recipe.votes:
                return VotingIndex.load(self.path / VECTORS, self.recipe.dimension)[0]
            return VectorIndex.load(self.path / VECTORS, self.recipe.dimension)[0]
        except FileNotFoundError:
            raise CatalogMissing(
                f"{self.path / VECTORS} is missing: `turtleidx check --shards FOLDER --repair` makes it again."
            ) from None

    def index_holds(self, registry: Registry, members: Members, known: Members) -> bool:
        """Whether the index is whole and holds just these photos, the `known` ones with the registry's descriptors.

        The registry is only open while it is read; what others have changed in it since is not compared.
        """
        try:
            index = self.index()
            if isinstance(index, VotingIndex) and not index.file_is_whole(self.path / VECTORS):
                return False
        except (CatalogMissing, CatalogDamaged):
            return False
        if not np.array_equal(np.sort(index.ids()), members.ids):
            return False
        for first in range(0, len(known), CHUNK):
            with registry.reading() as session:
                ids, vectors = self._standing(session, known.at(np.arange(first, min(first + CHUNK, len(known)))))
            if not index.holds(ids, vectors):
                return False
        return True

    def _standing(self, session: Session, photos: Members) -> tuple[Int64, Descriptor]:
        """Ids and the registry's descriptors of those photos that it still has in the same reading."""
        sql = "SELECT photo, event, vector FROM descriptors WHERE photo IN (SELECT unnest(?::BIGINT[])) ORDER BY photo"
        stored = session.columns(sql, photos.ids.tolist())
        ids = np.asarray(stored["photo"], np.int64)
        same = photos.events[np.searchsorted(photos.ids, ids)] == stored["event"]
        return ids[same], unpack_descriptors(stored["vector"][same], self.recipe)

    def write_index(self, session: Session, wanted: Members, held: Checkpoint) -> None:
        """Make the index hold these photos; where only some are new, they are added. Raises StorageFull."""
        before = self._reusable(wanted)
        path = self.path / VECTORS
        if before is not None:
            index, fresh = before
            for ids, vectors in self.descriptors(session, fresh):
                index.add(ids, vectors)
            index.save(path, held, self._on_step)
        elif self.recipe.votes:
            VotingIndex.build(path, self.recipe.dimension, self.descriptors(session, wanted.ids), held, self._on_step)
        else:
            blocks = self.descriptors(session, wanted.ids)
            VectorIndex.build(path, self.recipe.dimension, len(wanted), blocks, held, self._on_step)

    def _reusable(self, wanted: Members) -> tuple[VectorIndex | VotingIndex, Int64] | None:
        """The present index and what it lacks, where it holds nothing that is not wanted."""
        try:
            held, index = self.members(), self.index()
        except (CatalogMissing, CatalogDamaged):
            return None
        if not held.among(wanted).all() or not np.array_equal(np.sort(index.ids()), held.ids):
            return None
        return index, wanted.without(held).ids

    def write_members(self, members: Members) -> None:
        """Say which photos it holds from now on. Raises StorageFull."""
        with replacing(self.path / MEMBERS) as temporary, temporary.open("wb") as file:
            np.savez(file, **{name: getattr(members, name) for name in _COLUMNS})
        self._on_step("members written")

    def descriptors(self, session: Session, ids: Int64) -> Iterator[tuple[Int64, Descriptor]]:
        """Ids and the registry's descriptors of photos int64 [n] in rising order, a block at a time."""
        for first in range(0, len(ids), CHUNK):
            part = ids[first : first + CHUNK]
            sql = "SELECT photo, vector FROM descriptors WHERE photo IN (SELECT unnest(?::BIGINT[])) ORDER BY photo"
            stored = session.columns(sql, part.tolist())
            yield np.asarray(stored["photo"], np.int64), unpack_descriptors(stored["vector"], self.recipe)
