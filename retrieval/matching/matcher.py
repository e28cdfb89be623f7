"""What every matcher does, whichever network or rule is behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from index.types import LocalFeatures, Matches

Compare = Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]
"""Matches of one photo with each of the others."""


class Matcher(Protocol):
    """Matches one query against many candidates."""

    @property
    def id(self) -> str:
        """Names the method, its weights and its settings; fitted models and caches are keyed with it."""

    def match(
        self,
        query: LocalFeatures,
        candidates: Sequence[LocalFeatures],
        first_matches: Sequence[Matches] | None = None,
        /,
    ) -> list[Matches]:
        """All mutual matches with each candidate, in order; what one candidate gets does not depend on the others.

        Parameters
        ----------
        first_matches : sequence of Matches, optional
            Verified nearest neighbours with each candidate, where they are known already: they say how the photos lie.
        """


@runtime_checkable
class ReadsBeside(Protocol):
    """A matcher that needs what further extractors find in the photos' stored working images."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Their ids."""

    def prepare(self, photos: Sequence[LocalFeatures], /) -> None:
        """Find what is not known yet; the photos' sources keep it. Raises as the extractors."""
