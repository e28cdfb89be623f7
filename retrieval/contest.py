"""Several scores answer the same queries: every photo pair is matched once and scored in each way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count

import numpy as np

from index.catalog import Catalog
from index.errors import PhotoRefused
from index.types import Float32, Matches, Photo, PreparedPhoto, Shortlist
from retrieval.conformal import Rates
from retrieval.evaluation import Evaluation, Method, Outcome, RankedTurtle, by_group, evaluate
from retrieval.images import decode, jpeg
from retrieval.instruments import Extracted, Instruments
from retrieval.judgement import Judge
from retrieval.metrics import ErrorRate
from retrieval.pipeline import BATCH, Terms
from retrieval.protocol import Protocol, Query
from retrieval.render import Panel, match_picture
from retrieval.results import Candidate, Refusal
from retrieval.scoring import MATCH_THRESHOLD, PairConfidences, Score, best_first, pair_confidences, score_pairs

Progress = Callable[[int], None]
"""Called with the number of queries that were just finished."""

_UNSEEN = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A score with the model that was fitted to it."""

    name: str
    score: Score
    judge: Judge


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One query, the answer of each contender, and what a picture of the first one's answer shows.

    Attributes
    ----------
    shown : tuple of Photo
        The best photo of the first candidate, and of the true turtle where that is another candidate.
    """

    query: Query
    outcomes: tuple[Outcome, ...]
    shown: tuple[Photo, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """All answers.

    Attributes
    ----------
    methods : tuple of Method
        In the order of the contenders.
    matching, different : PairConfidences
        Of each query and its first shortlisted photo of the same turtle, and a random one of another turtle.
    """

    methods: tuple[Method, ...]
    answered: tuple[Answered, ...]
    matching: PairConfidences
    different: PairConfidences
    left_out: tuple[Refusal, ...]

    def answer_of(self, outcome: Outcome) -> Answered:
        """The answer that an outcome of the first method belongs to."""
        return next(one for one in self.answered if one.outcomes[0] is outcome)


def compete(
    catalog: Catalog,
    protocol: Protocol,
    instruments: Instruments,
    contenders: Sequence[Contender],
    terms: Terms,
    progress: Progress | None = None,
) -> Contest:
    """Ask every query; pairs that were compared before come from the catalogue's cache. Raises CatalogBusy."""
    catalog.require(instruments.recipe)
    answered: list[Answered] = []
    left_out = list(protocol.left_out)
    matching: list[Float32] = []
    different: list[Float32] = []
    rng = np.random.default_rng(0)
    with catalog.writing("evaluate"):
        for query, photo in _prepared(catalog, protocol.queries, instruments):
            if isinstance(photo, Refusal):
                left_out.append(photo)
            else:
                compared = _compare(catalog, query, photo, instruments)
                answered.append(_answer(query, photo, compared, contenders, terms))
                own = np.array([one.turtle == query.turtle for one in compared.photos], np.bool_)
                matching += [compared.confidences[row] for row in np.flatnonzero(own)[:1]]
                if not own.all():
                    different.append(compared.confidences[rng.choice(np.flatnonzero(~own))])
            if progress:
                progress(1)
    methods = [
        _method(contender, [one.outcomes[place] for one in answered], terms)
        for place, contender in enumerate(contenders)
    ]
    pairs = PairConfidences.of(matching), PairConfidences.of(different)
    return Contest(tuple(methods), tuple(answered), *pairs, tuple(left_out))


def groups_of(contest: Contest, rates: Rates) -> tuple[Evaluation, ...]:
    """The first method's figures by side and quality."""
    outcomes = contest.methods[0].outcomes
    groups = by_group(outcomes, rates)
    if any(one.p_new is not None for one in outcomes):
        return groups
    return tuple(_without_verdicts(one, rates) for one in groups)


def picture(catalog: Catalog, answered: Answered, instruments: Instruments) -> bytes | None:
    """The query beside the first candidate and the true turtle, as JPEG bytes; None where nothing was compared."""
    if not answered.shown:
        return None
    [(_, photo)] = _prepared(catalog, [answered.query], instruments)
    if isinstance(photo, Refusal):
        return None
    features = catalog.features(answered.shown)
    panels = []
    for shown, own, matches in zip(
        answered.shown, features, instruments.compare(photo.features, features), strict=True
    ):
        role = "true turtle" if shown.turtle == answered.query.turtle else "first candidate"
        counted = int((matches.confidence >= MATCH_THRESHOLD).sum())
        caption = f"{role} {shown.turtle}: {counted} matches   {shown.path}"
        panels.append(Panel(caption, decode(catalog.thumbnail(shown)), own, matches))
    return jpeg(match_picture(decode(photo.thumbnail), photo.features, panels))


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A query's shortlist, and the photos of it that were matched with their confidences."""

    shortlist: Shortlist
    photos: list[Photo]
    confidences: list[Float32]


