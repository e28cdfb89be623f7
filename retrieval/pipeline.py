"""The way of a photograph: `enroll` into the gallery, `identify` against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from index.catalog import Catalog
from index.errors import PhotoRefused, TooFewKeypoints, TurtleidxError
from index.manifest import RefusedRow
from index.types import GalleryFilter, Photo, PreparedPhoto, Sighting
from retrieval.conformal import Rates
from retrieval.decision import Verdict
from retrieval.instruments import Instruments
from retrieval.judgement import Judge
from retrieval.preparing import prepared
from retrieval.ranking import Pair, rank
from retrieval.results import EnrollReport, Identification, Refusal

Progress = Callable[[int], None]
"""Called with the number of photos that were just finished."""


def enroll(
    catalog: Catalog,
    sightings: Iterable[Sighting | RefusedRow],
    instruments: Instruments,
    who: str,
    progress: Progress | None = None,
) -> EnrollReport:
    """Add photos to the gallery, a transaction a batch; what is there already is left as it is.

    A run that was interrupted is continued by the same call: photos of committed batches are recognised by their bytes.

    Raises
    ------
    RecipeMismatch, CatalogBusy, StorageFull
    """
    started = time.perf_counter()
    enrolled: list[Photo] = []
    already_there: list[Photo] = []
    refused: list[Refusal] = []
    catalog.require(instruments.recipe)
    with catalog.writing("enroll"):
        for batch in prepared(catalog, sightings, instruments):
            for outcome in catalog.enroll(batch.photos, who):
                (already_there if outcome.already_there else enrolled).append(outcome.photo)
            already_there += batch.already_there
            refused += batch.refused
            if progress:
                progress(batch.size)
    return EnrollReport(tuple(enrolled), tuple(already_there), tuple(refused), time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a verdict is given.

    Attributes
    ----------
    prior_new : float
        Probability of a new turtle before looking.
    rates : Rates
        Error rates that the verdict promises.
    """

    prior_new: float = 0.5
    rates: Rates = field(default_factory=Rates)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What is computed from a query's photo alone, or why it cannot be; needs no catalogue."""

    photo: PreparedPhoto | PhotoRefused
    seconds: float


def describe(sighting: Sighting, instruments: Instruments) -> Described:
    """Read a query's photo, find its keypoints and encode it."""
    started = time.perf_counter()
    try:
        [photo] = instruments.encode([instruments.extract(sighting)])
    except PhotoRefused as refusal:
        return Described(refusal, time.perf_counter() - started)
    return Described(photo, time.perf_counter() - started)


def identify(
    catalog: Catalog,
    sighting: Sighting,
    instruments: Instruments,
    judge: Judge,
    terms: Terms,
    described: Described | None = None,
) -> Identification:
    """Say which enrolled turtle a photo shows, or that it is new: shortlist, match, score, judge.

    The gallery of the sighting's side is searched, or the whole one where it has none. A caller with many photos gives
    what `describe` said of this one, so that the next can be described meanwhile.
    """
    described = described or describe(sighting, instruments)
    started, query = time.perf_counter() - described.seconds, described.photo
    if isinstance(query, PhotoRefused):
        return unanswered(sighting.path, query, instruments, described.seconds)
    enrolled = catalog.enrolled([query.sha256]).get(query.sha256)
    where = GalleryFilter(side=sighting.side)
    probe = instruments.encoder.probe(query.features, query.vector)
    shortlist = catalog.shortlist(probe, instruments.shortlist + 1, where, instruments.per_turtle)
    gallery = [one for one in shortlist.photos if one.sha256 != query.sha256][: instruments.shortlist]
    features = catalog.features(gallery)
    pairs = [
        Pair(photo, own, matches)
        for photo, own, matches in zip(gallery, features, instruments.rerank(query.features, features), strict=True)
        if matches is not None
    ]
    candidates = rank(pairs, len(query.features), judge.null, instruments.score)
    judgement = judge.judge(candidates, shortlist, terms.prior_new, terms.rates)
    return Identification(
        photo=sighting.path,
        verdict=judgement.verdict,
        turtle=judgement.turtle,
        p_new=judgement.p_new,
        p_new_low=judgement.p_new_low,
        p_new_high=judgement.p_new_high,
        p_not_compared=judgement.p_not_compared,
        reason=_with_enrolment(judgement.reason, enrolled),
        candidates=judgement.candidates,
        compared_photos=len(pairs),
        compared_turtles=len(candidates),
        gallery_photos=shortlist.gallery_photos,
        gallery_turtles=shortlist.gallery_turtles,
        matcher=instruments.matcher.id,
        seconds=time.perf_counter() - started,
        features=query.features,
        side=sighting.side,
        posterior=judgement.posterior,
        sha256=query.sha256,
        taken_on=query.sighting.taken_on,
        enrolled=enrolled is not None,
    )


def _with_enrolment(reason: str, enrolled: Photo | None) -> str:
    if enrolled is None:
        return reason
    owner = f"as turtle {enrolled.turtle}" if enrolled.turtle else "without a turtle"
    return f"{reason} This very photo is enrolled already, {owner}; it was not compared with itself."


def unanswered(photo: str, error: TurtleidxError, instruments: Instruments, seconds: float = 0.0) -> Identification:
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
        matcher=instruments.matcher.id,
        seconds=seconds,
        features=None,
    )
