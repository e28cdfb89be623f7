"""How photos lie against each other: networks are trained on heads of about one orientation, photographers are not.

Raw nearest neighbours vote too faintly: where they are verified, those that one affine map explains agree on the
rotation of nearly every pair of one turtle, and of most pairs of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

import numpy as np

from index.types import Int32, LocalFeatures, Matches
from retrieval.matching.lightglue.config import AGREED, BINS
from retrieval.matching.verification import in_order


def rotations(query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches]) -> Int32:
    """By how many eighths of a circle, clockwise, one photo of each pair has to be turned to lie like the other.

    Of two photos always the same one is turned, so that it does not matter which of them is the query.

    Parameters
    ----------
    first_matches : sequence of Matches
        Verified matches with each of the C candidates; where few are left, nothing says that the photos are turned.

    Returns
    -------
    int32 [C]
        From -4 to 4, the mean of the matches' differences of orientation, by confidence: above zero the query is
        turned, below zero the candidate.
    """
    eighths = np.zeros(len(candidates), np.int32)
    for row, (candidate, look) in enumerate(zip(candidates, first_matches, strict=True)):
        if np.count_nonzero(look.confidence) >= AGREED:
            difference = candidate.orientation[look.pairs[:, 1]] - query.orientation[look.pairs[:, 0]]
            # exact sums: what is left of half a circle's sine must not depend on the order of the matches
            east, north = (fsum(look.confidence * part(difference)) for part in (np.cos, np.sin))
            if north == 0 and not in_order(query, candidate):
                north = -0.0  # half a circle either way
            eighths[row] = np.rint(np.arctan2(north, east) * BINS / (2 * np.pi))
    return eighths
