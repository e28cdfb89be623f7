"""Whether an id that two catalogues use means one turtle: photos of the one against the other's gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Catalog
from index.types import GalleryFilter, LocalFeatures, Photo, Shortlist
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel
from retrieval.review.pair_scores import chance_of_another
from retrieval.scoring import Candidate, Pair, rank

MOST_PHOTOS = 6
"""Of each side of the comparison, so that a conflict costs seconds."""

BESIDE = 10
"""Nearest photos of other turtles, against which the id's own photos have to stand out."""

PRIOR_DIFFERENT = 0.5


@dataclass(frozen=True, slots=True)
class SameId:
    """How the photos of one id in two catalogues match.

    Attributes
    ----------
    probability : float or None
        That they show one turtle; None without a fitted model, or where no two photos show the same side.
    matches : int
        Of the best pair of photos.
    photos : (Photo, Photo) or None
        That pair: theirs, ours; None where nothing could be compared.
    """

    turtle: str
    probability: float | None
    matches: int
    photos: tuple[Photo, Photo] | None


def same_ids(main: Catalog, field: Catalog, engine: Engine, turtles: Sequence[str]) -> list[SameId]:
    """Compare what both catalogues have under these ids; nothing is changed. Raises RecipeMismatch."""
    main.require(engine.recipe)
    field.require(engine.recipe)
    model = CatalogModel.load(main, engine.evidence).without_intervals()
    ours, theirs = main.photos(GalleryFilter()), field.photos(GalleryFilter())
    return [
        _compared(
            main,
            field,
            engine,
            model,
            turtle,
            [one for one in ours if one.turtle == turtle][:MOST_PHOTOS],
            [one for one in theirs if one.turtle == turtle][:MOST_PHOTOS],
        )
        for turtle in turtles
    ]


def _compared(
    main: Catalog,
    field: Catalog,
    engine: Engine,
    model: CatalogModel,
    turtle: str,
    ours: Sequence[Photo],
    theirs: Sequence[Photo],
) -> SameId:
    best = SameId(turtle, None, 0, None)
    for query, features in zip(theirs, field.features(theirs), strict=True):
        own = [one for one in ours if query.side is None or one.side in (None, query.side)]
        if not own:
            continue
        shortlist = _beside(main, field, engine, query, features, turtle)
        gallery = [*shortlist.photos, *own]
        known = main.features(gallery)
        pairs = [Pair(*one) for one in zip(gallery, engine.compare(features, known), strict=True)]
        ranking = rank(pairs, len(features), model.scoring(main, engine.score))
        found = next(one for one in ranking if one.turtle == turtle)
        probability = _probability(model, ranking, shortlist, own)
        if best.photos is None or (probability or 0, found.matches) > (best.probability or 0, best.matches):
            best = SameId(turtle, probability, found.matches, (query, found.photo))
    return best


def _beside(
    main: Catalog, field: Catalog, engine: Engine, query: Photo, features: LocalFeatures, turtle: str
) -> Shortlist:
    [vector] = field.vectors([query])
    where = GalleryFilter(side=query.side, without_turtle=turtle)
    return main.shortlist(engine.encoder.probe(features, vector), BESIDE, where, engine.per_turtle)


def _probability(
    model: CatalogModel, ranking: Sequence[Candidate], shortlist: Shortlist, own: Sequence[Photo]
) -> float | None:
    if model.novelty is None:
        return None
    with_own = replace(
        shortlist,
        photos=(*shortlist.photos, own[0]),
        similarity=np.append(shortlist.similarity, np.float32(0)),
        turtle_photos=np.append(shortlist.turtle_photos, len(own)),
        gallery_photos=shortlist.gallery_photos + len(own),
        gallery_turtles=shortlist.gallery_turtles + 1,
    )
    return 1 - chance_of_another(model.novelty, ranking, with_own, str(own[0].turtle), PRIOR_DIFFERENT)
