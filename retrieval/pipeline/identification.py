"""The way of a photograph: `enroll` into the gallery, `identify` against it."""

from __future__ import annotations

import time

from index.catalog import Catalog
from index.errors import PhotoRefused, TooFewKeypoints, TurtleidxError
from index.types import GalleryFilter, Photo, PreparedPhoto, Sighting
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline.results import Identification
from retrieval.scoring import Pair, rank


def read_query(sighting: Sighting, engine: Engine) -> PreparedPhoto | PhotoRefused:
    """A photo's features and descriptor, or why it cannot be used; asks nothing of the catalogue."""
    try:
        [query] = engine.encode([engine.extract(sighting)])
    except PhotoRefused as refusal:
        return refusal
    return query


def identify(
    catalog: Catalog,
    sighting: Sighting,
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy,
    query: PreparedPhoto | PhotoRefused | None = None,
) -> Identification:
    """Say which enrolled turtle a photo shows, or that it is new: shortlist, match, score, judge.

    The gallery of the sighting's side is searched, or the whole one where it has none.

    Parameters
    ----------
    query : PreparedPhoto or PhotoRefused or None
        What `read_query` gave, where that was done while another photo was matched.
    """
    started = time.perf_counter()
    query = read_query(sighting, engine) if query is None else query
    if isinstance(query, PhotoRefused):
        return unanswered(sighting.path, query, engine, time.perf_counter() - started)
    enrolled = catalog.enrolled([query.sha256]).get(query.sha256)
    where = GalleryFilter(side=sighting.side)
    probe = engine.encoder.probe(query.features, query.vector)
    shortlist = catalog.shortlist(probe, engine.shortlist + 1, where, engine.per_turtle)
    gallery = [one for one in shortlist.photos if one.sha256 != query.sha256][: engine.shortlist]
    features = catalog.features(gallery)
    pairs = [
        Pair(photo, own, matches)
        for photo, own, matches in zip(gallery, features, engine.rerank(query.features, features), strict=True)
        if matches is not None
    ]
    candidates = rank(pairs, len(query.features), model.null, engine.score)
    prediction = model.predict(candidates, shortlist, policy.prior_new, policy.rates)
    return Identification(
        photo=sighting.path,
        verdict=prediction.verdict,
        turtle=prediction.turtle,
        p_new=prediction.p_new,
        p_new_low=prediction.p_new_low,
        p_new_high=prediction.p_new_high,
        p_not_compared=prediction.p_not_compared,
        reason=_with_enrolment(prediction.reason, enrolled),
        candidates=prediction.candidates,
        compared_photos=len(pairs),
        compared_turtles=len(candidates),
        gallery_photos=shortlist.gallery_photos,
        gallery_turtles=shortlist.gallery_turtles,
        matcher=engine.matcher.id,
        seconds=time.perf_counter() - started,
        features=query.features,
        side=sighting.side,
        posterior=prediction.posterior,
        sha256=query.sha256,
        taken_on=query.sighting.taken_on,
        enrolled=enrolled is not None,
    )


def _with_enrolment(reason: str, enrolled: Photo | None) -> str:
    if enrolled is None:
        return reason
    owner = f"as turtle {enrolled.turtle}" if enrolled.turtle else "without a turtle"
    return f"{reason} This very photo is enrolled already, {owner}; it was not compared with itself."


def unanswered(photo: str, error: TurtleidxError, engine: Engine, seconds: float = 0.0) -> Identification:
    """The answer about a photo that cannot be used; too few keypoints make it NOT_COMPARABLE, which is not NEW."""
    return Identification(
        photo=photo,
        verdict=Verdict.NOT_COMPARABLE if isinstance(error, TooFewKeypoints) else Verdict.REFUSED,
        turtle=None,
        p_new=None,
        p_new_low=None,
        p_new_high=None,
        p_not_compared=None,
        reason=str(error),
        candidates=(),
        compared_photos=0,
        compared_turtles=0,
        gallery_photos=0,
        gallery_turtles=0,
        matcher=engine.matcher.id,
        seconds=seconds,
        features=None,
    )
