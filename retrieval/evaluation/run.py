"""Several methods and scores answer the same queries: every photo pair is matched once a method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np

from index.catalog import Catalog
from index.types import (
    Float32,
    Matches,
    Photo,
    PreparedPhoto,
    Progress,
    Refusal,
)
from retrieval.engine import Engine
from retrieval.evaluation.figures import Evaluation, MethodResult, Outcome, RankedTurtle, by_group, summarize
from retrieval.evaluation.metrics import ErrorRate
from retrieval.evaluation.protocol import Protocol, Query, leave_one_out
from retrieval.evaluation.ways import Compared, planned, prepared_queries, ways_of
from retrieval.images import Heading, jpeg
from retrieval.matching.image_matchers import EmbeddingMatcher
from retrieval.novelty import CatalogModel, DecisionPolicy, Rates
from retrieval.pipeline import PairPool, compared_picture, described
from retrieval.scoring import Candidate, PairConfidences, best_first, first_of_each

_UNSEEN = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class FittedMethod:
    """A way to compare and score, with the model that was fitted to it."""

    name: str
    engine: Engine
    model: CatalogModel


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
class Comparison:
    """All answers.

    Attributes
    ----------
    methods : tuple of MethodResult
        In the order of the contenders.
    matching, different : PairConfidences
        Of each query and its first shortlisted photo of the same turtle, and a random one of another turtle.
    """

    methods: tuple[MethodResult, ...]
    answered: tuple[Answered, ...]
    matching: PairConfidences
    different: PairConfidences
    left_out: tuple[Refusal, ...]

    def answer_of(self, outcome: Outcome) -> Answered:
        """The answer that an outcome of the first method belongs to."""
        return next(one for one in self.answered if one.outcomes[0] is outcome)


def compare_methods(
    catalog: Catalog,
    protocol: Protocol,
    engine: Engine,
    fitted_methods: Sequence[FittedMethod],
    policy: DecisionPolicy,
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> Comparison:
    """Ask every query; pairs that were compared before come from the catalogue's cache. Raises CatalogBusy.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared; None compares them on this machine.
    """
    catalog.require(engine.recipe)
    answered: list[Answered] = []
    left_out = list(protocol.left_out)
    matching: list[Float32] = []
    different: list[Float32] = []
    rng = np.random.default_rng(0)
    fitted_methods = [
        replace(one, model=one.model.without_intervals()) for one in fitted_methods
    ]  # no figure shows them
    with catalog.writing("evaluate"):
        ways = ways_of(catalog, (one.engine for one in fitted_methods), pool)
        for query, search in planned(catalog, protocol.queries, engine, ways):
            if isinstance(search, Refusal):
                left_out.append(search)
            else:
                photo, shortlist = search
                by_way = {name: way.compare(photo, shortlist) for name, way in ways.items()}
                answered.append(_answer(catalog, query, photo, by_way, fitted_methods, policy))
                compared = by_way[engine.comparing]
                own = np.array([one.turtle == query.turtle for one in compared.photos], np.bool_)
                matching += [compared.confidences[row] for row in np.flatnonzero(own)[:1]]
                if not own.all():
                    different.append(compared.confidences[rng.choice(np.flatnonzero(~own))])
            if progress:
                progress(1)
    stored = catalog.feature_store.bytes_a_photo()
    methods = [
        replace(
            _method(fitted_method, [one.outcomes[place] for one in answered], policy),
            seconds=ways[fitted_method.engine.comparing].seconds / max(1, len(answered)),
            bytes_a_photo=bytes_compared(fitted_method.engine, stored),
        )
        for place, fitted_method in enumerate(fitted_methods)
    ]
    pairs = PairConfidences.of(matching), PairConfidences.of(different)
    return Comparison(tuple(methods), tuple(answered), *pairs, tuple(left_out))


def bytes_compared(engine: Engine, stored: Mapping[str, float]) -> float:
    """Bytes of a photo's features that an engine compares, of those of each extractor; NaN where none is known."""
    beside = [name for name in stored if name != engine.extractor.id and name in engine.comparison]
    alone = isinstance(engine.matcher, EmbeddingMatcher) or any(name in engine.first_stage for name in beside)
    read = beside if alone else [engine.extractor.id, *beside]
    return sum(stored.get(name, math.nan) for name in read) if read else math.nan


