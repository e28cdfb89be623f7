"""The names of the ways to score a pair."""

from __future__ import annotations

from enum import StrEnum


class Score(StrEnum):
    """How a pair's confidences become one number; higher always speaks for the same turtle."""

    WASSERSTEIN = "wasserstein"
    WASSERSTEIN_DISTANCE = "wasserstein_distance"
    WASSERSTEIN_NULL_SCALE = "wasserstein_null_scale"
    STANDARDISED = "standardised"
    MATCH_COUNT = "match_count"
    CONFIDENCE_SUM = "confidence_sum"
