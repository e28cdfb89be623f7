"""Whether a photo of the catalogue shows the other side than is stated: nobody of its own matches, one does."""

from __future__ import annotations

from index.catalog import Catalog
from index.types import GalleryFilter, Photo
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline import OPPOSITE, OtherSide
from retrieval.review.pair_scores import PairScorer, candidates_of


def known_by_other_side(
    catalog: Catalog, engine: Engine, model: CatalogModel, policy: DecisionPolicy, photo: Photo
) -> OtherSide | None:
    """The turtle that this photo of an unidentified encounter shows if its side is wrong; None without a sure one."""
    opposite = OPPOSITE.get(photo.side)
    if opposite is None or model.novelty is None:
        return None
    probe = DescriptorSimilarity.of_stored(catalog, engine, [photo]).probe(0)
    shortlist = catalog.shortlist(probe, engine.shortlist, GalleryFilter(side=opposite), engine.per_turtle)
    likenesses = PairScorer(catalog, engine, model.null).likenesses(photo, shortlist.photos)
    found = model.predict(
        candidates_of(likenesses, lambda one: str(one.turtle)), shortlist, policy.prior_new, policy.rates
    )
    if found.verdict is not Verdict.KNOWN:
        return None
    best = found.candidates[0]
    return OtherSide(opposite, best.turtle, best.probability, best.matches, best.photo)