def evaluate(
    catalog: Catalog, engine: Engine, policy: DecisionPolicy | None = None, protocol: Protocol | None = None
) -> Evaluation:
    """Figures of the catalogue's own model on the catalogue's own photos; raises CatalogBusy.

    Parameters
    ----------
    protocol : Protocol or None
        Which photos are asked about and against which gallery; None asks about each without its encounter, and once
        without its turtle (`leave_one_out`).
    """
    model = CatalogModel.load(catalog, engine.evidence)
    asked = leave_one_out(catalog) if protocol is None else protocol
    method = FittedMethod(str(engine.score), engine, model)
    return compare_methods(catalog, asked, engine, [method], policy or DecisionPolicy()).methods[0].evaluation


def groups_of(comparison: Comparison, rates: Rates) -> tuple[Evaluation, ...]:
    """The first method's figures by side and quality."""
    outcomes = comparison.methods[0].outcomes
    groups = by_group(outcomes, rates)
    if any(one.p_new is not None for one in outcomes):
        return groups
    return tuple(_without_verdicts(one, rates) for one in groups)


def picture(catalog: Catalog, answered: Answered, engine: Engine) -> bytes | None:
    """The query beside the first candidate and the true turtle, as JPEG bytes; None where nothing was compared."""
    if not answered.shown:
        return None
    [(_, photo)] = prepared_queries(catalog, [answered.query], engine)
    if isinstance(photo, Refusal):
        return None
    outcome = answered.outcomes[0]
    truth = answered.query.turtle
    chance = "" if outcome.p_new is None else f"    P(new) {outcome.p_new:.2f}"
    title = f"{PurePath(outcome.photo).name}    {outcome.verdict.value} {outcome.called or ''}{chance}"
    seen = photo.sighting
    heading = Heading(title, (described(seen.side, seen.taken_on, seen.site),))
    roles = [", the true turtle" if shown.turtle == truth else ", first candidate" for shown in answered.shown]
    return jpeg(compared_picture(catalog, engine, photo, answered.shown, heading, notes=roles))


def _answer(
    catalog: Catalog,
    query: Query,
    photo: PreparedPhoto,
    by_way: dict[str, Compared],
    fitted_methods: Sequence[FittedMethod],
    policy: DecisionPolicy,
) -> Answered:
    outcomes: list[Outcome] = []
    shown: tuple[Photo, ...] = ()
    for fitted_method in fitted_methods:
        compared = by_way[fitted_method.engine.comparing]
        prediction = fitted_method.model.predict(
            _rank(catalog, compared, fitted_method, query.enrolled),
            compared.shortlist,
            policy.prior_new,
            policy.rates,
        )
        candidates = prediction.candidates
        if not outcomes:
            shown = tuple(c.photo for place, c in enumerate(candidates) if not place or c.turtle == query.turtle)
        outcomes.append(
            Outcome(
                photo=query.sighting.path,
                turtle=query.turtle,
                catalogued=query.catalogued,
                side=query.sighting.side,
                quality=photo.quality,
                verdict=prediction.verdict,
                called=prediction.turtle,
                p_new=prediction.p_new,
                candidates=tuple(RankedTurtle(c.turtle, c.score, c.probability) for c in candidates),
            )
        )
    return Answered(query, tuple(outcomes), shown)


def _rank(
    catalog: Catalog, compared: Compared, fitted_method: FittedMethod, asked: Photo | None
) -> tuple[Candidate, ...]:
    """As `ranking.rank` does, from confidences alone: cached pairs do not remember which keypoints matched."""
    if not compared.photos:
        return ()
    photos = compared.photos
    scores = fitted_method.model.scoring(catalog, fitted_method.engine.score).of(compared.pairs, photos, asked)
    return tuple(
        Candidate(str(photos[row].turtle), float(scores[row]), None, int(compared.matches[row]), photos[row], _UNSEEN)
        for row in first_of_each(best_first(scores, compared.mean).tolist(), lambda row: photos[row].turtle)
    )


def _method(fitted_method: FittedMethod, outcomes: list[Outcome], policy: DecisionPolicy) -> MethodResult:
    figures = summarize(outcomes, policy.rates, fitted_method.name)
    return MethodResult(
        figures if fitted_method.model.novelty else _without_verdicts(figures, policy.rates), tuple(outcomes)
    )


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
