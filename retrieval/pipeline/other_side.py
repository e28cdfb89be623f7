"""What a wrongly stated side would look like: a photo that finds nothing on its side, and a turtle on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from index.catalog import Catalog
from index.types import PreparedPhoto, Side, Sighting
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline.galleries import Gallery
from retrieval.pipeline.identification import identify
from retrieval.pipeline.results import Identification, OtherSide

OPPOSITE: Mapping[Side | None, Side] = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}


def look_at_other_side(
    catalog: Catalog,
    sighting: Sighting,
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy,
    query: PreparedPhoto,
    found: Identification,
    gallery: Gallery | None = None,
) -> Identification:
    """The same answer; where it says no more than "new" and the other side's gallery says KNOWN, it tells so.

    Such a photo is never NEW: a mistyped side would make a second id of a catalogued turtle.
    """
    opposite = OPPOSITE.get(found.query.side)
    if opposite is None or model.novelty is None or not says_no_more_than_new(found.verdict, found.p_new):
        return found
    other = identify(catalog, replace(sighting, side=opposite), engine, model, policy, query, gallery=gallery)
    if other.verdict is not Verdict.KNOWN:
        return found
    best = other.candidates[0]
    known = OtherSide(opposite, best.turtle, best.probability, best.matches, best.photo)
    reason = other_side_reason(known, found.reason)
    return replace(
        found,
        prediction=replace(found.prediction, verdict=Verdict.UNDECIDED, turtle=None, reason=reason),
        other_side=known,
    )


def says_no_more_than_new(verdict: Verdict, p_new: float | None) -> bool:
    """Whether an answer leaves it possible that the stated side is wrong: nobody of it is probable."""
    return verdict in (Verdict.NEW, Verdict.UNDECIDED) and (p_new is None or p_new > 0.5)


def other_side_reason(known: OtherSide, reason: str) -> str:
    """The question whether the side is wrong, before what the stated side says."""
    stated = OPPOSITE[known.side]
    return (
        f"It matches {known.turtle}'s {str(known.side).upper()} photos ({known.matches} matches, {known.photo.path} "
        f"best), not the {stated} ones of anybody: is the side wrong? {reason}"
    )
