"""What an answer rested on, as it is kept with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from retrieval.web.settings import ReviewSettings

if TYPE_CHECKING:
    from retrieval.web.queue.comparing import Item  # what compares photos takes seconds to import


def evidence_text(item: Item | None, settings: ReviewSettings, recipe: str | None) -> str:
    """JSON text of what an answer rested on."""
    if item is None:
        return "{}"
    group = item.group
    candidates = [
        {
            "turtle": one.turtle,
            "score": one.score,
            "probability": one.probability,
            "matches": one.matches,
            "photo": one.photo.sha256,
        }
        for one in group.candidates[:9]
    ]
    record = {
        "turtle": group.turtle,
        "reason": group.reason,
        "p_new": group.p_new,
        "candidates": candidates,
        "encounters": list(group.encounters),
        "photos": [one.sha256 for one in item.photos],
        "side": None if not item.photos or item.photos[0].side is None else str(item.photos[0].side),
        "taken_on": None if item.waiting.day is None else str(item.waiting.day),
        "recipe": recipe,
        "terms": asdict(settings),
        "asked_by": "review",
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False)
