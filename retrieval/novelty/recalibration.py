"""Two small logistic corrections of what the fitted score distributions say, each held near "no correction" by a prior.

The distributions treat a photo's genuine and impostor scores as independent and every candidate alike. Where that is
not quite so, log-likelihood ratios are recalibrated on the catalogue's own photos (Brümmer and du Preez 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import Bool, Float64


@dataclass(frozen=True, slots=True)
class Recalibration:
    """ln A' = offset + slope · ln A, where A weighs "one of the candidates" against "new"."""

    offset: float = 0.0
    slope: float = 1.0

    def apply(self, log_known: npt.ArrayLike) -> Float64:
        """float64 like `log_known`; ascending."""
        return np.asarray(self.offset + self.slope * np.asarray(log_known, np.float64))

    @classmethod
    def fit(
        cls, of_new: Float64, new_weight: Float64, of_known: Float64, known_weight: Float64, missed: float
    ) -> Recalibration:
        """Fit from ln A of photos whose turtle was taken out, and of photos whose turtle was left in.

        Parameters
        ----------
        missed : float
            Chance that a catalogued turtle is not compared; its photos then look like new ones.
        """
        size = min(new_weight.sum(), known_weight.sum())
        new_share, known_share = size * new_weight / new_weight.sum(), size * known_weight / known_weight.sum()

        def loss(at: Float64) -> float:
            correction = cls(*at)
            new, known = (
                np.logaddexp(np.log1p(-missed) + correction.apply(log_known), np.log(missed))
                for log_known in (of_new, of_known)
            )
            misfit = new_share @ np.logaddexp(0.0, new) + known_share @ np.logaddexp(0.0, -known)
            return float(misfit + (at[0] ** 2 + (at[1] - 1) ** 2) / 2)

        from scipy.optimize import minimize  # scipy takes half a second to import

        found = minimize(loss, [0.0, 1.0], method="L-BFGS-B", bounds=[(None, None), (0.05, None)])
        return cls(*(float(value) for value in found.x))


@dataclass(frozen=True, slots=True)
class RankCorrection:
    """Whether the best candidate is the true turtle, when the true turtle is among the candidates.

    log-odds = offset + odds · ln(g/(ρ·P(genuine < S))) + lead · (−ln P(so large a lead)): what the best score alone
    says, corrected by how far it stands out. offset 0, odds 1, lead 0 is the best score alone.
    """

    offset: float = 0.0
    odds: float = 1.0
    lead: float = 0.0

    def log_odds(self, log_ratio: npt.ArrayLike, log_lead: npt.ArrayLike) -> Float64:
        """float64, broadcast; `log_lead` is ln P(so large a lead), at most 0."""
        return np.asarray(self.offset + self.odds * np.asarray(log_ratio) - self.lead * np.asarray(log_lead))

    @classmethod
    def fit(cls, log_ratio: Float64, log_lead: Float64, first: Bool, weight: Float64) -> RankCorrection:
        """Fit from genuine searches, `first` where the true turtle had the best score."""
        sign = np.where(first, 1.0, -1.0)

        def loss(at: Float64) -> float:
            misfit = weight @ np.logaddexp(0.0, -sign * cls(*at).log_odds(log_ratio, log_lead))
            return float(misfit + (at[0] ** 2 + (at[1] - 1) ** 2 + at[2] ** 2) / 2)

        from scipy.optimize import minimize  # scipy takes half a second to import

        found = minimize(loss, [0.0, 1.0, 0.0], method="L-BFGS-B", bounds=[(None, None), (0.0, None), (0.0, None)])
        return cls(*(float(value) for value in found.x))
