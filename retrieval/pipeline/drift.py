"""Whether recent photos still score like those that the model was fitted on: a new camera or a new bay may not."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from index.catalog import Catalog
from index.curation import RecentScore, recent_scores, remember_scores
from index.errors import CatalogBusy, CatalogReadOnly
from index.types import Float64, Int64
from retrieval.novelty import MODEL, CatalogModel, LikelihoodRatio, NoveltyModel
from retrieval.pipeline.results import Identification

MIN_ENCOUNTERS = 20
"""With fewer encounters nothing is said about drift."""

_ALARM = 0.01
_SIMULATED = 200
_SHARES = np.linspace(0, 1, 11)
_HALVES = 5.0
"""Encounters of new and of known turtles as many as these stand beside those that were asked about."""
_ROUNDS, _CLIP = 100, 40.0


GROWTH = 0.1
"""Share of the gallery that may have come since the fit before that is said."""


@dataclass(frozen=True, slots=True, eq=False)
class RecentScores:
    """Best scores of the latest queries.

    Attributes
    ----------
    score : float64 [n]
    gallery : int64 [n]
        Turtles in the gallery that was searched.
    encounter : int64 [n]
        Code; photos of one encounter count as one.
    """

    score: Float64
    gallery: Int64
    encounter: Int64


@dataclass(frozen=True, slots=True)
class Drift:
    """Result of the comparison.

    Attributes
    ----------
    distance : float
        Largest distance between the recent scores' distribution and the nearest mixture of known and new turtles.
    p_value : float
        Chance of so large a distance without drift, simulated from the bootstrap fits; 1 with too few encounters.
    sentence : str or None
        For the user, where the p-value is under 1 %.
    """

    distance: float
    p_value: float
    encounters: int
    sentence: str | None


def detect_drift(model: NoveltyModel, recent: RecentScores, seed: int = 0) -> Drift:
    """Compare recent best scores with the model, whatever share of the recent turtles was new."""
    _, first, code, count = np.unique(recent.encounter, return_index=True, return_inverse=True, return_counts=True)
    if len(first) < MIN_ENCOUNTERS:
        return Drift(0.0, 1.0, len(first), None)
    weight = 1.0 / count[code.ravel()] / len(first)
    fit = model.separation
    observed = _nearest(fit, recent.score, recent.gallery, weight)
    rng = np.random.default_rng(seed)
    gallery, equal = recent.gallery[first], np.full(len(first), 1.0 / len(first))
    generators = model.replicates or (fit,)
    simulated = [
        _nearest(fit, _drawn(generators[i % len(generators)], gallery, observed.share, rng), gallery, equal).distance
        for i in range(_SIMULATED)
    ]
    p_value = (1 + sum(distance >= observed.distance for distance in simulated)) / (_SIMULATED + 1)
    sentence = None
    if p_value < _ALARM:
        sentence = (
            f"The best scores of the last {len(first)} encounters are {observed.direction} than those that the model "
            f"was fitted on (p = {p_value:.3f}): enrol some of them and run `turtleidx fit`."
        )
    return Drift(observed.distance, p_value, len(first), sentence)


@dataclass(frozen=True, slots=True)
class LearnedPrior:
    """The share of new turtles among those that were asked about lately, drawn towards one half where they are few."""

    share: float
    encounters: int

    @property
    def sentence(self) -> str:
        """For the user."""
        if not self.encounters:
            return "Nothing was asked since the last fit: a turtle counts as new with probability 0.50 before looking."
        return (
            f"A turtle counts as new with probability {self.share:.2f} before looking, learnt from the "
            f"{self.encounters} encounters that were asked about since the last fit."
        )


def learn_prior(model: NoveltyModel, recent: RecentScores) -> LearnedPrior:
    """The share of new turtles that explains recent best scores best, whatever was decided about them.

    Expectation maximisation over a mixture of both kinds, with a Beta prior of `_HALVES` encounters of each.
    """
    if not len(recent.score):
        return LearnedPrior(0.5, 0)
    fit = model.separation
    photos = np.full(1, float(np.exp(np.log(fit.photos).mean())))
    ratio = np.array(
        [
            float(fit.together(np.array([score]), photos, float(gallery))[0])
            for score, gallery in zip(recent.score, recent.gallery, strict=True)
        ]
    )
    _, code, count = np.unique(recent.encounter, return_inverse=True, return_counts=True)
    of_encounter = np.bincount(code.ravel(), ratio) / count
    share = 0.5
    for _ in range(_ROUNDS):
        new = share / (share + (1 - share) * np.exp(np.clip(of_encounter, -_CLIP, _CLIP)))
        share = float((new.sum() + _HALVES) / (len(count) + 2 * _HALVES))
    return LearnedPrior(share, len(count))


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The mixture of known and new turtles that is nearest to the scores."""

    distance: float
    share: float
    direction: str


