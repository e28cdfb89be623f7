"""Which enrolled turtle does a photo show, or is it new?"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from index.catalog import Catalog
from index.errors import HeadNotFound, PhotoRefused, TooFewKeypoints, TurtleidxError
from index.types import GalleryFilter, Photo, PreparedPhoto, Side, Sighting
from retrieval.engine import Engine
from retrieval.novelty import CatalogModel, DecisionPolicy, Prediction, Verdict
from retrieval.pipeline.galleries import Gallery, OwnGallery
from retrieval.pipeline.results import Coverage, Identification, QueryPhoto
from retrieval.scoring import Pair, rank


def identify(
    catalog: Catalog,
    photo: Sighting | str | os.PathLike[str],
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy | None = None,
    query: PreparedPhoto | PhotoRefused | None = None,
    *,
    side: Side | None = None,
    gallery: Gallery | None = None,
) -> Identification:
    """Say which enrolled turtle a photo shows, or that it is new: shortlist, re-rank, predict.

    The gallery of the photo's side is searched, or the whole one where none is stated. A photo that is enrolled itself
    is not compared with itself.

    Parameters
    ----------
    photo : Sighting, str or path
        The photo and what is known about it, or its file alone.
    query : PreparedPhoto or PhotoRefused or None
        What `read_query` gave, where that was done while another photo was matched.
    side : Side or None
        Where the sighting states none.
    gallery : Gallery or None
        Where the catalogue's photos are compared; None: in its folder on this machine.
    """
    started = time.perf_counter()
    sighting = photo if isinstance(photo, Sighting) else Sighting(str(Path(photo)))
    sighting = replace(sighting, side=sighting.side or side)
    query = read_query(sighting, engine) if query is None else query
    if isinstance(query, PreparedPhoto):
        sighting = replace(sighting, side=sighting.side or query.sighting.side, box=query.sighting.box)
    if isinstance(query, PhotoRefused):
        return unanswered(sighting.path, query, engine, time.perf_counter() - started)
    with catalog.registry.reading():  # the file is opened once for both
        [enrolled] = catalog.sightings([(query.sha256, sighting.box)], [query.content])
        same_file = enrolled or catalog.enrolled([query.sha256]).get(query.sha256)  # perhaps another head in it
    where = GalleryFilter(side=sighting.side, without_photo=None if same_file is None else same_file.id)
    compared = (gallery or OwnGallery(catalog, engine)).compare(query, where)
    shortlist = compared.shortlist
    pairs = [
        Pair(one, matches)
        for one, matches in zip(shortlist.photos, compared.matches, strict=True)
        if matches is not None
    ]
    candidates = rank(pairs, len(query.features), model.scoring(catalog, engine.score), enrolled)
    catalog.write_learnt()
    policy = policy or DecisionPolicy()
    prediction = model.predict(candidates, shortlist, policy.prior_new, policy.rates)
    if shortlist.unreachable_photos:
        prediction = as_far_as_compared(prediction, shortlist.unreachable_photos)
    return Identification(
        query=QueryPhoto(sighting.path, sighting.side, query, enrolled),
        prediction=prediction if enrolled is None else replace(prediction, reason=_itself(prediction.reason, enrolled)),
        coverage=Coverage(
            len(pairs),
            len(candidates),
            shortlist.gallery_photos,
            shortlist.gallery_turtles,
            shortlist.unreachable_photos,
        ),
        matcher=engine.matcher.id,
        seconds=time.perf_counter() - started,
    )


def read_query(sighting: Sighting, engine: Engine) -> PreparedPhoto | PhotoRefused:
    """A photo's features and descriptor, or why it cannot be used; asks nothing of the catalogue."""
    try:
        [query] = engine.encode([engine.extract(sighting)])
    except PhotoRefused as refusal:
        return refusal
    if query.waiting:
        return HeadNotFound(
            f"{sighting.path} is not compared, because its head was not found surely, or several are in it: give the "
            "box in a manifest (columns x, y, w, h), or cut the head out and ask with --heads whole."
        )
    return query


def as_far_as_compared(prediction: Prediction, unreachable: int) -> Prediction:
    """What can be said while so many photos could not be reached: never NEW, because the turtle may be among them."""
    reason = (
        f"{prediction.reason} {unreachable} photos of this gallery lie on machines that could not be reached, and were "
        "not compared: ask again when they are back."
    )
    if prediction.verdict is Verdict.NEW:
        return replace(prediction, verdict=Verdict.UNDECIDED, reason=reason)
    return replace(prediction, reason=reason)


def _itself(reason: str, enrolled: Photo) -> str:
    owner = f"as turtle {enrolled.turtle}" if enrolled.turtle else "without a turtle"
    return f"{reason} This very photo is enrolled already, {owner}; it was not compared with itself."


def unanswered(photo: str, error: TurtleidxError, engine: Engine | None, seconds: float = 0.0) -> Identification:
    """The answer about a photo that cannot be used; without head or keypoints it is NOT_COMPARABLE, and not NEW."""
    not_new = isinstance(error, (TooFewKeypoints, HeadNotFound))
    verdict = Verdict.NOT_COMPARABLE if not_new else Verdict.REFUSED
    prediction = Prediction(verdict, None, str(error), ())
    return Identification(QueryPhoto(photo), prediction, Coverage(), engine.matcher.id if engine else "", seconds)
