"""The folder a user owns: it keeps registry, features and vectors consistent, for one writer and many readers.

Enrolling syncs features first, then commits the registry, then catches the vector index up. A crash leaves at
worst orphan features or an old index; the next writer repairs both, and readers catch up in memory.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from index.catalog.access import WriterLock, bring_up_to_date, drafting, refuse_half_synced
from index.catalog.enrolling import Batch
from index.catalog.gallery import count_identified, read_drawn, read_photos
from index.catalog.lookup import enrolled_files, retired_owners, same_sightings, standing_ids
from index.catalog.models import keep_model, newest_model
from index.catalog.repair import take_leftovers_away
from index.catalog.summary import summarize
from index.errors import (
    CatalogBusy,
    CatalogDamaged,
    CatalogExists,
    CatalogMissing,
    RecipeMismatch,
    StorageFull,
)
from index.features import FeatureStore, PairCache
from index.files import OnStep, no_steps
from index.naming import account, whole_path
from index.registry import (
    CatalogSummary,
    Registry,
    Session,
    StoredModel,
    Transaction,
    look_back,
    place_photos,
    read_setting,
    several,
)
from index.types import (
    Descriptor,
    EnrollOutcome,
    GalleryFilter,
    HeadBox,
    Int64,
    Kept,
    LocalFeatures,
    Owners,
    Photo,
    PreparedPhoto,
    Recipe,
    Shortlist,
)

if TYPE_CHECKING:
    from index.catalog.search import GalleryIndex, Searcher

Stored = TypeVar("Stored")

REGISTRY, FEATURES, VECTORS = "registry.duckdb", "features.lmdb", "vectors.faiss"


class Catalog:
    """A catalogue of enrolled photos.

    Use `create` or `open`. Methods that change something take the writer's lock by themselves; `writing` holds it
    for a whole command. `who` is the person whom the history names.

    Attributes
    ----------
    notice : str or None
        What people should know about how it was opened.
    """

    def __init__(self, path: Path, registry: Registry, recipe: Recipe, on_step: OnStep = no_steps) -> None:
        self.path = path
        self.recipe = recipe
        self.registry = registry
        self.notice: str | None = None
        self.feature_store = FeatureStore(path / FEATURES, recipe.extractor, on_step)
        self._on_step = on_step
        self._lock = WriterLock(path)
        self._commands = threading.local()

    @classmethod
    def create(cls, path: Path, recipe: Recipe, on_step: OnStep = no_steps) -> Catalog:
        """Make an empty catalogue. Raises CatalogExists, InputError."""
        path = whole_path(Path(path))
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            if not path.is_dir():
                raise CatalogExists(f"{path} is a file, and a catalogue is a folder: choose another name.")
            raise CatalogExists(f"{path} exists already: choose another folder, or enroll into this one.")
        with drafting(path, REGISTRY) as draft:
            registry = Registry(draft / REGISTRY)
            registry.migrate()
            with registry.transaction("create", account(), "init") as transaction:
                transaction.journal.put("settings", [{"name": "recipe", "value": json.dumps(asdict(recipe))}])
            FeatureStore.create(draft / FEATURES, recipe.extractor)
        return cls.open(path, on_step)

    @classmethod
    def open(cls, path: Path, on_step: OnStep = no_steps) -> Catalog:
        """Open a catalogue. Raises CatalogMissing, CatalogTooNew, CatalogDamaged, InputError."""
        path = whole_path(Path(path))
        refuse_half_synced(path, (REGISTRY, f"{FEATURES}/data.mdb"))
        if not (path / REGISTRY).is_file():
            raise CatalogMissing(f"There is no catalogue at {path}: make one with `turtleidx init`.")
        registry, notice = bring_up_to_date(path, Registry(path / REGISTRY, on_step), on_step)
        with registry.reading() as session:
            recipe = read_setting(session, "recipe")
        if recipe is None:
            raise CatalogDamaged(f"{path} does not say how it was made; restore a backup.")
        catalog = cls(path, registry, Recipe(**json.loads(recipe)), on_step)
        catalog.notice = notice
        return catalog

    def adopt(self, recipe: Recipe) -> None:
        """Work with another recipe's features and vectors from now on; `index.catalog.reindex` has put them there."""
        self.recipe = recipe
        self.feature_store = FeatureStore(self.path / FEATURES, recipe.extractor, self._on_step)
        self.__dict__.pop("searcher", None)

    @cached_property
    def searcher(self) -> Searcher:
        """Gallery and vector index, in memory from the first question on."""
        from index.catalog.search import Searcher  # faiss takes half a second to import; most commands ask nothing

        return Searcher(self.path / VECTORS, self.registry, self.recipe, self._on_step)

    def renew_features(self) -> None:
        """Set a feature store that cannot be read aside, and begin an empty one for `reindex` to fill."""
        with self._lock.holding("reindex"):
            try:
                self.feature_store.pending()
            except CatalogDamaged:
                broken = self.path / FEATURES
                if broken.exists():
                    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
                    broken.rename(broken.with_name(f"{FEATURES}.damaged-{stamp}"))
                FeatureStore.create(broken, self.recipe.extractor)

    def require(self, recipe: Recipe) -> None:
        """Raises RecipeMismatch when another extractor or encoder made the catalogue."""
        if recipe != self.recipe:
            raise RecipeMismatch(
                f"{self.path} was made with {self.recipe.extractor} and {self.recipe.encoder}, not with "
                f"{recipe.extractor} and {recipe.encoder}: run `turtleidx reindex` to read the originals again, or "
                "choose what it was made with where this version has it."
            )

    @contextmanager
    def writing(self, command: str, *, at_once: bool = False) -> Iterator[None]:
        """Be the one writer for a whole command; repairs what a crash left. Raises CatalogBusy naming the other."""
        with self._lock.holding(command, self._repair, at_once=at_once) as outermost, self._named(command):
            yield
            if outermost and "searcher" in self.__dict__:  # somebody asked
                self.searcher.save_if_worth()

    @contextmanager
    def _named(self, command: str) -> Iterator[None]:
        """What this thread's events name as their command is the outermost one."""
        named = self._command
        self._commands.name = named or command
        try:
            yield
        finally:
            self._commands.name = named

    @property
    def _command(self) -> str:
        return str(getattr(self._commands, "name", ""))

    @contextmanager
    def reading(self, as_of: int | None = None) -> Iterator[Session]:
        """Ask the registry questions; `as_of` shows it as it was after that event."""
        with self.registry.reading() as session:
            if as_of is not None:
                look_back(session, as_of)
            yield session

    @contextmanager
    def transaction(
        self, action: str, who: str, why: str = "", undoes: int | None = None, *, dry_run: bool = False
    ) -> Iterator[Transaction]:
        """Change the registry as one event of the present command; needs `writing`."""
        with self.registry.transaction(action, who, self._command, why, undoes, dry_run=dry_run) as transaction:
            yield transaction

    def enroll(self, photos: Sequence[PreparedPhoto], who: str) -> list[EnrollOutcome]:
        """Add a batch in one transaction; heads of files that are there already are left as they are.

        Raises StorageFull.
        """
        with self.writing("enroll"):
            heads = [(photo.sha256, photo.sighting.box) for photo in photos]
            batch = Batch.of(photos, self.sightings(heads, [photo.content for photo in photos]))
            added = self._add(batch.fresh, who) if batch.fresh else {}
            standing = self.standing_ids([photo.sighting.turtle for photo in photos if photo.sighting.turtle])
            return batch.outcomes(added, standing)

    def _add(self, fresh: Sequence[PreparedPhoto], who: str) -> dict[str, Photo]:
        self.feature_store.put(fresh)
        try:
            with self.transaction("enroll", who) as transaction:
                ids = place_photos(transaction, fresh, self.path.parent)
                found = read_photos(transaction, f"id IN ({several(ids)})")
        except BaseException:
            with contextlib.suppress(Exception):  # what cannot be taken back now, the next writer repairs
                self._repair()
            raise
        self.searcher.save_if_due()
        return {photo.key: photo for photo in found}

    def enrolled(self, sha256: Collection[str]) -> dict[str, Photo]:
        """Which of these files are in the catalogue, by sha256: the first sighting of each (removed ones are not)."""
        return enrolled_files(self.registry, sha256)

    def sightings(
        self, wanted: Sequence[tuple[str, HeadBox | None]], contents: Sequence[str | None] = ()
    ) -> list[Photo | None]:
        """Photos of the catalogue that show the same head of the same file (its sha256), in order; None for none.

        Parameters
        ----------
        contents : sequence of str or None
            Digests without metadata, by which a file is known whose metadata alone was written anew.
        """
        return same_sightings(self.registry, wanted, contents)

    def standing_ids(self, names: Collection[str]) -> dict[str, str]:
        """Ids that are known, and those that stand for them since they were merged."""
        return standing_ids(self.registry, names)

    def retired_owners(self, photos: Collection[int]) -> list[str]:
        """Ids of retired turtles among the owners of these photos: searches pass over them."""
        return retired_owners(self.registry, photos)

    def shortlist(
        self,
        query: Descriptor,
        k: int,
        where: GalleryFilter,
        per_turtle: int = 3,
        index: GalleryIndex | None = None,
    ) -> Shortlist:
        """The k photos nearest to a query's descriptor that the filter admits, `per_turtle` of one turtle at most.

        Parameters
        ----------
        index : GalleryIndex or None
            Searches in place of the catalogue's own index.
        """
        return self.searcher.shortlist(query, k, where, per_turtle, index)

    def whole_gallery(self, k: int, where: GalleryFilter, per_turtle: int = 3) -> Shortlist | None:
        """What `shortlist` gives to any query where it leaves nobody out, in order of enrolment, without a search.

        None where it would leave some out. The similarities are NaN: nobody was asked about.
        """
        return self.searcher.whole_gallery(k, where, per_turtle)

    def photos(self, where: GalleryFilter) -> list[Photo]:
        """Every searchable photo that a filter admits, in order of enrolment."""
        return self.searcher.photos(where)

    def count(self, where: GalleryFilter) -> int:
        """How many searchable photos a filter admits."""
        return self.searcher.count(where)

    def owners(self, ids: Int64) -> Owners:
        """Whom these photos show now, by the numbers of the photos, int64 [n]."""
        return self.searcher.owners(ids)

    def identified(self) -> int:
        """How many searchable photos show a known turtle; counted without reading them."""
        with self.registry.reading() as session:
            return count_identified(session)

    def drawn(self, most: int) -> list[Photo]:
        """All searchable photos of some turtles drawn at random, with the last of them so many photos or a few more."""
        with self.registry.reading() as session:
            return read_drawn(session, most)

    def vectors(self, photos: Sequence[Photo]) -> Descriptor:
        """Global descriptors of photos, [n, d]."""
        return self.searcher.vectors(np.array([photo.id for photo in photos], np.int64))

    def features(self, photos: Sequence[Kept]) -> list[LocalFeatures]:
        """Local features of photos. Raises CatalogDamaged where they are missing."""
        found = self.feature_store.features([photo.key for photo in photos])
        return [_present(features, photo, self.path) for features, photo in zip(found, photos, strict=True)]

    def thumbnail(self, photo: Kept) -> bytes:
        """A photo's working image as JPEG. Raises CatalogDamaged where it is missing."""
        return _present(self.feature_store.thumbnail(photo.key), photo, self.path)

    def next_turtle_id(self) -> str:
        """The first free id after the largest of the form T001."""
        with self.registry.reading() as session:
            largest = session.number(
                r"SELECT max(CAST(id[2:] AS BIGINT)) FROM turtles WHERE regexp_full_match(id, 'T\d{3,15}')"
            )
        return f"T{largest + 1:03d}"

    def save_model(self, kind: str, recipe: str, payload: str, who: str) -> None:
        """Keep a fitted model (JSON text) as the newest of its kind; that of another recipe steps aside for it."""
        with self.writing("fit"), self.transaction(f"save {kind}", who) as transaction:
            keep_model(transaction, kind, recipe, payload)

    def model(self, kind: str, recipe: str | None = None) -> StoredModel | None:
        """The newest model of a kind, of this recipe where one is named."""
        with self.registry.reading() as session:
            return newest_model(session, kind, recipe)

    def pair_cache(self, recipe: str, *, directed: bool = False) -> PairCache:
        """Confidences of pairs that were compared before with this matcher recipe; `directed` as in `PairCache`."""
        return PairCache(self.feature_store, recipe, self.writing, directed=directed)

    def write_learnt(self) -> None:
        """Keep what further extractors found; nothing while another process writes, or where nothing can be written."""
        if self.feature_store.second.has_learnt:
            with (
                contextlib.suppress(CatalogBusy, PermissionError, StorageFull),
                self.writing("keep features", at_once=True),
            ):
                self.feature_store.second.write()

    def setting(self, name: str) -> str | None:
        """The text of a setting, or None."""
        with self.registry.reading() as session:
            return read_setting(session, name)

    def set_setting(self, name: str, value: str, who: str) -> None:
        """Keep a setting."""
        with self.writing("settings"), self.registry.transaction(f"set {name}", who, self._command) as transaction:
            transaction.journal.put("settings", [{"name": name, "value": value}])

    def summary(self) -> CatalogSummary:
        """Counts, sizes on disk, models and what is not as it should be."""
        with self.registry.reading() as session:
            return summarize(session, self.feature_store, self.path / VECTORS, self.registry.path)

    def _repair(self) -> None:
        take_leftovers_away(self.path, self.registry, self.feature_store)


def _present(value: Stored | None, photo: Kept, path: Path) -> Stored:
    if value is None:
        raise CatalogDamaged(
            f"The features of {photo.path} are missing from {path}: restore a backup, or run `turtleidx reindex`."
        )
    return value