def _nearest(fit: LikelihoodRatio, score: Float64, gallery: Int64, weight: Float64) -> _Nearest:
    new, known = 1 - fit.impostor_survival(score, gallery), fit.known_cdf(score, gallery)
    height = known + _SHARES[:, None] * (new - known)
    order = np.argsort(height, axis=1)
    ordered = np.take_along_axis(height, order, 1)
    below = np.cumsum(weight[order], axis=1)
    gap = np.maximum(np.abs(below - ordered), np.abs(below - weight[order] - ordered)).max(axis=1)
    best = int(gap.argmin())
    centre = float(height[best] @ weight)
    direction = "higher" if centre > 0.6 else "lower" if centre < 0.4 else "otherwise spread"
    return _Nearest(float(gap[best]), float(_SHARES[best]), direction)


def _drawn(fit: LikelihoodRatio, gallery: Int64, share: float, rng: np.random.Generator) -> Float64:
    """Best scores from the mixture with this share of new turtles, float64 [n]."""
    width = fit.grid[-1] - fit.grid[0]
    scores = np.concatenate((fit.grid, fit.grid[-1] + width * np.geomspace(0.01, 10, 60)))
    drawn, u = np.empty(len(gallery)), rng.random(len(gallery))
    for turtles in np.unique(gallery):
        known, rows = fit.known_cdf(scores, turtles), gallery == turtles
        mixed = known + share * (1 - fit.impostor_survival(scores, turtles) - known)
        drawn[rows] = np.interp(u[rows], mixed, scores)
    return drawn


def recent_score(found: Identification, encounter: str | None = None) -> RecentScore | None:
    """The best score of a photo that is not in the catalogue itself; None where the model said nothing about it.

    Photos of one encounter count as one: those that are answered together, else those of one day that resemble the same
    turtle most.
    """
    posterior, digest = found.prediction.posterior, found.query.sha256
    if posterior is None or digest is None or not found.candidates or found.query.enrolled is not None:
        return None
    alone = digest if found.query.taken_on is None else f"{found.query.taken_on}/{found.candidates[0].turtle}"
    return RecentScore(digest, encounter or alone, posterior.score, round(posterior.gallery))


def remember(catalog: Catalog, scores: Sequence[RecentScore | None], recipe: str | None = None) -> None:
    """Keep what `recent_score` gave; nothing while another process writes, or where the catalogue cannot be written.

    Parameters
    ----------
    recipe : str or None
        `Engine.evidence` of what was asked; None means the newest model's.
    """
    stored, known = catalog.model(MODEL, recipe), [one for one in scores if one is not None]
    if stored is None or not known:
        return
    with contextlib.suppress(
        CatalogBusy, CatalogReadOnly, PermissionError
    ):  # the watch is no reason to refuse an answer
        remember_scores(catalog, known, stored.event)


def drift_of(catalog: Catalog, recipe: str | None = None) -> Drift | None:
    """How recent queries compare with the fitted model; None without a model, or with too few encounters."""
    stored = catalog.model(MODEL, recipe)
    recent = [] if stored is None else recent_scores(catalog, stored.event)
    if stored is None or len({one.encounter for one in recent}) < MIN_ENCOUNTERS:
        return None
    novelty = CatalogModel.from_json(stored.payload).novelty
    return None if novelty is None else detect_drift(novelty, _columns(recent))


def prior_of(catalog: Catalog, recipe: str | None = None) -> LearnedPrior:
    """How probable a new turtle is, learnt from the latest queries; one half without a model."""
    stored = catalog.model(MODEL, recipe)
    novelty = None if stored is None else CatalogModel.from_json(stored.payload).novelty
    if stored is None or novelty is None:
        return LearnedPrior(0.5, 0)
    return learn_prior(novelty, _columns(recent_scores(catalog, stored.event)))


def _columns(recent: Sequence[RecentScore]) -> RecentScores:
    code = {name: number for number, name in enumerate(sorted({one.encounter for one in recent}))}
    return RecentScores(
        np.array([one.score for one in recent], np.float64),
        np.array([one.gallery for one in recent], np.int64),
        np.array([code[one.encounter] for one in recent], np.int64),
    )


def outgrown(catalog: Catalog, recipe: str | None = None) -> str | None:
    """A sentence for the user where more than a tenth of the identified photos came after the fit; else None."""
    stored = catalog.model(MODEL, recipe)
    if stored is None:
        return None
    model = CatalogModel.from_json(stored.payload)
    now = catalog.identified()
    came = now - model.photos
    if model.novelty is None or came <= GROWTH * now:
        return None
    return (
        f"The model knows {model.photos} of the {now} identified photos: `turtleidx fit` learns from the {came} that "
        "came since."
    )
