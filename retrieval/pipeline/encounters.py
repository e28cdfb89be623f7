"""Several photos of one encounter, answered with one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index.catalog import Catalog
from index.registry import count_without, read_sides
from index.types import Side
from retrieval.novelty import CatalogModel, DecisionPolicy, Posterior, Verdict, decide, explained, fuse
from retrieval.pipeline.results import EncounterAnswer, Identification
from retrieval.scoring import Candidate


def answer_together(
    catalog: Catalog, name: str | None, photos: tuple[Identification, ...], model: CatalogModel, policy: DecisionPolicy
) -> EncounterAnswer:
    """Say which enrolled turtle the photos of one encounter, each identified alone, show together, or that it is new.

    Photos of one side are near-duplicates and together count as one; the two sides are separate evidence. A turtle that
    is known only by a side that no photo shows was not compared, which speaks neither for it nor for NEW.
    """
    searched = [one for one in photos if one.posterior is not None]
    unsearched = _unsearched_by_all(catalog, [one.side for one in photos if one.candidates])
    if not searched or model.novelty is None:
        return _without_model(name, photos, unsearched)
    names = sorted({candidate.turtle for one in searched for candidate in one.candidates})
    posterior = _fused(catalog, searched, names)
    decision = decide(posterior, model.novelty.thresholds(policy.rates))
    probability = {names[code]: p for code, p in zip(posterior.turtle, posterior.p_candidates, strict=True)}
    return EncounterAnswer(
        name=name,
        photos=photos,
        verdict=decision.verdict,
        turtle=None if decision.turtle is None else names[decision.turtle],
        p_new=posterior.p_new,
        p_new_low=posterior.p_new_low,
        p_new_high=posterior.p_new_high,
        p_not_compared=posterior.p_not_compared,
        reason=f"{_together(searched)} {explained(decision, unsearched)}",
        candidates=_candidates(searched, probability),
        unsearched_turtles=unsearched,
        seconds=sum(one.seconds for one in photos),
    )


def _fused(catalog: Catalog, searched: Sequence[Identification], names: Sequence[str]) -> Posterior:
    code = {name: number for number, name in enumerate(names)}
    with catalog.reading() as session:
        sides = read_sides(session, names)
    posteriors, unsearched = [], []
    for one in searched:
        if one.posterior is not None:
            codes = np.array([code[candidate.turtle] for candidate in one.candidates], np.int64)
            best = None if one.posterior.best is None else int(codes[one.posterior.best])
            posteriors.append(replace(one.posterior, turtle=codes, best=best))
            unsearched.append([code[name] for name in names if one.side is not None and one.side not in sides[name]])
    return fuse(posteriors, [one.side for one in searched], unsearched)


def _unsearched_by_all(catalog: Catalog, sides: Sequence[Side | None]) -> int:
    shown = [side for side in sides if side is not None]
    if not shown or len(shown) < len(sides):
        return 0
    with catalog.reading() as session:
        return count_without(session, shown)


def _candidates(searched: Sequence[Identification], probability: dict[str, np.float64] | None) -> tuple[Candidate, ...]:
    """Each turtle by its best match in any of the photos."""
    best: dict[str, Candidate] = {}
    for candidate in (one for photo in searched for one in photo.candidates):
        if candidate.turtle not in best or candidate.score > best[candidate.turtle].score:
            best[candidate.turtle] = candidate
    if probability is None:
        return tuple(sorted(best.values(), key=lambda one: -one.score))
    judged = [replace(one, probability=float(probability[one.turtle])) for one in best.values()]
    return tuple(sorted(judged, key=lambda one: (-(one.probability or 0.0), -one.score)))


def _without_model(name: str | None, photos: tuple[Identification, ...], unsearched: int) -> EncounterAnswer:
    """Nothing to fuse: the photos' own verdict where they agree (all refused, say), else UNDECIDED."""
    verdicts = {one.verdict for one in photos}
    answered = [one for one in photos if one.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)]
    return EncounterAnswer(
        name=name,
        photos=photos,
        verdict=verdicts.pop() if len(verdicts) == 1 else Verdict.UNDECIDED,
        turtle=None,
        p_new=None,
        p_new_low=None,
        p_new_high=None,
        p_not_compared=None,
        reason=(answered or photos)[0].reason,
        candidates=_candidates(answered, None),
        unsearched_turtles=unsearched,
        seconds=sum(one.seconds for one in photos),
    )


def _together(searched: Sequence[Identification]) -> str:
    counts = [(side, sum(one.side == side for one in searched)) for side in (*Side, None)]
    shown = ", ".join(f"{count} {side or 'of no stated side'}" for side, count in counts if count)
    return f"{len(searched)} photos together ({shown})." if len(searched) > 1 else "One photo could be compared."
