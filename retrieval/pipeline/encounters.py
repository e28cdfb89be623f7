"""Several photos of one encounter, answered with one verdict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Browser, Catalog
from index.types import Side, Sighting
from retrieval.engine import Engine
from retrieval.novelty import (
    CatalogModel,
    DecisionPolicy,
    Posterior,
    Prediction,
    Verdict,
    advise,
    decide,
    explained,
    fuse,
)
from retrieval.pipeline.galleries import Gallery
from retrieval.pipeline.identification import as_far_as_compared, identify
from retrieval.pipeline.results import EncounterAnswer, Identification
from retrieval.scoring import Candidate

SHOWN = 3
"""Digits of a probability that people see: turtles that look equally improbable stand in the order of their scores."""


def identify_encounter(
    catalog: Catalog,
    photos: Sequence[Sighting | str | os.PathLike[str]],
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy | None = None,
    name: str | None = None,
    gallery: Gallery | None = None,
) -> EncounterAnswer:
    """Say which enrolled turtle several photos of one turtle on one occasion show, or that it is new.

    Parameters
    ----------
    photos : sequence of Sighting, str or path
        Each is searched in the gallery of its side.
    name : str or None
        Of the encounter, for the answer.
    gallery : Gallery or None
        As for `identify`.
    """
    policy = policy or DecisionPolicy()
    alone = tuple(identify(catalog, one, engine, model, policy, gallery=gallery) for one in photos)
    return answer_together(catalog, name, alone, model, policy)


def answer_together(
    catalog: Catalog, name: str | None, photos: tuple[Identification, ...], model: CatalogModel, policy: DecisionPolicy
) -> EncounterAnswer:
    """Say which enrolled turtle the photos of one encounter, each identified alone, show together, or that it is new.

    Photos of one side are near-duplicates and together count as one; the two sides are separate evidence. A turtle that
    is known only by a side that no photo shows was not compared, which speaks neither for it nor for NEW.
    """
    searched = [one for one in photos if one.prediction.posterior is not None]
    unsearched = _unsearched_by_all(catalog, [one.query.side for one in photos if one.candidates])
    if not searched or model.novelty is None:
        return _without_model(name, photos, unsearched)
    names = sorted({candidate.turtle for one in searched for candidate in one.candidates})
    posterior = _fused(catalog, searched, names)
    decision = decide(posterior, model.novelty.thresholds(policy.rates, together=True))
    probability = {names[code]: p for code, p in zip(posterior.turtle, posterior.p_candidates, strict=True)}
    ranked = _candidates(searched, probability)
    doubt = _doubt(catalog, photos)
    prediction = Prediction(
        verdict=Verdict.UNDECIDED if doubt.grave else decision.verdict,
        turtle=None if decision.turtle is None or doubt.grave else names[decision.turtle],
        reason=f"{doubt.sentence}{_together(searched)} {explained(decision, unsearched)}",
        candidates=ranked,
        posterior=posterior,
        advice=advise(decision, posterior, [(one.turtle, one.photo.path) for one in ranked], unsearched),
    )
    unreachable = max(one.coverage.unreachable for one in photos)
    return EncounterAnswer(
        name=name,
        photos=photos,
        two_ids=doubt.two_ids,
        prediction=as_far_as_compared(prediction, unreachable) if unreachable else prediction,
        unsearched_turtles=unsearched,
        seconds=sum(one.seconds for one in photos),
    )


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why the photos may not show one turtle as their sides are stated; a `grave` one forbids a verdict."""

    sentence: str = ""
    grave: bool = False
    two_ids: tuple[str, str] | None = None


