"""Confidences of photo pairs: from the catalogue's cache where they are known, compared and cached otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.features import PairCache
from index.types import Float32, Kept, LocalFeatures, Progress
from retrieval.engine import Engine
from retrieval.fitting.trials import Trial, ordered_pair
from retrieval.parallel import in_parts
from retrieval.pipeline import Comparing, Confidences, PairBatch, PairPool, compared, extractors_beside


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A photo, by what its features are kept under, and the others that it is to be compared with.

    Attributes
    ----------
    features : callable
        Gives the photo's features when a pair has to be compared.
    """

    key: str
    features: Callable[[], LocalFeatures]
    others: Sequence[Kept]


class CachedComparison:
    """One way to compare photos, with the caches that know it; needs the writer's lock.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared that are planned ahead; None compares each when it is asked for.
    """

    def __init__(self, catalog: Catalog, engine: Engine, comparing: Comparing, pool: PairPool | None = None) -> None:
        self._catalog, self._engine, self._comparing = catalog, engine, comparing
        self._pool = None if engine.matching is None else pool
        self._name = engine.looking if comparing is Comparing.LOOK else engine.comparison
        self._cache = self._cache_of(self._name)
        self.compared = 0

    @property
    def directed(self) -> bool:
        """Whether the order of a pair matters."""
        return self._engine.directed

    @property
    def spreads(self) -> bool:
        """Whether a pool compares what is planned."""
        return self._pool is not None

    @property
    def ahead(self) -> int:
        """For so many photos at a time pairs are to be planned."""
        return 1 if self._pool is None else self._pool.ahead

    def confidences(self, key: str, features: Callable[[], LocalFeatures], others: Sequence[Kept]) -> list[Float32]:
        """Confidences of one photo with each of the others, as the cache rounds them; arguments as in `Wanted`."""
        keys = [(key, other.key) for other in others]
        known = self._cache.get(keys)
        missing = [place for place, found in enumerate(known) if found is None]
        if missing:
            own, theirs = features(), self._catalog.features([others[place] for place in missing])
            self._keep([keys[place] for place in missing], compared(self._engine, self._comparing, own, theirs))
            for place, rounded in zip(missing, self._cache.get([keys[place] for place in missing]), strict=True):
                known[place] = rounded
        return [found for found in known if found is not None]

    def plan(self, wanted: Sequence[Wanted]) -> None:
        """Have the pool compare what no cache knows, each pair once, so that `confidences` finds it; else nothing.

        What is compared together is what `confidences` would compare together, photo by photo in this order.
        """
        if self._pool is None:
            return
        missing = self._missing(wanted)
        if extractors := extractors_beside(self._engine, self._comparing):
            lacking = self._lacking(missing, extractors)
            for _ in self._pool.prepare(self._engine, extractors, lacking):
                self._catalog.write_learnt()
        batches = (
            PairBatch((one.key, *(other.key for other in one.others)), partial(self._features, one)) for one in missing
        )
        for batch, found in self._pool.compare(self._engine, self._comparing, batches):
            own, *others = batch.keys
            self._keep([(own, other) for other in others], found)

    def _features(self, one: Wanted, places: Sequence[int]) -> list[LocalFeatures]:
        """Of the photo, which is at place 0, and of the others."""
        others = iter(self._catalog.features([one.others[place - 1] for place in places if place]))
        return [next(others) if place else one.features() for place in places]

    def _missing(self, wanted: Sequence[Wanted]) -> list[Wanted]:
        asked: set[tuple[str, str]] = set()
        missing = []
        for one in wanted:
            keys = [(one.key, other.key) for other in one.others]
            unknown = []
            for other, pair, found in zip(one.others, keys, self._cache.get(keys), strict=True):
                pair = pair if self.directed else (min(pair), max(pair))
                if found is None and pair not in asked:
                    unknown.append(other)
                    asked.add(pair)
            if unknown:
                missing.append(replace(one, others=unknown))
        return missing

    def _lacking(self, missing: Sequence[Wanted], extractors: Sequence[str]) -> Iterator[LocalFeatures]:
        """Photos of which not all further features are known, each once."""
        seen: set[str] = set()
        for one in missing:
            fresh = [other for other in {other.key: other for other in one.others}.values() if other.key not in seen]
            photos = self._catalog.features(fresh)
            if one.key not in seen:
                photos = [one.features(), *photos]
            seen.update((one.key, *(other.key for other in fresh)))
            for photo in photos:
                if photo.source is not None and any(photo.source.beside(name) is None for name in extractors):
                    yield photo

    def _keep(self, keys: Sequence[tuple[str, str]], found: Confidences) -> None:
        for name, confidences in found.items():
            (self._cache if name == self._name else self._cache_of(name)).put(keys, confidences)
        self.compared += len(keys)
        self._catalog.write_learnt()

    def _cache_of(self, name: str) -> PairCache:
        return self._catalog.pair_cache(name, directed=self._engine.directed)


