"""Match confidences of photo pairs that were compared before, so that fits are cheap to repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from index.features.store import FeatureStore
from index.types import Float32


class PairCache:
    """Sorted confidences by photo pair and matcher recipe; never scores.

    The order of a pair matters only to a recipe that looks at query and candidate in different ways (`directed`).

    Kept as float16 without zeros, at most 1 KB a pair: pairs with more than 505 matches are thinned to quantiles.
    """

    def __init__(
        self,
        store: FeatureStore,
        recipe: str,
        writing: Callable[[str], AbstractContextManager[None]],
        *,
        directed: bool = False,
    ) -> None:
        self._store = store
        self._recipe = hashlib.blake2b(recipe.encode(), digest_size=16).digest()
        self._writing = writing
        self._directed = directed

    def get(self, pairs: Sequence[tuple[str, str]]) -> list[Float32 | None]:
        """Confidences float32 [n] in rising order for pairs of sha256; None where there are none."""
        return self._store.confidences(self._recipe, pairs, directed=self._directed)

    def missing(self, pairs: Sequence[tuple[str, str]]) -> int:
        """How many of these pairs of sha256 have no record; reads none of them."""
        return self._store.count_missing(self._recipe, pairs, directed=self._directed)

    def put(self, pairs: Sequence[tuple[str, str]], confidences: Sequence[Float32]) -> None:
        """Keep the confidences (float32 [n] in 0..1, zeros for keypoints without a match) of pairs of sha256."""
        with self._writing("cache pairs"):
            self._store.put_confidences(self._recipe, pairs, confidences, directed=self._directed)
