"""What a wrongly stated side would look like in an import: encounters that find nobody on their side, and somebody on
the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.catalog import Catalog
from index.types import GalleryFilter, Photo, Shortlist
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.parallel import in_parts
from retrieval.pipeline import OPPOSITE, OtherSide, PairPool, other_side_reason, says_no_more_than_new
from retrieval.review.groups import Group
from retrieval.review.pair_scores import PairScorer, candidates_of


def with_other_side(
    catalog: Catalog,
    engine: Engine,
    groups: Sequence[Group],
    model: CatalogModel,
    policy: DecisionPolicy,
    pool: PairPool | None = None,
) -> list[Group]:
    """The same groups; one that says no more than "new" and whose photo the other side's gallery knows tells so.

    Such a group is never NEW. Needs the writer's lock, because what is compared is cached.
    """
    if model.novelty is None:
        return list(groups)
    scorer = PairScorer(catalog, engine, model.scoring(catalog, engine.score), pool)
    asked = [
        photo
        for group in groups
        if says_no_more_than_new(group.verdict, group.p_new)
        for photo in group.photos
        if photo.side in OPPOSITE
    ]
    known: dict[int, OtherSide | None] = {}
    for part in in_parts(((photo, _other_gallery(catalog, engine, photo)) for photo in asked), scorer.ahead):
        scorer.plan([(photo, shortlist.photos) for photo, shortlist in part])
        known |= {photo.id: _said(photo, shortlist, model, policy, scorer) for photo, shortlist in part}
    told = []
    for group in groups:
        found = (known.get(photo.id) for photo in group.photos)
        surest = max((one for one in found if one is not None), key=_certainty, default=None)
        told.append(group if surest is None else _doubted(group, surest))
    return told


def known_by_other_side(
    catalog: Catalog, engine: Engine, model: CatalogModel, policy: DecisionPolicy, photo: Photo
) -> OtherSide | None:
    """The turtle that the photo shows if its side is wrong; None where the other side's gallery does not say KNOWN."""
    if photo.side not in OPPOSITE or model.novelty is None:
        return None
    scorer = PairScorer(catalog, engine, model.scoring(catalog, engine.score))
    return _said(photo, _other_gallery(catalog, engine, photo), model, policy, scorer)


def _other_gallery(catalog: Catalog, engine: Engine, photo: Photo) -> Shortlist:
    """Whom the photo would be compared with if its side is wrong."""
    probe = DescriptorSimilarity.of_stored(catalog, engine, [photo]).probe(0)
    where = GalleryFilter(side=OPPOSITE[photo.side])
    return catalog.shortlist(probe, engine.shortlist, where, engine.per_turtle)


def _said(
    photo: Photo, shortlist: Shortlist, model: CatalogModel, policy: DecisionPolicy, scorer: PairScorer
) -> OtherSide | None:
    candidates = candidates_of(scorer.likenesses(photo, shortlist.photos), lambda one: str(one.turtle))
    said = model.predict(candidates, shortlist, policy.prior_new, policy.rates)
    if said.verdict is not Verdict.KNOWN:
        return None
    best = said.candidates[0]
    return OtherSide(OPPOSITE[photo.side], best.turtle, best.probability, best.matches, best.photo, photo)


def _certainty(found: OtherSide) -> float:
    return found.probability or 0.0


def _doubted(group: Group, known: OtherSide) -> Group:
    reason = other_side_reason(known, group.reason)
    return replace(group, verdict=Verdict.UNDECIDED, turtle=None, reason=reason, other_side=known)
