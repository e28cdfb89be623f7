"""The novelty model: fitted from the catalogue itself, it says how probable it is that a photo shows a new turtle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from index.types import Float64, Int64
from retrieval.novelty.calibration import Ask, Calibration, Occasion
from retrieval.novelty.conformal import Rates, Thresholds
from retrieval.novelty.likelihood import LikelihoodRatio
from retrieval.novelty.posterior import Candidates, Posterior, Search
from retrieval.novelty.samples import GenuineScores, ImpostorMaxima, TooSmall, asking_more
from retrieval.scoring import TNorm, model_json, model_record, read_model

MIN_GENUINE_INDIVIDUALS = 19
"""Turtles with two encounters: with fewer, even the default false-NEW rate of 5 % cannot be certified (1/(19+1))."""
MIN_IMPOSTOR_INDIVIDUALS = 20
"""Turtles: ten of them must lie above the median, the lowest threshold of the tail of impostor maxima."""

_KIND, _VERSION = "novelty model", 3
_FOLDS = 5
REPLICATES = 40


@dataclass(frozen=True, slots=True, eq=False)
class NoveltyModel:
    """The fitted model of one side's (or the whole catalogue's) scores.

    Attributes
    ----------
    separation : LikelihoodRatio
    replicates : tuple of LikelihoodRatio
        Fits to bootstrap samples of the individuals.
    calibration : Calibration
        Statistics of catalogue photos under models that were fitted without their turtles.
    together : Calibration
        The same of encounters.
    cohort : TNorm or None
        How scores are standardised within their query; None takes them as they are.
    stopped_at : int
        Pairs at which the fit stopped before it had asked about every photo that it drew; 0 where it did not, or where
        an earlier version did not say.
    """

    separation: LikelihoodRatio
    replicates: tuple[LikelihoodRatio, ...]
    calibration: Calibration
    together: Calibration
    cohort: TNorm | None = None
    stopped_at: int = 0

    @classmethod
    def fit(
        cls,
        impostors: ImpostorMaxima,
        genuine: GenuineScores,
        photos: Int64,
        occasions: Sequence[Occasion] = (),
        seed: int = 0,
        replicates: int = REPLICATES,
        cohort: TNorm | None = None,
        before: NoveltyModel | None = None,
        stopped_at: int = 0,
    ) -> NoveltyModel | TooSmall:
        """Fit the model, its bootstrap and its calibration, or say why the catalogue is too small.

        Parameters
        ----------
        photos : int64 [turtles]
            Photos of each catalogued turtle.
        occasions : sequence of Occasion
            The searches of the largest galleries, their scores standardised, for the calibration; without them the
            verdict is always UNDECIDED.
        cohort : TNorm or None
            What `impostors` and `genuine` were standardised with; queries then are, too.
        before : NoveltyModel or None
            A model of these very searches, perhaps: it is returned where its first fit is the same, because the
            bootstrap and the calibration then are, too, and take fifty times as long.
        stopped_at : int
            Pairs at which the searches ended before every photo was asked about; 0 where all were.
        """
        refusal = _too_small(impostors, genuine, stopped_at)
        if refusal is not None:
            return refusal
        rng = np.random.default_rng(seed)
        known = np.unique(impostors.individual)
        separation = LikelihoodRatio.fit(impostors, genuine, photos, seed)
        if before is not None and _same_fit(before, replace(before, separation=separation, cohort=cohort), replicates):
            return before
        resampled = []
        for _ in range(replicates):
            drawn = rng.choice(known, len(known))
            of_impostors, of_genuine = _rows_of(impostors.individual, drawn), _rows_of(genuine.individual, drawn)
            resampled.append(
                LikelihoodRatio.fit(
                    impostors.take(of_impostors.row, of_impostors.code),
                    genuine.take(of_genuine.row, of_genuine.code),
                    photos,
                    like=separation,
                )
            )
        calibration, together = _cross_fit(impostors, genuine, photos, separation, occasions, rng.permutation(known))
        return NoveltyModel(separation, tuple(resampled), calibration, together, cohort, stopped_at)

    def posterior(self, candidates: Candidates, gallery: int, prior_new: float, not_compared: float = 0.0) -> Posterior:
        """Probabilities of new, of every candidate, and of a catalogued turtle that was not compared.

        Parameters
        ----------
        gallery : int
            Turtles with a photo in the searched gallery, shortlisted or not.
        prior_new : float
            Probability of a new turtle before looking, strictly between 0 and 1.
        not_compared : float
            Share of the catalogued turtles that have no photo in the searched gallery.
        """
        if self.cohort is not None:
            candidates = replace(candidates, score=self.cohort.standardise(candidates.score))
        return answer_of(self.separation, self.replicates, candidates, gallery, prior_new, not_compared)

    def thresholds(self, rates: Rates, together: bool = False) -> Thresholds:
        """Thresholds on −`ratio`, `lead` and `ratio` that keep these rates: for photos, or for whole encounters."""
        found = _thresholds(self.together if together else self.calibration, rates)
        return replace(found, stopped_at=self.stopped_at)

    def to_record(self) -> dict[str, object]:
        """What `from_record` reads: nested plain values and arrays under a kind and a version."""
        return model_record(_KIND, _VERSION, asdict(self))

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | str) -> NoveltyModel:
        """Read what `to_record` gave, or its JSON text; raises CatalogTooNew or CatalogDamaged."""
        read = read_model(record, _KIND, _VERSION, ("separation", "replicates", "calibration", "together"))
        return cls(
            LikelihoodRatio.from_record(read["separation"]),
            tuple(LikelihoodRatio.from_record(record) for record in read["replicates"]),
            Calibration.from_record(read["calibration"]),
            Calibration.from_record(read["together"]),
            TNorm(**read["cohort"]) if read.get("cohort") else None,
            int(read.get("stopped_at", 0)),
        )


def answer_of(
    fit: LikelihoodRatio,
    replicates: Sequence[LikelihoodRatio],
    candidates: Candidates,
    gallery: int,
    prior_new: float,
    not_compared: float,
) -> Posterior:
    """What distributions say about standardised scores; the rest as in `NoveltyModel.posterior`."""
    turtles = gallery / (1 - not_compared) if gallery else 1.0
    search = Search(candidates, float(gallery), turtles)
    evidence = search.evidence(fit)
    weights = search.weights(evidence, prior_new)
    spread = [search.weights(search.evidence(one), prior_new)[0] for one in replicates]
    low, high = np.quantile([*spread, weights[0]], (0.05, 0.95))
    ordered = np.sort(candidates.score)
    some, several = len(ordered) > 0, len(ordered) > 1
    return Posterior(
        turtle=candidates.turtle,
        p_new=float(weights[0]),
        p_candidates=weights[2:],
        p_not_compared=float(weights[1]),
        p_new_low=min(float(low), float(weights[0])),
        p_new_high=max(float(high), float(weights[0])),
        best=int(candidates.turtle[np.argmax(candidates.score)]) if some else None,
        tail=float(fit.impostor_survival(ordered[-1], gallery)) if some else 1.0,
        lead=float(np.exp(fit.log_lead(ordered[-1], ordered[-2]))) if several else 0.0 if some else 1.0,
        low=float(fit.known_cdf(ordered[-1], gallery)) if some else 1.0,
        score=float(ordered[-1]) if some else math.nan,
        prior_new=prior_new,
        gallery=float(gallery),
        turtles=turtles,
        evidence=evidence[1:],
        evidence_absent=float(evidence[0]),
    )


@lru_cache(maxsize=16)
def _thresholds(calibration: Calibration, rates: Rates) -> Thresholds:
    return calibration.thresholds(rates)


def _same_fit(before: NoveltyModel, now: NoveltyModel, replicates: int) -> bool:
    return len(before.replicates) == replicates and model_json(before.to_record()) == model_json(now.to_record())


def _too_small(impostors: ImpostorMaxima, genuine: GenuineScores, stopped_at: int) -> TooSmall | None:
    turtles = len(np.unique(impostors.individual))
    twice = len(np.unique(genuine.individual[genuine.shortlisted]))
    if turtles >= MIN_IMPOSTOR_INDIVIDUALS and twice >= MIN_GENUINE_INDIVIDUALS:
        return None
    few = "The fit asked about too few turtles" if stopped_at else "The catalogue is too small"
    more = f"; {asking_more(stopped_at)}" if stopped_at else ""
    return TooSmall(
        f"{few} for probabilities: they need {MIN_IMPOSTOR_INDIVIDUALS} turtles (here {turtles}), "
        f"{MIN_GENUINE_INDIVIDUALS} of them with photos of two encounters (here {twice}){more}."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of a table and the codes under which their individuals count, int64 [n] each."""

    row: Int64
    code: Int64


