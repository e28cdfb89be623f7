"""The documented JSON objects of answers about photos and encounters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from retrieval.schemas.registry import Kind

if TYPE_CHECKING:  # importing them would load what compares photos
    from index.registry import StoredModel
    from retrieval.novelty import DecisionPolicy, Prediction
    from retrieval.pipeline import Answer, AnsweredEncounter, Identification, OtherSide
    from retrieval.scoring import Candidate


def candidate_records(candidates: Sequence[Candidate]) -> list[dict[str, object]]:
    """Compared turtles, each with its best photo."""
    return [
        {
            "turtle": one.turtle,
            "score": one.score,
            "probability": one.probability,
            "matches": one.matches,
            "photo": one.photo.path,
        }
        for one in candidates
    ]


def prediction_record(prediction: Prediction, top: int | None = None) -> dict[str, object]:
    """What is said about a photo or an encounter, with the `top` best candidates."""
    interval = prediction.p_new_interval
    return {
        "verdict": str(prediction.verdict),
        "turtle": prediction.turtle,
        "p_new": prediction.p_new,
        "p_new_interval": None if interval is None else list(interval),
        "p_not_compared": prediction.p_not_compared,
        "reason": prediction.reason,
        "lean": prediction.lean,
        "settle": prediction.settle,
        "prior_new": prediction.prior_new,
        "candidates": candidate_records(prediction.candidates[:top]),
    }


def coverage_record(answer: Identification) -> dict[str, object]:
    """What was compared, and what the searched gallery holds."""
    coverage = answer.coverage
    return {
        "compared": {"photos": coverage.photos, "turtles": coverage.turtles},
        "gallery": {"photos": coverage.gallery_photos, "turtles": coverage.gallery_turtles},
        "not_reached": coverage.unreachable,
    }


def identification_record(answer: Identification, top: int) -> dict[str, object]:
    """The documented JSON object of one query photo."""
    from retrieval.pipeline import next_step

    return {
        "photo": answer.photo,
        **prediction_record(answer.prediction, top),
        **coverage_record(answer),
        "matcher": answer.matcher,
        "seconds": round(answer.seconds, 3),
        "next": next_step(answer),
        "other_side": None if answer.other_side is None else other_side_record(answer.other_side),
    }


def other_side_record(found: OtherSide) -> dict[str, object]:
    """Whom a photo shows if its side is wrong."""
    return {
        "side": str(found.side),
        "turtle": found.turtle,
        "probability": found.probability,
        "matches": found.matches,
        "photo": found.photo.path,
    }


def evidence_record(
    answer: Answer, recipe: str, model: StoredModel | None, policy: DecisionPolicy
) -> dict[str, object]:
    """What a kept query's answer rested on; photos are named by their bytes, which outlast paths.

    Parameters
    ----------
    recipe : str
        `Engine.evidence` of what compared.
    model : StoredModel or None
        What predicted.
    """
    found = answer.identification
    said = prediction_record(found.prediction)
    del said["verdict"]  # stands beside the evidence
    photos = [one.photo.sha256 for one in found.candidates]
    records = zip(candidate_records(found.candidates), photos, strict=True)
    taken_on = found.query.taken_on
    return {
        **said,
        "candidates": [record | {"photo": sha256} for record, sha256 in records],
        **coverage_record(found),
        "enrolled_as": answer.enrolled_as,
        "side": found.query.side,
        "taken_on": None if taken_on is None else str(taken_on),
        "recipe": recipe,
        "model": None if model is None else {"recipe": model.recipe, "event": model.event},
        "terms": {"prior_new": policy.prior_new, **asdict(policy.rates)},
    }


ANSWERS = Kind(
    *(
        (
            *("photo", "side", "verdict", "turtle", "p_new", "first", "first_probability", "first_matches"),
            *("second", "second_probability", "second_matches", "reason", "next", "enrolled_as", "kept_as"),
        ),
    )
    * 2
)


def answer_row(one: Answer | AnsweredEncounter, kept: Sequence[int]) -> dict[str, object]:
    """An answer as a row of a table; an encounter's photos and sides stand in one cell each."""
    from retrieval.pipeline import Answer, next_for_encounter, next_step

    photos: tuple[Identification, ...]
    if isinstance(one, Answer):
        photos, prediction, step = (one.identification,), one.identification.prediction, next_step(one.identification)
    else:
        photos, prediction, step = one.found.photos, one.found.prediction, next_for_encounter(one.found)
    first, second = (*prediction.candidates, None, None)[:2]
    return {
        "photo": "; ".join(photo.photo for photo in photos),
        "side": "; ".join(dict.fromkeys(str(photo.query.side) for photo in photos if photo.query.side)),
        "verdict": str(prediction.verdict),
        "turtle": prediction.turtle,
        "p_new": prediction.p_new,
        "first": first and first.turtle,
        "first_probability": first and first.probability,
        "first_matches": first and first.matches,
        "second": second and second.turtle,
        "second_probability": second and second.probability,
        "second_matches": second and second.matches,
        "reason": prediction.reason,
        "next": step,
        "enrolled_as": one.enrolled_as,
        "kept_as": "; ".join(map(str, kept)),
    }


def encounter_answer_record(one: AnsweredEncounter, top: int) -> dict[str, object]:
    """The documented JSON object of one encounter."""
    from retrieval.pipeline import next_for_encounter

    found = one.found
    return {
        "encounter": found.name,
        **prediction_record(found.prediction, top),
        "not_searched": found.unsearched_turtles,
        "enrolled_as": one.enrolled_as,
        "moved_from": list(one.moved_from),
        "next": next_for_encounter(found),
        "two_ids": None if found.two_ids is None else list(found.two_ids),
        "seconds": round(found.seconds, 3),
        "photos": [
            identification_record(photo, top) | {"side": None if photo.query.side is None else str(photo.query.side)}
            for photo in found.photos
        ],
    }
