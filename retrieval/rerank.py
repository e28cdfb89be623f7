"""Re-ranking of a shortlist: a cheap first look at every candidate, the matcher on the promising, then geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from index.types import Float32, LocalFeatures, Matches
from retrieval.consensus import POSITIONS, has_frames, verify_positions
from retrieval.matcher import Compare, Matcher
from retrieval.nearest import NearestNeighbourMatcher, Verification, on_all_cores, verify


def verifying(verification: Verification | None) -> str:
    """Names what `verified` does, for caches."""
    return "unverified" if verification is None else f"{verification.id}+{POSITIONS}"


FIRST_LOOK = f"{NearestNeighbourMatcher.id}+{verifying(Verification())}"
"""Names what `first_look` does, for caches."""


@dataclass(frozen=True, slots=True)
class RerankRecipe:
    """How a shortlist is compared; the matcher's own id comes on top.

    Attributes
    ----------
    keep : int or None
        How many candidates the cascade lets the matcher see, those with the strongest first look; None: all.
    verification : Verification or None
        Geometric verification of the matches; None keeps them as the matcher gives them.
    others : float or None
        What those whom the matcher does not see are judged by: this share of their first look's confidences, as if the
        matcher had found nothing. None: they are not compared.
    """

    keep: int | None = None
    verification: Verification | None = field(default_factory=Verification)
    others: float | None = None

    @property
    def seen(self) -> str:
        """Names whom the matcher sees, and what becomes of the others."""
        if self.keep is None:
            return "all"
        return str(self.keep) if self.others is None else f"{self.keep}+{self.others:g}"


def rerank(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    matcher: Matcher,
    recipe: RerankRecipe,
    look: Compare | None = None,
) -> list[Matches | None]:
    """Matches of the query with each candidate, in order; None for those that were not compared.

    Parameters
    ----------
    look : callable or None
        How the cascade looks at all candidates; None takes `first_look`.
    """
    if recipe.keep is None or recipe.keep >= len(candidates):
        return [*compare(query, candidates, matcher, recipe.verification)]
    looks = (look or first_look)(query, candidates)
    seen = strongest([strength(one.confidence) for one in looks], recipe.keep)
    found: list[Matches | None] = [None] * len(candidates)
    if recipe.others is not None:
        found = [Matches(one.pairs, one.confidence * np.float32(recipe.others)) for one in looks]
    photos, known = [candidates[row] for row in seen], [looks[row] for row in seen]
    for row, matches in zip(seen, compare(query, photos, matcher, recipe.verification, known), strict=True):
        found[row] = matches
    return found


def compare(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    matcher: Matcher,
    verification: Verification | None,
    looks: Sequence[Matches] | None = None,
) -> list[Matches]:
    """Match the query with every candidate and verify the matches; `looks` as in `Matcher.match`."""
    found = matcher.match(query, candidates, looks)
    return found if verification is None else verified(query, candidates, found, verification)


def verified(
    query: LocalFeatures, candidates: Sequence[LocalFeatures], found: Sequence[Matches], verification: Verification
) -> list[Matches]:
    """The matches `found` with each candidate, those without confidence that geometry speaks against."""
    pairs = list(zip(candidates, found, strict=True))
    if not has_frames(query):
        return on_all_cores(lambda pair: verify_positions(query, pair[0], pair[1]), pairs)
    return on_all_cores(lambda pair: verify(query, pair[0], pair[1], verification), pairs)


def first_look(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
    """What decides whom the matcher sees: nearest neighbours that one affine map explains."""
    return compare(query, candidates, NearestNeighbourMatcher(), Verification())


def strength(confidences: Float32) -> float:
    """How promising a first look is: the sum of its confidences, whatever their order."""
    return float(confidences.sum(dtype=np.float64))


def strongest(strengths: Sequence[float], keep: int) -> Sequence[int]:
    """Row numbers, in order, of the `keep` strongest first looks, of equals the first."""
    return sorted(np.argsort(-np.asarray(strengths), kind="stable")[:keep].tolist())
