"""Two experts: SIFT in several views says whom the second one sees, and both together how alike two photos are.

SIFT with one affine map is sure of what is seen from one angle; the published ALIKED-LightGlue was trained on photos
from many. It finds its keypoints in the stored working images of both photos, and only its sure matches count: the many
faint ones are as frequent between different turtles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.features import Extractor, upright
from retrieval.matching.matcher import Compare, Matcher
from retrieval.matching.second_features import second_features
from retrieval.matching.views import VIEWED, views_beside

SURE = 0.5
"""Confidence from which one of the second expert's matches counts."""
WEIGHT = 1 / 20
"""What it then counts, beside the confidences of SIFT's matches."""


class TwoExperts:
    """The matcher of both.

    The row numbers of the second expert's keypoints go on behind the SIFT keypoints of either photo, those of the query
    behind its simulated views. Where one of the photos has fewer than 64 second keypoints, SIFT alone judges the pair.

    Parameters
    ----------
    look : Compare
        SIFT in several views; its matches are verified.
    extractor : Extractor
        Finds the second keypoints in stored working images.
    network : Matcher
        Matches them.
    """

    def __init__(self, look: Compare, extractor: Extractor, network: Matcher) -> None:
        self._look, self._extractor, self._network = look, extractor, network
        self.id = f"{VIEWED}+{extractor.id}+{network.id}-{SURE:g}x{WEIGHT:g}"

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`. Raises as extractor and network."""
        looks = self._look(query, candidates) if first_matches is None else first_matches
        photos = [query, *candidates]
        second = [upright(one, photo) for one, photo in zip(self.second_features(photos), photos, strict=True)]
        own, others = second[0], second[1:]
        rows = [row for row, one in enumerate(others) if own is not None and one is not None]
        sure: dict[int, Matches] = {}
        if own is not None:
            found = self._network.match(own, [one for one in others if one is not None])
            sure = dict(zip(rows, found, strict=True))
        return [
            _beside(query, candidate, look, sure.get(row))
            for row, (candidate, look) in enumerate(zip(candidates, looks, strict=True))
        ]

    @property
    def beside(self) -> tuple[str, ...]:
        """The second expert's extractor."""
        return (self._extractor.id,)

    def prepare(self, photos: Sequence[LocalFeatures]) -> None:
        """As `ReadsBeside.prepare`."""
        self.second_features(photos)

    def second_features(self, photos: Sequence[LocalFeatures]) -> list[LocalFeatures | None]:
        """The second expert's keypoints of photos; None where there are too few."""
        return second_features(photos, self._extractor)


def _beside(query: LocalFeatures, candidate: LocalFeatures, look: Matches, sure: Matches | None) -> Matches:
    if sure is None:
        return look
    kept = sure.confidence > SURE
    behind = len(query) + sum(len(view) for view in views_beside(query))
    pairs = sure.pairs[kept] + np.array([behind, len(candidate)], np.int32)
    confidence = np.full(len(pairs), WEIGHT, np.float32)
    return Matches(np.concatenate([look.pairs, pairs]), np.concatenate([look.confidence, confidence]))
