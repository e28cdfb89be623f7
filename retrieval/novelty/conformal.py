"""Decision thresholds with stated error rates: conformal risk control by individual.

A rule that speaks when a statistic is at most τ is wrong on a share of an individual's photos that never falls as τ
rises. With the mean share over n individuals, the largest τ with (n·mean + 1)/(n + 1) ≤ rate keeps the expected rate
for the next individual (Angelopoulos et al. 2022; Vovk et al. 2005). No rate under 1/(n + 1) can be certified so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Float64, Int64
from retrieval.novelty.likelihood import LikelihoodRatio
from retrieval.novelty.samples import GenuineScores, ImpostorMaxima


@dataclass(frozen=True, slots=True)
class Rates:
    """Error rates that the verdicts promise, each a share of photos.

    Attributes
    ----------
    false_known : float
        Of photos of uncatalogued turtles: called KNOWN.
    misidentified : float
        Of photos of catalogued turtles: called KNOWN under another turtle's name.
    false_new : float
        Of photos of catalogued turtles: called NEW.
    """

    false_known: float = 0.01
    misidentified: float = 0.01
    false_new: float = 0.05


@dataclass(frozen=True, slots=True)
class Threshold:
    """A statistic at most `value` may speak.

    Attributes
    ----------
    certified : bool
        False where the catalogue has too few individuals for the rate: then the model alone stands behind it
        ("modelled, not certified").
    """

    value: float
    certified: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The three rules' thresholds, for the rates of the same names."""

    false_known: Threshold
    misidentified: Threshold
    false_new: Threshold


def threshold_for(
    statistic: Float64, wrong: npt.NDArray[np.bool_], individual: Int64, rate: float, model: float
) -> Threshold:
    """The largest threshold that keeps `rate`.

    Parameters
    ----------
    statistic : float64 [n]
        Of calibration photos, from models fitted without their individuals.
    wrong : bool [n]
        Whether speaking would be an error for this photo.
    model : float
        Threshold that the fitted model alone gives; taken where `rate` cannot be certified, and lowered as far as
        the calibration photos contradict it.
    """
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    individuals = len(count)
    loss = np.where(wrong, 1.0 / count[code.ravel()], 0.0)
    certified = rate * (individuals + 1) >= 1
    allowed = rate * (individuals + 1) - 1 if certified else rate * individuals
    order = np.argsort(statistic, kind="stable")
    reached = np.cumsum(loss[order])
    too_many = np.flatnonzero(reached > allowed + 1e-9)
    largest = float(np.nextafter(statistic[order[too_many[0]]], -np.inf)) if len(too_many) else 1.0
    return Threshold(largest if certified else min(model, largest), certified)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Decision statistics of catalogue photos, each under a model fitted without the photo's turtle.

    Attributes
    ----------
    impostor_tail : float64 [a]
        `tail` of impostor maxima at the largest gallery.
    impostor_individual : int64 [a]
    tail, lead, low : float64 [b]
        The three statistics of genuine searches.
    wrong : bool [b]
        Whether a wrong turtle had the best score.
    individual : int64 [b]
    """

    impostor_tail: Float64
    impostor_individual: Int64
    tail: Float64
    lead: Float64
    low: Float64
    wrong: npt.NDArray[np.bool_]
    individual: Int64

    @classmethod
    def fit(cls, fit: LikelihoodRatio, impostors: ImpostorMaxima, genuine: GenuineScores) -> Calibration:
        """Statistics of held-out photos under a fitted model.

        Where the shortlist missed the turtle, or nobody else was compared, the missing score counts as the lowest.
        """
        lowest = fit.grid[0]
        scores = np.stack((genuine.score, genuine.impostor, genuine.second))
        scores = np.where(np.isnan(scores), lowest, scores)
        second, best = np.sort(scores, axis=0)[1:]
        return Calibration(
            fit.impostor_survival(impostors.score, impostors.gallery),
            impostors.individual,
            fit.impostor_survival(best, genuine.gallery),
            np.exp(fit.log_lead(best, second)),
            fit.known_cdf(best, genuine.gallery, genuine.photos),
            scores[0] <= scores[1],
            genuine.individual,
        )

    @classmethod
    def joined(cls, parts: Sequence[Calibration]) -> Calibration:
        """All parts in one."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Calibration:
        """Build from the dictionary that `dataclasses.asdict` gives."""
        return cls(
            np.asarray(record["impostor_tail"], np.float64),
            np.asarray(record["impostor_individual"], np.int64),
            np.asarray(record["tail"], np.float64),
            np.asarray(record["lead"], np.float64),
            np.asarray(record["low"], np.float64),
            np.asarray(record["wrong"], np.bool_),
            np.asarray(record["individual"], np.int64),
        )

    def thresholds(self, rates: Rates) -> Thresholds:
        """Thresholds on `tail`, `lead` and `low`.

        The model alone would take the rate itself for `tail` and `low`, which are uniform when it is right. Among
        wrong turtles `lead` is uniform too, so its model threshold is the rate over the share of wrong best turtles.
        """
        every = np.ones(len(self.impostor_tail), np.bool_)
        known = threshold_for(self.impostor_tail, every, self.impostor_individual, rates.false_known, rates.false_known)
        called_wrong = self.wrong & (self.tail <= known.value)
        share = (called_wrong.sum() + 1) / (len(called_wrong) + 1)
        model_lead = min(1.0, rates.misidentified / float(share))
        return Thresholds(
            known,
            threshold_for(self.lead, called_wrong, self.individual, rates.misidentified, model_lead),
            threshold_for(
                self.low, np.ones(len(self.low), np.bool_), self.individual, rates.false_new, rates.false_new
            ),
        )
