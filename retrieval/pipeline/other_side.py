"""What a wrongly stated side would look like: a photo that finds nothing on its side, and a turtle on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from index.catalog import Catalog
from index.types import PreparedPhoto, Side, Sighting
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
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
) -> Identification:
    """The same answer; where it says no more than "new" and the other side's gallery says KNOWN, it tells so.

    Such a photo is never NEW: a mistyped side would make a second id of a catalogued turtle.
    """
    opposite, p_new = OPPOSITE.get(found.query.side), found.p_new
    if opposite is None or found.verdict not in (Verdict.NEW, Verdict.UNDECIDED) or model.novelty is None:
        return found
    if p_new is not None and p_new <= 0.5:
        return found
    other = identify(catalog, replace(sighting, side=opposite), engine, model, policy, query)
    if other.verdict is not Verdict.KNOWN:
        return found
    best = other.candidates[0]
    reason = (
        f"It matches {best.turtle}'s {str(opposite).upper()} photos ({best.matches} matches, {best.photo.path} best), "
        f"not the {found.query.side} ones of anybody: is the side wrong? {found.reason}"
    )
    return replace(
        found,
        prediction=replace(found.prediction, verdict=Verdict.UNDECIDED, turtle=None, reason=reason),
        other_side=OtherSide(opposite, best.turtle, best.probability, best.matches, best.photo),
    )
