"""Re-ranking of a shortlist: a cheap first look at every candidate, the matcher on the promising, then geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from index.types import Float32, LocalFeatures, Matches
from retrieval.matching.matcher import Compare, Matcher
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.matching.position_verification import POSITIONS, verify_positions
from retrieval.matching.verification import Verification, has_frames, verify_each
from retrieval.parallel import on_all_cores, parts_on_all_cores

Closer = Callable[[Sequence[int], Sequence[Matches] | None], Sequence[Matches]]
"""From rows of candidates, and their first matches where there are any, to the matcher's verified matches."""

if TYPE_CHECKING:
    import torch  # takes seconds to import


def verifying(verification: Verification | None) -> str:
    """Names what `verified` does, for caches."""
    return "unverified" if verification is None else f"{verification.id}+{POSITIONS}"


FIRST_STAGE = f"{NearestNeighbourMatcher.id}+{verifying(Verification())}"
"""Names what `first_stage` does, for caches."""


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

    def kept(self, first_stage: Sequence[Float32]) -> Sequence[int]:
        """Whom the matcher sees, by row in order: those whose first stage is strongest, of equals the first.

        Parameters
        ----------
        first_stage : sequence of float32 [n]
            Confidences of each candidate's first stage, in any order.
        """
        return strongest([strength(one) for one in first_stage], self.keep)

    def sees_all(self, candidates: int) -> bool:
        """Whether the matcher sees all of so many candidates, so that nobody needs a first stage."""
        return self.keep is None or self.keep >= candidates

    def unseen(self, confidences: Float32) -> Float32 | None:
        """What those whom the matcher does not see are judged by; None: they are not compared."""
        return None if self.others is None else confidences * np.float32(self.others)


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
        How the cascade looks at all candidates; None takes `first_stage`.
    """

    def closer(rows: Sequence[int], first_matches: Sequence[Matches] | None) -> Sequence[Matches]:
        seen = [candidates[row] for row in rows]
        return compare(query, seen, matcher, recipe.verification, first_matches)

    return cascaded(recipe, len(candidates), lambda: (look or first_stage)(query, candidates), closer)


def cascaded(
    recipe: RerankRecipe, candidates: int, look: Callable[[], Sequence[Matches]], closer: Closer
) -> list[Matches | None]:
    """As `rerank`, wherever the candidates lie.

    Parameters
    ----------
    candidates : int
        How many there are.
    look : callable
        Looks at all of them, in order; only called where the matcher does not see all.
    closer : callable
        Compares the candidates of these rows.
    """
    if recipe.sees_all(candidates):
        return [*closer(range(candidates), None)]
    first_matches = look()
    seen = recipe.kept([one.confidence for one in first_matches])
    found = [
        None if (confidence := recipe.unseen(one.confidence)) is None else Matches(one.pairs, confidence)
        for one in first_matches
    ]
    for row, matches in zip(seen, closer(seen, [first_matches[row] for row in seen]), strict=True):
        found[row] = matches
    return found


def compare(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    matcher: Matcher,
    verification: Verification | None,
    first_matches: Sequence[Matches] | None = None,
) -> list[Matches]:
    """Match the query with every candidate and verify the matches; `first_matches` as in `Matcher.match`."""
    found = matcher.match(query, candidates, first_matches)
    return found if verification is None else verified(query, candidates, found, verification)


def verified(
    query: LocalFeatures, candidates: Sequence[LocalFeatures], found: Sequence[Matches], verification: Verification
) -> list[Matches]:
    """The matches `found` with each candidate, those without confidence that geometry speaks against."""
    pairs = list(zip(candidates, found, strict=True))
    if not has_frames(query):
        return on_all_cores(lambda pair: verify_positions(query, pair[0], pair[1]), pairs)

    def together(part: Sequence[tuple[LocalFeatures, Matches]]) -> list[Matches]:
        return verify_each(query, [one for one, _ in part], [matches for _, matches in part], verification)

    return parts_on_all_cores(together, pairs)


def first_stage(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
    """What decides whom the matcher sees: nearest neighbours that one affine map explains."""
    return compare(query, candidates, NearestNeighbourMatcher(), Verification())


def strength(confidences: Float32) -> float:
    """How promising a first look is: the sum of its confidences, whatever their order."""
    return float(confidences.sum(dtype=np.float64))


def strongest(strengths: Sequence[float], keep: int | None) -> Sequence[int]:
    """Row numbers, in order, of the `keep` strongest first stages (None: all), of equals the first."""
    return sorted(np.argsort(-np.asarray(strengths), kind="stable")[:keep].tolist())


def choose_first_stage(device: torch.device) -> Compare:
    """The first look at a shortlist: at once on a GPU where keypoints have scale and orientation, else on all cores."""
    if device.type == "cpu":
        return first_stage
    from retrieval.matching.nearest_gpu import first_stage_gpu

    def look(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        return first_stage_gpu(query, candidates, device) if has_frames(query) else first_stage(query, candidates)

    return look