def _doubt(catalog: Catalog, photos: Sequence[Identification]) -> _Doubt:
    for one in photos:
        if one.other_side is not None:
            return _Doubt(f"{one.photo}: {one.reason.partition('? ')[0]}? ", grave=True)
    left, right = (_likeliest(photos, side) for side in (Side.LEFT, Side.RIGHT))
    if left is None or right is None or left.turtle == right.turtle:
        return _Doubt()
    sides = Browser(catalog).sides([left.turtle, right.turtle])
    certain = min(left.probability or 0.0, right.probability or 0.0) > 0.5
    looks = f"The left looks like {left.turtle}, the right like {right.turtle}"
    if Side.RIGHT not in sides[left.turtle] and Side.LEFT not in sides[right.turtle]:
        return _Doubt(f"{looks}: one turtle under two ids? ", certain, (left.turtle, right.turtle))
    return _Doubt(f"{looks}: two turtles, or one under two ids? ", certain) if certain else _Doubt()


def _likeliest(photos: Sequence[Identification], side: Side) -> Candidate | None:
    """The turtle that photos of a side show more probably than a new one."""
    shown = [one.candidates[0] for one in photos if one.query.side is side and one.candidates and _finds(one)]
    return max(shown, key=lambda one: one.probability or 0.0) if shown else None


def _finds(one: Identification) -> bool:
    return one.p_new is not None and (one.candidates[0].probability or 0.0) > one.p_new


def _fused(catalog: Catalog, searched: Sequence[Identification], names: Sequence[str]) -> Posterior:
    code = {name: number for number, name in enumerate(names)}
    sides = Browser(catalog).sides(names)
    posteriors, unsearched = [], []
    for one in searched:
        posterior, side = one.prediction.posterior, one.query.side
        if posterior is not None:
            codes = np.array([code[candidate.turtle] for candidate in one.candidates], np.int64)
            best = None if posterior.best is None else int(codes[posterior.best])
            posteriors.append(replace(posterior, turtle=codes, best=best))
            unsearched.append([code[name] for name in names if side is not None and side not in sides[name]])
    return fuse(posteriors, [one.query.side for one in searched], unsearched)


def _unsearched_by_all(catalog: Catalog, sides: Sequence[Side | None]) -> int:
    shown = [side for side in sides if side is not None]
    if not shown or len(shown) < len(sides):
        return 0
    return Browser(catalog).turtles_without(shown)


def _candidates(searched: Sequence[Identification], probability: dict[str, np.float64] | None) -> tuple[Candidate, ...]:
    """Each turtle by its best match in any of the photos."""
    best: dict[str, Candidate] = {}
    for candidate in (one for photo in searched for one in photo.candidates):
        if candidate.turtle not in best or candidate.score > best[candidate.turtle].score:
            best[candidate.turtle] = candidate
    if probability is None:
        return tuple(sorted(best.values(), key=lambda one: -one.score))
    judged = [replace(one, probability=float(probability[one.turtle])) for one in best.values()]
    return tuple(sorted(judged, key=lambda one: (-round(one.probability or 0.0, SHOWN), -one.score)))


def unanswered_together(name: str | None, photos: tuple[Identification, ...]) -> EncounterAnswer:
    """The answer about an encounter none of whose photos can be used."""
    return _without_model(name, photos, unsearched=0)


def _without_model(name: str | None, photos: tuple[Identification, ...], unsearched: int) -> EncounterAnswer:
    """Nothing to fuse: the photos' own verdict where they agree (all refused, say), else UNDECIDED."""
    verdicts = {one.verdict for one in photos}
    answered = [one for one in photos if one.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)]
    return EncounterAnswer(
        name=name,
        photos=photos,
        prediction=Prediction(
            verdict=verdicts.pop() if len(verdicts) == 1 else Verdict.UNDECIDED,
            turtle=None,
            reason=(answered or photos)[0].reason,
            candidates=_candidates(answered, None),
        ),
        unsearched_turtles=unsearched,
        seconds=sum(one.seconds for one in photos),
    )


def _together(searched: Sequence[Identification]) -> str:
    counts = [(side, sum(one.query.side == side for one in searched)) for side in (*Side, None)]
    shown = ", ".join(f"{count} {side or 'of no stated side'}" for side, count in counts if count)
    return f"{len(searched)} photos together ({shown})." if len(searched) > 1 else "One photo could be compared."