def _rows_of(individual: Int64, drawn: Int64) -> _Rows:
    """Rows of the drawn individuals; one that was drawn twice counts as two."""
    order = np.argsort(individual, kind="stable")
    first = np.searchsorted(individual[order], drawn, "left")
    count = np.searchsorted(individual[order], drawn, "right") - first
    code = np.repeat(np.arange(len(drawn)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return _Rows(order[first[code] + within], code)


def _cross_fit(
    impostors: ImpostorMaxima,
    genuine: GenuineScores,
    photos: Int64,
    separation: LikelihoodRatio,
    occasions: Sequence[Occasion],
    shuffled: Int64,
) -> tuple[Calibration, Calibration]:
    """Statistics of every catalogue photo, and encounter, under the model of the folds that its turtle is not in.

    They are read on the scale of the model of all turtles, which is the one in use.
    """
    parts: tuple[list[Calibration], list[Calibration]] = ([], [])
    kinds = [one for each in occasions for one in each.alone()], occasions
    new = [[one for one in kind if not one.catalogued] for kind in kinds]
    in_use = [_ratios(kind, _Unseen(separation)) for kind in new]
    for fold in np.array_split(shuffled, _FOLDS):
        rest_i = np.flatnonzero(~np.isin(impostors.individual, fold))
        rest_g = np.flatnonzero(~np.isin(genuine.individual, fold))
        fit = LikelihoodRatio.fit(
            impostors.take(rest_i, impostors.individual[rest_i]),
            genuine.take(rest_g, genuine.individual[rest_g]),
            photos,
            like=separation,
        )
        ask = _Unseen(fit)
        for kind, others, wanted, part in zip(kinds, new, in_use, parts, strict=True):
            held = Calibration.of([one for one in kind if one.individual in fold], ask, fit)
            outside = [row for row, one in enumerate(others) if one.individual not in fold]
            part.append(held.on_scale(_ratios([others[row] for row in outside], ask), wanted[outside]))
    alone, together = map(Calibration.joined, parts)
    return alone, together


def _ratios(occasions: Sequence[Occasion], ask: Ask) -> Float64:
    return np.array([one.answer(ask).ratio for one in occasions], np.float64)


@dataclass(frozen=True, slots=True)
class _Unseen:
    """Answers by distributions alone, for scores that are standardised already."""

    fit: LikelihoodRatio

    def __call__(self, candidates: Candidates, gallery: int) -> Posterior:
        return answer_of(self.fit, (), candidates, gallery, 0.5, 0.0)
