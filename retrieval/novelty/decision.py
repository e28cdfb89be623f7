"""From probabilities to a verdict, with stated error rates."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from retrieval.novelty.conformal import Rates, Threshold, Thresholds
from retrieval.novelty.samples import TooSmall, asking_more

if TYPE_CHECKING:  # commands that only name verdicts need not wait for what is fitted
    from retrieval.novelty.posterior import Posterior


SEEN_TWICE = "turtles seen on two occasions"
"""Whose photos can show how often a catalogued turtle is taken for a new one, or for another."""


class Verdict(StrEnum):
    """What is said about a photo."""

    KNOWN = "KNOWN"
    NEW = "NEW"
    UNDECIDED = "UNDECIDED"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the sentence that explains it.

    Attributes
    ----------
    turtle : int or None
        Code of the turtle for KNOWN.
    certified : bool
        Whether calibration photos stand behind the rate of this verdict, or the model alone does.
    towards : Verdict
        Which way an undecided answer leans: KNOWN, NEW, or UNDECIDED for neither.
    stopped_at : int
        As in `Thresholds`.
    """

    verdict: Verdict
    reason: str
    turtle: int | None = None
    certified: bool = True
    towards: Verdict = Verdict.UNDECIDED
    stopped_at: int = 0


def decide(posterior: Posterior | TooSmall, thresholds: Thresholds | None) -> Decision:
    """The verdict that keeps the promised rates, or UNDECIDED with what stands in the way.

    KNOWN needs scores so much likelier for a catalogued turtle as new ones rarely have, a lead that wrong turtles
    rarely have, and a probability over one half; NEW needs scores so much likelier for a new turtle as
    catalogued ones rarely have, and again one half.
    """
    if isinstance(posterior, TooSmall) or thresholds is None:
        reason = posterior.reason if isinstance(posterior, TooSmall) else "The catalogue has no fitted model yet."
        return Decision(Verdict.UNDECIDED, reason, certified=False)
    if posterior.best is None:
        return Decision(Verdict.UNDECIDED, "No catalogued turtle could be compared with this photo.", certified=False)
    p_best = float(posterior.p_candidates[posterior.turtle == posterior.best].sum())
    high, clear = -posterior.ratio <= thresholds.false_known.value, posterior.lead <= thresholds.misidentified.value
    if high and clear and p_best > 0.5:
        certified = (
            -posterior.ratio <= thresholds.false_known.certified
            and posterior.lead <= thresholds.misidentified.certified
        )
        reason = f"{_few(posterior.tail)} of photos of new turtles score as high in a gallery of this size."
        return Decision(Verdict.KNOWN, reason, posterior.best, certified, Verdict.KNOWN, thresholds.stopped_at)
    if posterior.ratio <= thresholds.false_new.value and posterior.p_new > 0.5:
        certified = posterior.ratio <= thresholds.false_new.certified
        reason = f"Such scores are {_times(-posterior.ratio)} as likely for a new turtle as for a catalogued one."
        return Decision(Verdict.NEW, reason, None, certified, Verdict.NEW, thresholds.stopped_at)
    towards = Verdict.KNOWN if p_best > 0.5 else Verdict.NEW if posterior.p_new > 0.5 else Verdict.UNDECIDED
    return Decision(Verdict.UNDECIDED, _obstacle(posterior, thresholds, high, clear, p_best), towards=towards)


def _obstacle(posterior: Posterior, thresholds: Thresholds, high: bool, clear: bool, p_best: float) -> str:
    """What stands in the way, with the number that the promise is about and the one that it would take."""
    if posterior.p_not_compared > max(posterior.p_new, p_best):
        return f"It is probably catalogued but was not compared ({posterior.p_not_compared:.0%})."
    stopped_at = thresholds.stopped_at
    if high and not clear:
        lacking = _lacking(thresholds.misidentified, SEEN_TWICE, stopped_at)
        return f"Two catalogued turtles match about equally well{lacking}."
    if not high:
        known = posterior.ratio >= 0
        likely, other = ("a catalogued turtle", "a new one") if known else ("a new turtle", "a catalogued one")
        bar = (
            _bar("KNOWN", thresholds.false_known, "turtles", stopped_at)
            if known
            else _bar("NEW", thresholds.false_new, SEEN_TWICE, stopped_at)
        )
        return f"Such scores are {_times(abs(posterior.ratio))} as likely for {likely} as for {other}; {bar}."
    return f"The best match is good, but with this prior its probability is only {p_best:.0%}."


def _bar(verdict: str, threshold: Threshold, counted: str, stopped_at: int) -> str:
    """What the promised rate takes, where anything could reach it, and how many turtles would certify it."""
    lacking = _lacking(threshold, counted, stopped_at)
    if threshold.value < -50:
        few = "too few turtles were asked about" if stopped_at else "this catalogue is too small"
        return f"{few} for {verdict} at the promised rate{lacking}"
    return f"{verdict} takes {_times(max(-threshold.value, 0.0))}{lacking}"


def _lacking(threshold: Threshold, counted: str, stopped_at: int) -> str:
    """How many turtles the promise would need to be certified, where there are fewer."""
    if not threshold.lacks:
        return ""
    here = f"here {threshold.individuals}"
    if stopped_at:
        here = f"the fit asked about {threshold.individuals}; {asking_more(stopped_at)}"
    return f", by the model alone: {threshold.needed} {counted} would certify the rate ({here})"


def _few(p: float) -> str:
    return f"Only {p:.1%}" if p >= 0.001 else "Fewer than 0.1%"


def _times(log_ratio: float) -> str:
    times = float(np.exp(min(log_ratio, 7.0)))
    return f"{times:.1f} times" if times < 1000 else "over 1000 times"


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
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
