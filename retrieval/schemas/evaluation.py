"""The JSON object of an evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from retrieval.evaluation import Comparison, Evaluation
from retrieval.novelty import DecisionPolicy
from retrieval.parallel import peak_memory_gib


def evaluation_record(
    description: str, comparison: Comparison, groups: Sequence[Evaluation], policy: DecisionPolicy, recipe: str
) -> dict[str, object]:
    """The documented JSON object of an evaluation; figures that do not exist are null."""
    return {
        "protocol": description,
        "recipe": recipe,
        "prior_new": policy.prior_new,
        "promised": asdict(policy.rates),
        "methods": [
            json.loads(method.evaluation.to_json())
            | {
                "seconds_a_query": round(method.seconds, 4),
                "bytes_a_photo": round(method.bytes_a_photo) if math.isfinite(method.bytes_a_photo) else None,
            }
            for method in comparison.methods
        ],
        "groups": [json.loads(group.to_json()) for group in groups],
        "peak_memory_gib": peak_memory_gib(),
        "left_out": [asdict(refusal) for refusal in comparison.left_out],
    }
