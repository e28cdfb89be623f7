"""Decision thresholds with stated error rates: conformal risk control by individual.

A rule that speaks when a statistic is at most τ is wrong on a share of an individual's photos that never falls as τ
rises. With the mean share over n individuals, the largest τ with (n·mean + 1)/(n + 1) ≤ rate keeps the expected rate
for the next individual (Angelopoulos et al. 2022; Vovk et al. 2005). No rate under 1/(n + 1) can be certified so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


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
