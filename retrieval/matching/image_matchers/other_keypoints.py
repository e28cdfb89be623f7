"""Another extractor's keypoints and the network for them, on a catalogue that was made with its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.features import Extractor, upright
from retrieval.matching.cascade import first_stage
from retrieval.matching.matcher import Compare, Matcher
from retrieval.matching.second_features import second_features


class OtherKeypoints:
    """Finds the keypoints in stored working images; row numbers of matches are those of the found ones.

    Parameters
    ----------
    extractor : Extractor
    network : Matcher
        Matches what it finds.
    """

    def __init__(self, extractor: Extractor, network: Matcher) -> None:
        self.id = f"{extractor.id}+{network.id}"
        self.extractor = extractor.id
        self._extractor, self._network = extractor, network

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; photos with too few keypoints match nobody. Raises as extractor and network."""
        del first_matches  # they number other keypoints
        return self._each(query, candidates, lambda own, others: self._network.match(own, others))

    @property
    def beside(self) -> tuple[str, ...]:
        """The other extractor."""
        return (self.extractor,)

    def prepare(self, photos: Sequence[LocalFeatures]) -> None:
        """As `ReadsBeside.prepare`."""
        second_features(photos, self._extractor)

    def first_stage(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        """Verified nearest neighbours among the same keypoints."""
        return self._each(query, candidates, first_stage)

    def _each(self, query: LocalFeatures, candidates: Sequence[LocalFeatures], compare: Compare) -> list[Matches]:
        own, *others = second_features([query, *candidates], self._extractor)
        found = [_nobody()] * len(others)
        if own is None:
            return found
        rows = [row for row, one in enumerate(others) if one is not None]
        shown = [upright(others[row], candidates[row]) for row in rows]
        asked = upright(own, query) or own
        for row, matches in zip(rows, compare(asked, [one for one in shown if one is not None]), strict=True):
            other = others[row]
            assert other is not None
            found[row] = Matches(
                matches.pairs, matches.confidence, (own.xy[matches.pairs[:, 0]], other.xy[matches.pairs[:, 1]])
            )
        return found


def _nobody() -> Matches:
    nowhere = np.zeros((0, 2), np.float32)
    return Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32), (nowhere, nowhere))
