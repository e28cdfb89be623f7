"""Kept queries that a named person decided, as photos that a fit may ask about but never finds.

"Is T017" tells how a photo scores against its own turtle and, with T017 taken out, against all others; "new" tells the
latter alone; "unsure" tells nothing. A head counts once, by the newest decision about it. One that was enrolled under
a turtle since is left out, because the catalogue's own photo tells the same; so are queries without kept features, and
the photos of the turtle's encounter on the query's own day, which are near-duplicates. People decide about hard photos
more often than about easy ones: what is learnt is a little more careful for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from index.catalog import Browser, Catalog
from index.curation import DecidedQuery, Decisions, head_asked_about
from index.errors import CatalogDamaged
from index.registry import Answer
from index.types import Descriptor, HeadBox, LocalFeatures, Side, same_head
from retrieval.engine import Engine
from retrieval.fitting.descriptor_similarity import no_descriptors
from retrieval.fitting.trials import Visitor
from retrieval.images import decode


@dataclass(frozen=True, slots=True)
class KeptHead(Visitor):
    """A head in a file; the file's other heads are hidden from it, and it is not mixed with them.

    Attributes
    ----------
    file : str
        Digest of the file.
    """

    file: str

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self.file


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Photos that are asked about, with their global descriptors [n, d]."""

    photos: tuple[Visitor, ...]
    vectors: Descriptor


def decided_queries(catalog: Catalog, engine: Engine) -> Decided:
    """Those that a fit can learn from."""
    settled = [one for one in Decisions(catalog).settled() if one.answer is not Answer.UNSURE]
    enrolled = catalog.sightings([(one.sha256, head_asked_about(one.evidence)) for one in settled])
    told_otherwise = [there is not None and there.turtle is not None for there in enrolled]
    left = [one for one, told in zip(settled, told_otherwise, strict=True) if not told]
    photos, features, pixels = [], [], []
    for one in _of_different_heads(left):
        kept = _kept(catalog, one.key)
        if kept is not None:
            photos.append(_visitor(catalog, one))
            features.append(kept)
            pixels.append(decode(catalog.thumbnail(photos[-1])))
    if not photos:
        return Decided((), no_descriptors(engine))
    return Decided(tuple(photos), engine.encoder.encode(pixels, features))


def _of_different_heads(settled: Sequence[DecidedQuery]) -> list[DecidedQuery]:
    """The newest decision about each head, in the order in which they were decided."""
    heads: dict[str, list[HeadBox | None]] = {}
    newest = []
    for one in reversed(settled):
        box, seen = head_asked_about(one.evidence), heads.setdefault(one.sha256, [])
        if not any(same_head(box, other) for other in seen):
            seen.append(box)
            newest.append(one)
    return newest[::-1]


def _kept(catalog: Catalog, key: str) -> LocalFeatures | None:
    try:
        [features] = catalog.feature_store.features([key])
        return features if features and catalog.feature_store.thumbnail(key) is not None else None
    except CatalogDamaged:  # a decision less to learn from; `check` tells
        return None


def _visitor(catalog: Catalog, one: DecidedQuery) -> Visitor:
    evidence = json.loads(one.evidence)
    side = None if evidence.get("side") is None else Side(evidence["side"])
    day, encounter = evidence.get("taken_on"), None
    if one.turtle is not None and day is not None:
        same_day = (seen.id for seen in Browser(catalog).encounters(turtle=one.turtle) if str(seen.day) == day)
        encounter = next(same_day, None)
    return KeptHead(one.key, one.path, one.turtle, encounter, side, one.sha256)
