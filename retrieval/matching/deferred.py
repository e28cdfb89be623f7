"""A matcher whose network is loaded when it sees its first pair: most work finds its pairs compared already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock

from index.errors import RecipeMismatch
from index.types import LocalFeatures, Matches
from retrieval.matching.matcher import Matcher


class DeferredMatcher:
    """The matcher that `load` gives, under the id that it is known to have.

    Parameters
    ----------
    known_id : str
    load : callable
        Raises what `match` then raises.
    """

    def __init__(self, known_id: str, load: Callable[[], Matcher]) -> None:
        self.id = known_id
        self._load = load
        self._once = Lock()

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`. Raises as the matcher, and RecipeMismatch where it has another id than was said."""
        with self._once:
            matcher = self.matcher
        return matcher.match(query, candidates, first_matches)

    @cached_property
    def matcher(self) -> Matcher:
        """The matcher itself, loaded."""
        matcher = self._load()
        if matcher.id != self.id:
            raise RecipeMismatch(f"The weights of {self.id} were changed while they were to be loaded.")
        return matcher
