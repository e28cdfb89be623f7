"""The documented JSON objects of answers about photos and encounters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.pipeline import AnsweredEncounter

if TYPE_CHECKING:
    from retrieval.pipeline import Identification


def identification_record(answer: Identification, top: int) -> dict[str, object]:
    """The documented JSON object of one query photo."""
    return {
        "photo": answer.photo,
        "verdict": str(answer.verdict),
        "turtle": answer.turtle,
        "p_new": answer.p_new,
        "p_new_interval": None if answer.p_new is None else [answer.p_new_low, answer.p_new_high],
        "p_not_compared": answer.p_not_compared,
        "reason": answer.reason,
        "candidates": [
            {
                "turtle": candidate.turtle,
                "score": candidate.score,
                "probability": candidate.probability,
                "matches": candidate.matches,
                "photo": candidate.photo.path,
            }
            for candidate in answer.candidates[:top]
        ],
        "compared": {"photos": answer.compared_photos, "turtles": answer.compared_turtles},
        "gallery": {"photos": answer.gallery_photos, "turtles": answer.gallery_turtles},
        "matcher": answer.matcher,
        "seconds": round(answer.seconds, 3),
    }


def encounter_answer_record(one: AnsweredEncounter, top: int) -> dict[str, object]:
    """The documented JSON object of one encounter."""
    found = one.found
    return {
        "encounter": found.name,
        "verdict": str(found.verdict),
        "turtle": found.turtle,
        "p_new": found.p_new,
        "p_new_interval": None if found.p_new is None else [found.p_new_low, found.p_new_high],
        "p_not_compared": found.p_not_compared,
        "reason": found.reason,
        "candidates": [
            {
                "turtle": candidate.turtle,
                "score": candidate.score,
                "probability": candidate.probability,
                "matches": candidate.matches,
                "photo": candidate.photo.path,
            }
            for candidate in found.candidates[:top]
        ],
        "not_searched": found.unsearched_turtles,
        "enrolled_as": one.enrolled_as,
        "seconds": round(found.seconds, 3),
        "photos": [
            identification_record(photo, top) | {"side": None if photo.side is None else str(photo.side)}
            for photo in found.photos
        ],
    }
