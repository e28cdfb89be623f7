"""Evaluation on photos of known truth: how often the answers are right, and whether the stated rates are kept."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from index.types import Bool, Float64, Side
from retrieval.evaluation.metrics import (
    ErrorRate,
    auroc,
    cumulative_match,
    error_rate,
    mean_average_precision,
    open_set_accuracy,
    reliability,
)
from retrieval.novelty import Rates, Verdict


@dataclass(frozen=True, slots=True)
class RankedTurtle:
    """A candidate as the query ranked it."""

    turtle: str
    score: float
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One query of known truth and what was answered.

    Attributes
    ----------
    turtle : str
        The true turtle, also where it is not catalogued: photos of one turtle count together.
    catalogued : bool
        Whether another encounter of it was in the gallery.
    quality : float
        0 to 1, as at enrolment.
    called : str or None
        The turtle named by a KNOWN verdict.
    candidates : tuple of RankedTurtle
        Best first.
    """

    photo: str
    turtle: str
    catalogued: bool
    side: Side | None
    quality: float
    verdict: Verdict
    called: str | None
    p_new: float | None
    candidates: tuple[RankedTurtle, ...]

    @property
    def rank(self) -> int:
        """Place of the true turtle from 1; 0 where it is not among the candidates."""
        return next((i for i, one in enumerate(self.candidates, 1) if one.turtle == self.turtle), 0)

    @property
    def best_score(self) -> float:
        """Score of the first candidate, −∞ without one."""
        return self.candidates[0].score if self.candidates else -math.inf

    @property
    def best_wrong_score(self) -> float:
        """Score of the first candidate that is another turtle, −∞ without one."""
        return next((one.score for one in self.candidates if one.turtle != self.turtle), -math.inf)

    @property
    def true_score(self) -> float:
        """Score of the true turtle, −∞ where it is not among the candidates."""
        return next((one.score for one in self.candidates if one.turtle == self.turtle), -math.inf)

    @property
    def mistake(self) -> str | None:
        """What went wrong, in the words of the promised rates; None for right answers and for no answer."""
        if self.verdict is Verdict.KNOWN and not self.catalogued:
            return "false KNOWN"
        if self.verdict is Verdict.KNOWN and self.called != self.turtle:
            return "misidentified"
        if self.verdict is Verdict.NEW and self.catalogued:
            return "false NEW"
        return None


@dataclass(frozen=True, slots=True)
class VerdictShare:
    """How often a verdict was given to catalogued (known) and to uncatalogued (new) turtles' photos."""

    verdict: Verdict
    known: int
    new: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one set of queries; NaN where a figure needs photos that are not there.

    Attributes
    ----------
    known, new : int
        Photos of catalogued and of uncatalogued turtles.
    top1, top3, top5, mean_average_precision : float
        Of the photos of catalogued turtles.
    auroc : float
        Known against new: by 1 − P(new) where there is a fitted model, else by the best score.
    baks, baus, geometric_mean : float
        Balanced accuracy on known and on unknown samples.
    calibration_error, calibration_error_if_perfect : float
        Expected calibration error of P(new), and its 95 % quantile for a perfectly calibrated model.
    novelty_accuracy : float
        Share of all photos whose P(new) lies on the right side of one half.
    undecided : float
        Share of all photos without KNOWN or NEW.
    """

    name: str
    known: int
    new: int
    top1: float
    top3: float
    top5: float
    mean_average_precision: float
    auroc: float
    baks: float
    baus: float
    geometric_mean: float
    calibration_error: float
    calibration_error_if_perfect: float
    false_known: ErrorRate
    misidentified: ErrorRate
    false_new: ErrorRate
    novelty_accuracy: float
    undecided: float
    verdicts: tuple[VerdictShare, ...]

    def to_json(self) -> str:
        """One JSON object; figures that do not exist are null."""
        return json.dumps(_without_nan(asdict(self)))


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The same queries answered in one way: a score, a matcher, a cut-off.

    Attributes
    ----------
    seconds : float
        Mean time a query to compare its shortlist; pairs that were compared before take none.
    bytes_a_photo : float
        Mean size of the features that it compares, as they are stored.
    """

    evaluation: Evaluation
    outcomes: tuple[Outcome, ...]
    seconds: float = math.nan
    bytes_a_photo: float = math.nan


