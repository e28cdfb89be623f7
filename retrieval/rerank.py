"""Re-ranking of a shortlist: a cheap first look at every candidate, the matcher on the promising, then geometry."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.matcher import Matcher
from retrieval.nearest import Verification, verify


@dataclass(frozen=True, slots=True)
class RerankRecipe:
    """How a shortlist is compared; the matcher's own id comes on top.

    Attributes
    ----------
    keep : int or None
        How many candidates the cascade lets the matcher see, those with the strongest putative matches; None: all.
    verification : Verification or None
        Geometric verification of the matches; None keeps them as the matcher gives them.
    """

    keep: int | None = None
    verification: Verification | None = field(default_factory=Verification)

    @property
    def id(self) -> str:
        seen = "all" if self.keep is None else f"top{self.keep}"
        return f"{seen}-{self.verification.id if self.verification else 'unverified'}"


def rerank(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    matcher: Matcher,
    recipe: RerankRecipe,
    device: str | None = None,
) -> list[Matches | None]:
    """Matches of the query with each candidate, in order; None for those that were not compared.

    `device` is where the first look is computed, as in `batching.choose_device`.
    """
    seen = cascade(query, candidates, recipe.keep, device)
    found = matcher.match(query, [candidates[row] for row in seen])
    if recipe.verification is not None:
        tolerances = recipe.verification
        with ThreadPoolExecutor(cpu_count()) as cores:
            pairs = zip(seen, found, strict=True)
            found = list(cores.map(lambda pair: verify(query, candidates[pair[0]], pair[1], tolerances), pairs))
    compared = dict(zip(seen, found, strict=True))
    return [compared.get(row) for row in range(len(candidates))]


def cascade(
    query: LocalFeatures, candidates: Sequence[LocalFeatures], keep: int | None, device: str | None = None
) -> list[int]:
    """Row numbers, in order, of the `keep` candidates with the strongest putative matches, of equals the first."""
    if keep is None or keep >= len(candidates):
        return list(range(len(candidates)))
    # torch takes seconds to import, and a shortlist that is compared whole may not need it
    from retrieval.batching import choose_device
    from retrieval.putative import putative_matches

    strength = putative_matches(query, candidates, choose_device(device)).strength
    return sorted(np.argsort(-strength, kind="stable")[:keep].tolist())