def looks_of(catalog: Catalog, engine: Engine, pool: PairPool | None = None) -> CachedComparison:
    """The engine's first stage."""
    return CachedComparison(catalog, engine, Comparing.LOOK, pool)


def pairs_of(catalog: Catalog, engine: Engine, pool: PairPool | None = None) -> CachedComparison:
    """The engine's closer look."""
    return CachedComparison(catalog, engine, Comparing.MATCH, pool)


def verified_pairs_of(catalog: Catalog, engine: Engine, pool: PairPool | None = None) -> CachedComparison:
    """The same, which also keeps what the matcher said before geometry spoke, at no cost."""
    return CachedComparison(catalog, engine, Comparing.BOTH, pool)


class Cascade:
    """What a search compares: whom the first look lets through to the matcher, and the others if the recipe says so.

    Parameters
    ----------
    pairs : CachedComparison or None
        Compares as the engine does; None makes one.
    pool : PairPool or None
        As in `CachedComparison`.
    """

    def __init__(
        self, catalog: Catalog, engine: Engine, pairs: CachedComparison | None = None, pool: PairPool | None = None
    ) -> None:
        self._recipe = engine.reranking
        self.first_matches = looks_of(catalog, engine, pool)
        self.pairs = pairs or pairs_of(catalog, engine, pool)

    @property
    def ahead(self) -> int:
        """As `CachedComparison.ahead`."""
        return self.pairs.ahead

    def plan(self, wanted: Sequence[Wanted]) -> None:
        """As `CachedComparison.plan`, of what `compare` asks for."""
        if not self.pairs.spreads:
            return
        looked_at = [one for one in wanted if not self._recipe.sees_all(len(one.others))]
        self.first_matches.plan(looked_at)
        self.pairs.plan([self._let_through(one) for one in wanted])

    def _let_through(self, one: Wanted) -> Wanted:
        if self._recipe.sees_all(len(one.others)):
            return one
        first_matches = self.first_matches.confidences(one.key, one.features, one.others)
        return replace(one, others=[one.others[row] for row in self._recipe.kept(first_matches)])

    def compare(
        self, key: str, features: Callable[[], LocalFeatures], others: Sequence[Kept]
    ) -> tuple[list[int], list[Float32]]:
        """Which of the others were compared, by place in order, and their confidences; arguments of `confidences`."""
        if self._recipe.sees_all(len(others)):
            return list(range(len(others))), self.pairs.confidences(key, features, others)
        first_matches = self.first_matches.confidences(key, features, others)
        seen = self._recipe.kept(first_matches)
        found = dict(zip(seen, self.pairs.confidences(key, features, [others[row] for row in seen]), strict=True))
        unseen = {row: self._recipe.unseen(one) for row, one in enumerate(first_matches)}
        found = {row: one for row, one in unseen.items() if one is not None} | found
        return sorted(found), [found[row] for row in sorted(found)]


class Compared:
    """The pairs of planned searches, by row numbers of a table of photos.

    Attributes
    ----------
    rows : dict
        Place of each pair in `confidences`.
    """

    def __init__(self, photos: Sequence[Kept], catalog: Catalog, pairing: CachedComparison) -> None:
        self._photos = photos
        self._catalog = catalog
        self._pairing = pairing
        self.rows: dict[tuple[int, int], int] = {}
        self.confidences: list[Float32] = []

    def run(self, trials: Sequence[Trial], progress: Progress | None = None) -> None:
        """Fetch or compare every pair."""
        wanted: dict[int, list[int]] = defaultdict(list)
        for trial in trials:
            for row in map(int, trial.shortlist):
                pair = self._pair(trial.query, row)
                if pair not in self.rows:
                    self.rows[pair] = len(self.rows)
                    wanted[trial.query].append(row)
        for part in in_parts(wanted.items(), self._pairing.ahead):
            searches = [self._wanted(query, others) for query, others in part]
            self._pairing.plan(searches)
            for one in searches:
                self.confidences += self._pairing.confidences(one.key, one.features, one.others)
                if progress:
                    progress(1, len(wanted))

    def of(self, trial: Trial) -> npt.NDArray[np.int64]:
        """Places of a trial's pairs in `confidences`, int64 [k]."""
        return np.array([self.rows[self._pair(trial.query, int(row))] for row in trial.shortlist], np.int64)

    def _pair(self, query: int, row: int) -> tuple[int, int]:
        return (query, row) if self._pairing.directed else ordered_pair(query, row)

    def _wanted(self, query: int, others: Sequence[int]) -> Wanted:
        photo = self._photos[query]
        return Wanted(photo.key, partial(self._features, photo), [self._photos[row] for row in others])

    def _features(self, photo: Kept) -> LocalFeatures:
        [features] = self._catalog.features([photo])
        return features
