"""What a wrongly stated side would look like in an import: encounters that find nobody on their side, and somebody on
the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.catalog import Catalog
from index.types import GalleryFilter, Photo
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline import OPPOSITE, OtherSide, other_side_reason, says_no_more_than_new
from retrieval.review.groups import Group
from retrieval.review.pair_scores import PairScorer, candidates_of


def with_other_side(
    catalog: Catalog, engine: Engine, groups: Sequence[Group], model: CatalogModel, policy: DecisionPolicy
) -> list[Group]:
    """The same groups; one that says no more than "new" and whose photo the other side's gallery knows tells so.

    Such a group is never NEW. Needs the writer's lock, because what is compared is cached.
    """
    if model.novelty is None:
        return list(groups)
    scorer = PairScorer(catalog, engine, model.scoring(catalog, engine.score))
    told = []
    for group in groups:
        known = None
        if says_no_more_than_new(group.verdict, group.p_new):
            found = (known_by_other_side(catalog, engine, model, policy, photo, scorer) for photo in group.photos)
            known = max((one for one in found if one is not None), key=_certainty, default=None)
        told.append(group if known is None else _doubted(group, known))
    return told


def known_by_other_side(
    catalog: Catalog,
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy,
    photo: Photo,
    scorer: PairScorer | None = None,
) -> OtherSide | None:
    """The turtle that the photo shows if its side is wrong; None where the other side's gallery does not say KNOWN."""
    side = OPPOSITE.get(photo.side)
    if side is None or model.novelty is None:
        return None
    scorer = scorer or PairScorer(catalog, engine, model.scoring(catalog, engine.score))
    probe = DescriptorSimilarity.of_stored(catalog, engine, [photo]).probe(0)
    shortlist = catalog.shortlist(probe, engine.shortlist, GalleryFilter(side=side), engine.per_turtle)
    candidates = candidates_of(scorer.likenesses(photo, shortlist.photos), lambda one: str(one.turtle))
    said = model.predict(candidates, shortlist, policy.prior_new, policy.rates)
    if said.verdict is not Verdict.KNOWN:
        return None
    best = said.candidates[0]
    return OtherSide(side, best.turtle, best.probability, best.matches, best.photo, photo)


def _certainty(found: OtherSide) -> float:
    return found.probability or 0.0


def _doubted(group: Group, known: OtherSide) -> Group:
    reason = other_side_reason(known, group.reason)
    return replace(group, verdict=Verdict.UNDECIDED, turtle=None, reason=reason, other_side=known)
