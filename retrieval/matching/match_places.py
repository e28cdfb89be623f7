"""Where matches lie in two photos, whichever of a photo's keypoints their row numbers mean."""

from __future__ import annotations

import numpy as np

from index.types import LocalFeatures, Matches
from retrieval.features import with_views
from retrieval.images import LinkedPoints, linked_points
from retrieval.matching.experts import TwoExperts
from retrieval.matching.matcher import Matcher


def places(query: LocalFeatures, candidate: LocalFeatures, matches: Matches, matcher: Matcher) -> LinkedPoints:
    """The matches that count of a pair that this matcher compared.

    Row numbers of the query go on with its simulated views, those of both photos with the second expert's keypoints.
    """
    own, other = _with_second(query, candidate, matches, matcher)
    at, to = matches.pairs[:, 0], matches.pairs[:, 1]
    second = to >= len(candidate)
    confidence = matches.confidence.astype(np.float64)
    return linked_points((query.size, candidate.size), own[at], other[to], confidence, second)


def _with_second(
    query: LocalFeatures, candidate: LocalFeatures, matches: Matches, matcher: Matcher
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    viewed = len(matches) > 0 and int(matches.pairs[:, 0].max()) >= len(query)
    parts = [(with_views(query) if viewed else query).xy, candidate.xy]
    if isinstance(matcher, TwoExperts) and (matches.pairs[:, 1] >= len(candidate)).any():
        for place, second in enumerate(matcher.second_features([query, candidate])):
            parts[place] = parts[place] if second is None else np.concatenate([parts[place], second.xy])
    own, other = (one.astype(np.float64) for one in parts)
    return own, other