def summarize(outcomes: Sequence[Outcome], rates: Rates, name: str = "all photos") -> Evaluation:
    """All figures of some queries."""
    codes = {turtle: code for code, turtle in enumerate(sorted({one.turtle for one in outcomes}))}
    individual = np.array([codes[one.turtle] for one in outcomes], np.int64)
    new = np.array([not one.catalogued for one in outcomes], np.bool_)
    rank = np.array([one.rank for one in outcomes if one.catalogued], np.int64)
    match = cumulative_match(rank, 5) if len(rank) else np.full(5, np.nan)
    accuracy = open_set_accuracy(individual, new, np.array([_called(one, codes) for one in outcomes], np.int64))
    asked = [(one.p_new, not one.catalogued) for one in outcomes if one.p_new is not None]
    said = reliability(np.array([p for p, _ in asked], np.float64), np.array([is_new for _, is_new in asked], np.bool_))

    def realised(mistake: str, among: Bool, promised: float) -> ErrorRate:
        wrong = np.array([one.mistake == mistake for one in outcomes], np.bool_)
        return error_rate(wrong[among], individual[among], promised)

    decided = [one.verdict in (Verdict.KNOWN, Verdict.NEW) for one in outcomes]
    return Evaluation(
        name=name,
        known=int((~new).sum()),
        new=int(new.sum()),
        top1=float(match[0]),
        top3=float(match[2]),
        top5=float(match[4]),
        mean_average_precision=mean_average_precision(rank) if len(rank) else math.nan,
        auroc=auroc(_sureness(outcomes), ~new),
        baks=accuracy.known,
        baus=accuracy.unknown,
        geometric_mean=accuracy.geometric_mean,
        calibration_error=said.error,
        calibration_error_if_perfect=said.error_if_calibrated,
        false_known=realised("false KNOWN", new, rates.false_known),
        misidentified=realised("misidentified", ~new, rates.misidentified),
        false_new=realised("false NEW", ~new, rates.false_new),
        novelty_accuracy=float(np.mean([(p > 0.5) == is_new for p, is_new in asked])) if asked else math.nan,
        undecided=1 - float(np.mean(decided)) if decided else math.nan,
        verdicts=tuple(_verdict_share(outcomes, verdict) for verdict in Verdict),
    )


def by_group(outcomes: Sequence[Outcome], rates: Rates) -> tuple[Evaluation, ...]:
    """The figures by side, then by thirds of photo quality."""
    limits = np.quantile([one.quality for one in outcomes], (1 / 3, 2 / 3)) if outcomes else np.zeros(2)
    groups = [
        (f"side: {side}", [one for one in outcomes if one.side == side])
        for side in sorted({one.side for one in outcomes if one.side is not None})
    ]
    for third, name in enumerate(("lowest", "middle", "highest")):
        members = [one for one in outcomes if int(np.searchsorted(limits, one.quality)) == third]
        groups.append((f"quality: {name} third", members))
    return tuple(summarize(members, rates, name) for name, members in groups if members)


def worst_errors(outcomes: Sequence[Outcome], count: int = 20) -> tuple[Outcome, ...]:
    """Wrong verdicts first, the surest leading; then true turtles that another outranked, the widest gap leading."""
    wrong = sorted((one for one in outcomes if one.mistake), key=lambda one: -_sureness_of_verdict(one))
    outranked = sorted(
        (one for one in outcomes if one.catalogued and one.rank != 1 and not one.mistake and one.candidates),
        key=lambda one: one.true_score - one.best_score,
    )
    return tuple([*wrong, *outranked][:count])


def _called(outcome: Outcome, codes: dict[str, int]) -> int:
    if outcome.verdict is Verdict.NEW:
        return -1
    return codes.get(outcome.called or "", -2) if outcome.verdict is Verdict.KNOWN else -2


def _sureness(outcomes: Sequence[Outcome]) -> Float64:
    """How much each photo looks catalogued."""
    modelled = all(one.p_new is not None for one in outcomes)
    return np.array([1 - (one.p_new or 0.0) if modelled else one.best_score for one in outcomes], np.float64)


def _sureness_of_verdict(outcome: Outcome) -> float:
    p_new = outcome.p_new if outcome.p_new is not None else 0.5
    return p_new if outcome.verdict is Verdict.NEW else 1 - p_new


def _verdict_share(outcomes: Sequence[Outcome], verdict: Verdict) -> VerdictShare:
    given = [one.catalogued for one in outcomes if one.verdict is verdict]
    return VerdictShare(verdict, sum(given), len(given) - sum(given))


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value