def _prepared(
    catalog: Catalog, queries: Sequence[Query], instruments: Instruments
) -> Iterator[tuple[Query, PreparedPhoto | Refusal]]:
    """Queries with what is computed from their photos, in order; photos outside the catalogue on all cores."""
    with ThreadPoolExecutor(cpu_count()) as cores:
        for first in range(0, len(queries), BATCH):
            batch = queries[first : first + BATCH]
            outside = [query for query in batch if query.enrolled is None]
            extracted = list(cores.map(lambda query: _extract(query, instruments), outside))
            encoded = iter(instruments.encode([one for one in extracted if isinstance(one, Extracted)]))
            read = iter([one if isinstance(one, Refusal) else next(encoded) for one in extracted])
            for query in batch:
                if query.enrolled is None:
                    yield query, _unless_enrolled(catalog, next(read))
                else:
                    yield query, _stored(catalog, query, query.enrolled)


def _extract(query: Query, instruments: Instruments) -> Extracted | Refusal:
    try:
        return instruments.extract(query.sighting)
    except PhotoRefused as refusal:
        return Refusal(query.sighting.path, str(refusal))


def _unless_enrolled(catalog: Catalog, photo: PreparedPhoto | Refusal) -> PreparedPhoto | Refusal:
    if isinstance(photo, Refusal) or not catalog.enrolled([photo.sha256]):
        return photo
    return Refusal(photo.sighting.path, f"{photo.sighting.path} is in the gallery itself.")


def _stored(catalog: Catalog, query: Query, photo: Photo) -> PreparedPhoto:
    [features], [vector] = catalog.features([photo]), catalog.vectors([photo])
    thumbnail = catalog.thumbnail(photo)
    return PreparedPhoto(query.sighting, photo.sha256, features, vector, thumbnail, features.size, photo.quality)


def _compare(catalog: Catalog, query: Query, photo: PreparedPhoto, instruments: Instruments) -> _Compared:
    shortlist = catalog.shortlist(photo.vector, instruments.shortlist, query.where, instruments.per_turtle)
    if query.turtles is not None:
        shortlist = replace(shortlist, catalogued_turtles=query.turtles)
    photos = list(shortlist.photos)
    cache = catalog.pair_cache(instruments.comparison)
    keys = [(photo.sha256, other.sha256) for other in photos]
    known = cache.get(keys)
    missing = [row for row, found in enumerate(known) if found is None]
    if missing:
        features = catalog.features([photos[row] for row in missing])
        matches = instruments.compare(photo.features, features)
        fresh = [
            pair_confidences(one, len(photo.features), len(own)) for one, own in zip(matches, features, strict=True)
        ]
        cache.put([keys[row] for row in missing], fresh)
        known = cache.get(keys)  # as the cache rounds them, so that a second run gives the same figures
    return _Compared(shortlist, photos, [found for found in known if found is not None])


def _answer(
    query: Query, photo: PreparedPhoto, compared: _Compared, contenders: Sequence[Contender], terms: Terms
) -> Answered:
    outcomes: list[Outcome] = []
    shown: tuple[Photo, ...] = ()
    for contender in contenders:
        judgement = contender.judge.judge(_rank(compared, contender), compared.shortlist, terms.prior_new, terms.rates)
        candidates = judgement.candidates
        if not outcomes:
            shown = tuple(c.photo for place, c in enumerate(candidates) if not place or c.turtle == query.turtle)
        outcomes.append(
            Outcome(
                photo=query.sighting.path,
                turtle=query.turtle,
                catalogued=query.catalogued,
                side=query.sighting.side,
                quality=photo.quality,
                verdict=judgement.verdict,
                called=judgement.turtle,
                p_new=judgement.p_new,
                candidates=tuple(RankedTurtle(c.turtle, c.score, c.probability) for c in candidates),
            )
        )
    return Answered(query, tuple(outcomes), shown)


def _rank(compared: _Compared, contender: Contender) -> tuple[Candidate, ...]:
    """As `ranking.rank` does, from confidences alone: cached pairs do not remember which keypoints matched."""
    if not compared.photos:
        return ()
    pairs = PairConfidences.of(compared.confidences)
    scores = score_pairs(pairs, contender.judge.null, contender.score)
    best: dict[str, Candidate] = {}
    for row in best_first(scores, pairs.mean()):
        turtle = str(compared.photos[row].turtle)
        if turtle not in best:
            counted = int((compared.confidences[row] >= MATCH_THRESHOLD).sum())
            best[turtle] = Candidate(turtle, float(scores[row]), None, counted, compared.photos[row], _UNSEEN)
    return tuple(best.values())


def _method(contender: Contender, outcomes: list[Outcome], terms: Terms) -> Method:
    figures = evaluate(outcomes, terms.rates, contender.name)
    return Method(figures if contender.judge.novelty else _without_verdicts(figures, terms.rates), tuple(outcomes))


def _without_verdicts(figures: Evaluation, rates: Rates) -> Evaluation:
    """A score without a fitted model gives no verdicts; that it gave none is no merit and no fault."""
    nothing = float("nan")
    none = ErrorRate(nothing, 0.0, 1.0, 0.0, nothing)
    return replace(
        figures,
        baks=nothing,
        baus=nothing,
        geometric_mean=nothing,
        undecided=nothing,
        false_known=replace(none, promised=rates.false_known),
        misidentified=replace(none, promised=rates.misidentified),
        false_new=replace(none, promised=rates.false_new),
    )
