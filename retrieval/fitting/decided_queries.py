"""Kept queries that a named person decided, as photos that a fit may ask about but never finds.

"Is T017" tells how a photo scores against its own turtle and, with T017 taken out, against all others; "new" tells the
latter alone; "unsure" tells nothing. A query counts once, by its newest decision. One whose photo was enrolled under a
turtle since is left out, because the catalogue's own photo tells the same; so are queries without kept features, and
the photos of the turtle's encounter on the query's own day, which are near-duplicates. People decide about hard photos
more often than about easy ones: what is learnt is a little more careful for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from index.catalog import Browser, Catalog
from index.curation import DecidedQuery, Decisions
from index.errors import CatalogDamaged
from index.registry import Answer
from index.types import Descriptor, LocalFeatures, Side
from retrieval.engine import Engine
from retrieval.fitting.descriptor_similarity import no_descriptors
from retrieval.fitting.trials import Visitor
from retrieval.images import decode


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Photos that are asked about, with their global descriptors [n, d]."""

    photos: tuple[Visitor, ...]
    vectors: Descriptor


def decided_queries(catalog: Catalog, engine: Engine) -> Decided:
    """Those that a fit can learn from."""
    settled = {one.sha256: one for one in Decisions(catalog).settled() if one.answer is not Answer.UNSURE}
    for photo in catalog.enrolled(settled).values():
        if photo.turtle is not None:
            settled.pop(photo.sha256)
    photos, features, pixels = [], [], []
    for one in settled.values():
        kept = _kept(catalog, one.sha256)
        if kept is not None:
            photos.append(_visitor(catalog, one))
            features.append(kept)
            pixels.append(decode(catalog.thumbnail(photos[-1])))
    if not photos:
        return Decided((), no_descriptors(engine))
    return Decided(tuple(photos), engine.encoder.encode(pixels, features))


def _kept(catalog: Catalog, sha256: str) -> LocalFeatures | None:
    try:
        [features] = catalog.feature_store.features([sha256])
        return features if catalog.feature_store.thumbnail(sha256) is not None else None
    except CatalogDamaged:  # a decision less to learn from; `check` tells
        return None


def _visitor(catalog: Catalog, one: DecidedQuery) -> Visitor:
    evidence = json.loads(one.evidence)
    side = None if evidence.get("side") is None else Side(evidence["side"])
    day, encounter = evidence.get("taken_on"), None
    if one.turtle is not None and day is not None:
        same_day = (seen.id for seen in Browser(catalog).encounters(turtle=one.turtle) if str(seen.day) == day)
        encounter = next(same_day, None)
    return Visitor(one.sha256, one.path, one.turtle, encounter, side)
