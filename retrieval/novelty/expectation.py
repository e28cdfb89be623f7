"""What a fitted model promises to say, told before anybody asks: how many photos it will decide, and on whose word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.novelty.conformal import Rates, individuals_for
from retrieval.novelty.model import NoveltyModel
from retrieval.novelty.samples import asking_more


@dataclass(frozen=True, slots=True)
class Expectation:
    """Shares are means over the calibration's turtles, which the model did not know when it judged them.

    Attributes
    ----------
    known : float
        Of photos of catalogued turtles: called KNOWN under the right id.
    new : float
        Of photos of new turtles: called NEW.
    turtles, needed : int
        Turtles seen on two occasions that the fit asked about, and how many of them could certify the smallest promised
        rate.
    stopped_at : int
        As in `Thresholds`.
    """

    known: float
    new: float
    turtles: int
    needed: int
    rates: Rates
    stopped_at: int = 0

    @property
    def sentence(self) -> str:
        """For people."""
        least = min(self.rates.false_known, self.rates.misidentified, self.rates.false_new)
        told = (
            f"Expect about {self.known:.0%} of photos of catalogued turtles to be KNOWN and {self.new:.0%} of "
            "those of new turtles to be NEW; the rest will be UNDECIDED, for a person."
        )
        if self.turtles >= self.needed:
            return told
        certified = f"An error rate of {least:.0%} can be certified with {self.needed} turtles seen on two occasions"
        here = f"(here {self.turtles});"
        if self.stopped_at:
            here = f"(this fit asked about {self.turtles}; {asking_more(self.stopped_at)});"
        return f"{told} {certified} {here} until then the model alone stands behind it."


def expect(novelty: NoveltyModel, rates: Rates | None = None) -> Expectation:
    """What single photos will be told under these error rates."""
    rates = rates or Rates()
    thresholds, calibration = novelty.thresholds(rates), novelty.calibration
    named = (-calibration.ratio <= thresholds.false_known.value) & (calibration.lead <= thresholds.misidentified.value)
    least = min(rates.false_known, rates.misidentified, rates.false_new)
    return Expectation(
        _share(named & ~calibration.wrong, calibration.individual),
        _share(calibration.new_ratio <= thresholds.false_new.value, calibration.new_individual),
        len(np.unique(calibration.individual)),
        individuals_for(least),
        rates,
        thresholds.stopped_at,
    )


def _share(said: npt.NDArray[np.bool_], individual: npt.NDArray[np.int64]) -> float:
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    return float((said / count[code.ravel()]).sum() / max(len(count), 1))
