"""A first stage that looks at the query from several angles: verified neighbours of every simulated view, joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.features import VIEWS, views_of
from retrieval.matching.cascade import FIRST_STAGE, strength, verified
from retrieval.matching.fusion import NEIGHBOURS
from retrieval.matching.matcher import Compare, Matcher
from retrieval.matching.nearest import comparable, mutual_nearest_of_each
from retrieval.matching.verification import Verification, has_frames, verify_each
from retrieval.parallel import parts_on_all_cores

SEEN_FROM = 0.5
"""Strength of a candidate's first look with the photo as it is from which on the views are looked at, too.

Not quite half of all pairs reach it. Views of the others mostly add what chance finds.
"""
SEEN = f"{VIEWS}-from{SEEN_FROM:g}"
VIEWED = f"{FIRST_STAGE}+{SEEN}"
"""Names what `ViewedFirstStage` does, for caches."""


class ViewedFirstStage:
    """The first look at a shortlist with the query as it is and in its simulated views.

    A query keypoint's row number goes on behind the photo's own keypoints with those of the views, one after the other
    (`retrieval.features.with_views`), so that a candidate's keypoint may be matched once a view. Only matches that an
    affine map explains are given. Candidates that the photo as it is does not resemble at all are not seen in views.

    Parameters
    ----------
    on_gpu : callable
        Gives what compares one view with all candidates at once, on a GPU, or None, to give each core a few of them; it
        is asked with each query, so that it may take its time with the first one.
    """

    def __init__(self, on_gpu: Callable[[], Compare | None] = lambda: None) -> None:
        self._on_gpu = on_gpu

    def __call__(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        views, look = views_beside(query), self._on_gpu()
        if look is not None:
            return self._at_once(query, views, candidates, look)
        own, simulated, tolerances = comparable(query), [comparable(view) for view in views], Verification()

        def compare(part: Sequence[LocalFeatures]) -> list[Matches]:
            theirs = [*map(comparable, part)]
            parts = [[one] for one in verify_each(query, part, mutual_nearest_of_each(own, theirs), tolerances)]
            near = [row for row, (one,) in enumerate(parts) if strength(one.confidence) >= SEEN_FROM]
            seen = [part[row] for row in near]
            for view, described in zip(views, simulated, strict=True):
                found = mutual_nearest_of_each(described, [theirs[row] for row in near])
                for row, one in zip(near, verify_each(view, seen, found, tolerances), strict=True):
                    parts[row].append(one)
            return [_joined([query, *views], found) for found in parts]

        return parts_on_all_cores(compare, candidates)

    def _at_once(
        self, query: LocalFeatures, views: Sequence[LocalFeatures], candidates: Sequence[LocalFeatures], look: Compare
    ) -> list[Matches]:
        parts = [[one] for one in look(query, candidates)]
        near = [row for row, (one,) in enumerate(parts) if strength(one.confidence) >= SEEN_FROM]
        for view in views if near else ():
            for row, one in zip(near, look(view, [candidates[row] for row in near]), strict=True):
                parts[row].append(one)
        return [_joined([query, *views], found) for found in parts]


def of_photo_itself(query: LocalFeatures, first_matches: Matches) -> Matches:
    """The matches of the photo as it is."""
    own = first_matches.pairs[:, 0] < len(query)
    return Matches(first_matches.pairs[own], first_matches.confidence[own])


class ViewedNeighbours:
    """The first stage itself as a matcher."""

    id = VIEWED

    def __init__(self, look: ViewedFirstStage) -> None:
        self._look = look

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`."""
        return self._look(query, candidates) if first_matches is None else [*first_matches]


class ViewedMatcher:
    """A matcher for the photo as it is, and beside it what the first stage found in the simulated views.

    Its matches are verified here: those of the views have been.
    """

    def __init__(self, matcher: Matcher, look: ViewedFirstStage) -> None:
        self._matcher = matcher
        self._look = look
        self.id = f"{matcher.id}+{SEEN}"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; views' matches count by the neighbours' share. Raises as the matcher."""
        looks = self._look(query, candidates) if first_matches is None else first_matches
        own = [of_photo_itself(query, one) for one in looks]
        sure = self._matcher.match(query, candidates, own)
        kept = verified(query, candidates, sure, Verification())
        return [_with_views_of(query, one, look) for one, look in zip(kept, looks, strict=True)]


def _with_views_of(query: LocalFeatures, sure: Matches, look: Matches) -> Matches:
    seen = look.pairs[:, 0] >= len(query)
    return Matches(
        np.concatenate([sure.pairs, look.pairs[seen]]),
        np.concatenate([sure.confidence, look.confidence[seen] * np.float32(NEIGHBOURS)]),
    )


@runtime_checkable
class ViewsAtHand(Protocol):
    """A photo's source that may know its simulated views."""

    @property
    def views(self) -> tuple[LocalFeatures, ...] | None:
        """None where they have to be made."""


def views_beside(query: LocalFeatures) -> tuple[LocalFeatures, ...]:
    """The simulated views of a photo, where it can have any."""
    if query.source is None or not has_frames(query) or query.descriptors.dtype != np.uint8:
        return ()
    known = query.source.views if isinstance(query.source, ViewsAtHand) else None
    if known is not None:
        return known
    return views_of(query.source.image(), len(query))


def _joined(views: Sequence[LocalFeatures], parts: Sequence[Matches]) -> Matches:
    pairs, confidence, before = [], [], 0
    for view, found in zip(views, parts, strict=False):  # those that were looked at
        kept = found.confidence > 0
        pairs.append(found.pairs[kept] + np.array([before, 0], np.int32))
        confidence.append(found.confidence[kept])
        before += len(view)
    return Matches(np.concatenate(pairs), np.concatenate(confidence))
