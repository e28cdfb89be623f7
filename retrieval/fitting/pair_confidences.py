"""Confidences of photo pairs: from the catalogue's cache where they are known, compared and cached otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.features import PairCache
from index.types import Float32, Kept, LocalFeatures, Matches, Progress
from retrieval.engine import Engine
from retrieval.fitting.trials import Trial, ordered_pair
from retrieval.matching import Compare, verified
from retrieval.scoring import pair_confidences


class CachedComparison:
    """One way to compare photos, under the name by which its cache knows it."""

    def __init__(self, catalog: Catalog, name: str, compare: Compare, *, directed: bool = False) -> None:
        self._catalog = catalog
        self._compare = compare
        self._cache: PairCache = catalog.pair_cache(name, directed=directed)
        self.directed = directed
        self.compared = 0

    def confidences(self, key: str, features: Callable[[], LocalFeatures], others: Sequence[Kept]) -> list[Float32]:
        """Confidences of one photo with each of the others, as the cache rounds them; needs the writer's lock.

        Parameters
        ----------
        features : callable
            Gives the photo's features when a pair has to be compared.
        """
        keys = [(key, other.key) for other in others]
        known = self._cache.get(keys)
        missing = [place for place, found in enumerate(known) if found is None]
        if missing:
            own, theirs = features(), self._catalog.features([others[place] for place in missing])
            self._keep([keys[place] for place in missing], own, theirs)
            for place, rounded in zip(missing, self._cache.get([keys[place] for place in missing]), strict=True):
                known[place] = rounded
            self.compared += len(missing)
            self._catalog.write_learnt()
        return [found for found in known if found is not None]

    def _keep(self, keys: Sequence[tuple[str, str]], own: LocalFeatures, theirs: Sequence[LocalFeatures]) -> None:
        self._cache.put(keys, _confidences(own, theirs, self._compare(own, theirs)))


class VerifiedPairing(CachedComparison):
    """Matches with geometric verification that also keeps what the matcher alone said, at no cost.

    Raises ValueError where the engine does not verify.
    """

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        super().__init__(catalog, engine.comparison, engine.compare, directed=engine.directed)
        if engine.reranking.verification is None:
            raise ValueError("this engine does not verify")
        self._matcher, self._tolerances = engine.matcher, engine.reranking.verification
        self._unverified = catalog.pair_cache(unverified(engine).comparison, directed=engine.directed)

    def _keep(self, keys: Sequence[tuple[str, str]], own: LocalFeatures, theirs: Sequence[LocalFeatures]) -> None:
        matches = self._matcher.match(own, theirs)
        self._unverified.put(keys, _confidences(own, theirs, matches))
        self._cache.put(keys, _confidences(own, theirs, verified(own, theirs, matches, self._tolerances)))


def unverified(engine: Engine) -> Engine:
    """The same without geometric verification."""
    return replace(engine, reranking=replace(engine.reranking, verification=None))


def looks_of(catalog: Catalog, engine: Engine) -> CachedComparison:
    """The engine's first stage."""
    return CachedComparison(catalog, engine.looking, engine.look, directed=engine.directed)


def pairs_of(catalog: Catalog, engine: Engine) -> CachedComparison:
    """The engine's closer look."""
    return CachedComparison(catalog, engine.comparison, engine.compare, directed=engine.directed)


class Cascade:
    """What a search compares: whom the first look lets through to the matcher, and the others if the recipe says so.

    Parameters
    ----------
    pairs : CachedComparison or None
        Compares as the engine does; None makes one.
    """

    def __init__(self, catalog: Catalog, engine: Engine, pairs: CachedComparison | None = None) -> None:
        self._recipe = engine.reranking
        self.first_matches = looks_of(catalog, engine)
        self.pairs = pairs or pairs_of(catalog, engine)

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


def _confidences(own: LocalFeatures, theirs: Sequence[LocalFeatures], matches: Sequence[Matches]) -> list[Float32]:
    return [pair_confidences(one, len(own), len(it)) for one, it in zip(matches, theirs, strict=True)]


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
        for query, others in wanted.items():
            photo = self._photos[query]
            self.confidences += self._pairing.confidences(
                photo.key,
                partial(self._features, photo),
                [self._photos[row] for row in others],
            )
            if progress:
                progress(1, len(wanted))

    def of(self, trial: Trial) -> npt.NDArray[np.int64]:
        """Places of a trial's pairs in `confidences`, int64 [k]."""
        return np.array([self.rows[self._pair(trial.query, int(row))] for row in trial.shortlist], np.int64)

    def _pair(self, query: int, row: int) -> tuple[int, int]:
        return (query, row) if self._pairing.directed else ordered_pair(query, row)

    def _features(self, photo: Kept) -> LocalFeatures:
        [features] = self._catalog.features([photo])
        return features
