"""What separates known from new: the distributions of impostor maxima and of genuine scores, and their ratio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Float64, Int64
from retrieval.novelty.extremes import Growth, MaximumDistribution, Sample, weigh_by_individual
from retrieval.novelty.pareto import ParetoTail
from retrieval.novelty.recalibration import RankCorrection, Recalibration
from retrieval.novelty.samples import GenuineScores, ImpostorMaxima

_FINEST = 0.01
"""Share of the range of all scores below which a tail's scale is not believed: many impostor maxima may be 0."""
_MAX_EVIDENCE = 40.0
"""No score says more than e⁴⁰ for or against a candidate."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """Fitted distributions of impostor maxima (by turtles in the gallery) and genuine scores (by photos of the turtle).

    Attributes
    ----------
    photo_exponent, photo_mean : float
        A turtle with n photos is the best impostor n^exponent / mean times as often as the average turtle.
    photos : float64 [q]
        Even quantiles of the photo counts of catalogued turtles.
    missed : float
        Chance that a catalogued turtle is not compared because the shortlist or the cascade missed it.
    grid : float64 [m]
        Ascending scores between which the ratio of the two densities is made monotone.
    recalibration : Recalibration
    first_place : RankCorrection
    """

    impostor: MaximumDistribution
    genuine: MaximumDistribution
    photo_exponent: float
    photo_mean: float
    photos: Float64
    missed: float
    grid: Float64
    recalibration: Recalibration
    first_place: RankCorrection

    @classmethod
    def fit(
        cls,
        impostors: ImpostorMaxima,
        genuine: GenuineScores,
        photos: Int64,
        seed: int = 0,
        like: LikelihoodRatio | None = None,
    ) -> LikelihoodRatio:
        """Fit both distributions; every individual counts once.

        Parameters
        ----------
        photos : int64 [turtles]
            Photos of each catalogued turtle; those without any are left out.
        like : LikelihoodRatio or None
            An earlier fit to start from and whose tail levels are kept, for bootstrap and cross-fitting.
        """
        photos = photos[photos > 0]
        found, largest = np.flatnonzero(genuine.shortlisted), _largest(impostors.gallery)
        seen, last = (
            genuine.take(found, genuine.individual[found]),
            impostors.take(largest, impostors.individual[largest]),
        )
        of_genuine = _sample(seen.score, seen.individual, seen.photos)
        growth = Growth.fit(
            _sample(impostors.score, impostors.individual, impostors.gallery), like.impostor.growth if like else None
        )
        with_photos = Growth.fit(of_genuine, like.genuine.growth if like else None, frail=False)
        reference = float(np.exp(np.log(last.gallery).mean()))
        at_largest = _sample(last.score, last.individual, np.full(len(last), reference))
        fit_seed = None if like else seed
        exponent, mean = _photo_exponent(impostors.photos, weigh_by_individual(impostors.individual), photos)
        weight = weigh_by_individual(genuine.individual)
        levels = (like.impostor.tail.level, like.genuine.tail.level) if like else (0.0, 0.0)
        finest = _FINEST * float(np.ptp(np.concatenate((last.score, seen.score)))) or 1e-9
        fit = LikelihoodRatio(
            MaximumDistribution.fit(at_largest, growth, reference, fit_seed, levels[0], finest),
            MaximumDistribution.fit(of_genuine, with_photos, 1.0, fit_seed, levels[1], finest),
            exponent,
            mean,
            _even_quantiles(photos),
            float((weight[~genuine.shortlisted].sum() + 0.5) / (weight.sum() + 1.0)),
            _score_grid(last.score, seen.score),
            Recalibration(),
            RankCorrection(),
        )
        return _corrected(fit, last, seen)

    def candidate_evidence(self, score: Float64, photos: Float64, gallery: float) -> Float64:
        """Log-likelihood ratio of "this turtle" against "new", per candidate and gallery turtle, float64 [k].

        Never falls with the score: the ratio of densities is made monotone by isotonic regression, and is constant
        beyond the largest score seen in fitting.
        """
        from scipy.optimize import isotonic_regression  # scipy takes half a second to import

        log_work, log_slope, log_density, log_cdf = self._on_grid
        growth = self.impostor.growth
        work = growth.exponent * np.log(gallery / self.impostor.reference) + log_work
        damped = np.logaddexp(0.0, np.log(growth.frailty) + work) if growth.frailty > 0 else 0.0
        ratio = isotonic_regression(log_density - (work + log_slope - damped)).x
        more = photos**self.genuine.growth.exponent
        of_best = np.log(more) + (more - 1.0) * np.interp(score, self.grid, log_cdf)
        of_impostor = self.photo_exponent * np.log(photos) - np.log(self.photo_mean)
        evidence = np.interp(score, self.grid, ratio) + of_best - of_impostor
        return np.asarray(np.clip(evidence, -_MAX_EVIDENCE, _MAX_EVIDENCE))

    def together(self, best: Float64, photos: Float64, gallery: float) -> Float64:
        """ln p(best score | catalogued and compared) − ln p(best score | new), float64 [n], of searches in one gallery.

        The best candidate may be the turtle, or it stands further down; `photos` are those of the best.
        """
        return self.recalibration.apply(
            np.logaddexp(self.candidate_evidence(best, photos, gallery), np.log(self.genuine_cdf(best)))
        )

    @cached_property
    def _on_grid(self) -> tuple[Float64, Float64, Float64, Float64]:
        """What `candidate_evidence` needs on the grid, whatever the gallery."""
        log_cdf = self.genuine.log_cdf(self.grid, 1.0)
        return (
            -self.impostor.rarity_of(self.grid),
            self.impostor.log_slope_of(self.grid),
            self.genuine.log_reversed_hazard(self.grid, 1.0) + log_cdf,
            log_cdf,
        )

    def genuine_cdf(self, score: npt.ArrayLike) -> Float64:
        """P(the true turtle, when compared, scores at most this), over the photo counts, float64 like `score`."""
        s = np.asarray(score, np.float64)
        return np.asarray(np.exp(np.maximum(self.genuine.log_cdf(s[..., None], self.photos), -500.0)).mean(axis=-1))

    def genuine_with(self, score: Float64, photos: float, others: float) -> Float64:
        """Scores of the same photos when their turtle has `others` photos instead of `photos`, float64 like `score`.

        A score keeps its rank among turtles with as many photos, but gains no more than the median does, and a low one
        no more than in proportion: a photo that is bad itself stays bad, however many there are to find it by.
        """
        if others == photos:
            return np.asarray(score)
        width = float(np.ptp(self.grid)) or 1e-9
        scores = np.concatenate((self.grid, self.grid[-1] + width * np.geomspace(0.01, 10, 60)))
        rarity, growth = self.genuine.rarity_of(scores), self.genuine.growth.exponent
        of_median = np.log(np.array([photos, others])) * growth - np.log(np.log(2.0))
        before, after = np.interp(of_median, rarity, scores)
        wanted = np.interp(score, scores, rarity) + growth * np.log(others / photos)
        gain = (after - before) * np.clip(score / max(before, 1e-9), 0.0, 1.0)
        changed = np.minimum(np.interp(wanted, rarity, scores), score + gain)
        return np.asarray(np.maximum(score, changed) if others > photos else np.minimum(score, changed))

    def impostor_survival(self, score: npt.ArrayLike, gallery: npt.ArrayLike) -> Float64:
        """P(best score of a new turtle's photo is higher), float64, broadcast."""
        return self.impostor.survival(score, gallery)

    def known_cdf(
        self, score: npt.ArrayLike, gallery: npt.ArrayLike, photos: npt.NDArray[np.int64] | None = None
    ) -> Float64:
        """P(best score of a catalogued turtle's photo is at most this), float64, broadcast.

        Parameters
        ----------
        photos : int64 or None
            Photos of the turtle; None takes the catalogue's turtles as they are.
        """
        if photos is None:
            genuine = self.genuine_cdf(score)
        else:
            genuine = np.exp(np.maximum(self.genuine.log_cdf(score, photos), -500.0))
        found = (1 - self.missed) * genuine + self.missed
        return np.asarray(found * np.exp(self.impostor.log_cdf(score, gallery)))

    def log_lead(self, best: npt.ArrayLike, second: npt.ArrayLike) -> Float64:
        """ln P(the best of impostors leads the runner-up by so much), float64, whatever the photo and the gallery.

        Runners-up below all fitted scores count as the lowest, and no lead as rarer than e⁻³⁰.
        """
        runner_up = self.impostor.rarity_of(np.maximum(second, self.grid[0]))
        lead = runner_up - self.impostor.rarity_of(np.maximum(best, self.grid[0]))
        return np.clip(lead, -30.0, 0.0)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> LikelihoodRatio:
        """Build from the nested dictionary that `dataclasses.asdict` gives."""
        return cls(
            _best_of(record["impostor"]),
            _best_of(record["genuine"]),
            record["photo_exponent"],
            record["photo_mean"],
            np.asarray(record["photos"], np.float64),
            record["missed"],
            np.asarray(record["grid"], np.float64),
            Recalibration(**record["recalibration"]),
            RankCorrection(**record["first_place"]),
        )


def _best_of(record: dict[str, Any]) -> MaximumDistribution:
    knots, rarity = (np.asarray(record[name], np.float64) for name in ("knots", "rarity"))
    return MaximumDistribution(
        record["reference"], knots, rarity, ParetoTail(**record["tail"]), Growth(**record["growth"])
    )


def _largest(gallery: Int64) -> Int64:
    """Rows of the largest sub-galleries."""
    return np.flatnonzero(gallery >= 0.9 * gallery.max())


def _sample(score: Float64, individual: Int64, number: npt.NDArray[np.int64] | Float64) -> Sample:
    return Sample(score, weigh_by_individual(individual), individual, number.astype(np.float64))


def _corrected(fit: LikelihoodRatio, impostors: ImpostorMaxima, genuine: GenuineScores) -> LikelihoodRatio:
    """The fit with both logistic corrections, judged with the photo counts that were left for these searches.

    Probabilities are about the next photo, so that photos weigh alike here, where the distributions weigh individuals.
    """
    left = replace(fit, photos=_even_quantiles(genuine.photos))
    scores = np.stack((genuine.score, genuine.impostor, genuine.second))
    second, best = np.sort(np.where(np.isnan(scores), fit.grid[0], scores), axis=0)[1:]
    first = genuine.score == best
    of_wrong = np.exp(np.log(impostors.photos).mean())
    known = _Best(best, np.where(first, genuine.photos, of_wrong), float(np.exp(np.log(genuine.gallery).mean())))
    new = _Best(impostors.score, impostors.photos.astype(np.float64), fit.impostor.reference)
    weight = weigh_by_individual(genuine.individual)
    return replace(
        fit,
        recalibration=Recalibration.fit(
            new.together(left),
            _photos_alike(impostors.individual),
            known.together(left),
            _photos_alike(genuine.individual),
            fit.missed,
        ),
        first_place=RankCorrection.fit(known.apart(left), fit.log_lead(best, second), first, weight),
    )


def _photos_alike(individual: Int64) -> Float64:
    """Equal weights that add up to the number of individuals, float64 [n]."""
    return np.full(len(individual), len(np.unique(individual)) / max(len(individual), 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """Best scores of many searches, float64 [n], and how many photos those turtles had."""

    score: Float64
    photos: Float64
    gallery: float

    def together(self, fit: LikelihoodRatio) -> Float64:
        """ln A: one of the candidates against new."""
        evidence = fit.candidate_evidence(self.score, self.photos, self.gallery)
        return np.logaddexp(evidence, np.log(fit.genuine_cdf(self.score)))

    def apart(self, fit: LikelihoodRatio) -> Float64:
        """The best candidate against any further down."""
        evidence = fit.candidate_evidence(self.score, self.photos, self.gallery)
        return np.asarray(evidence - np.log(fit.genuine_cdf(self.score)))


def _even_quantiles(photos: Int64) -> Float64:
    return np.asarray(np.quantile(photos, (np.arange(16) + 0.5) / 16))


def _score_grid(impostor: Float64, genuine: Float64) -> Float64:
    """Pooled quantiles, and even steps below the lowest score, where the runners-up are."""
    levels = np.linspace(0, 1, 100)
    seen = np.unique(np.concatenate((np.quantile(impostor, levels), np.quantile(genuine, levels))))
    width = float(np.ptp(seen)) or 1e-9
    return np.concatenate((seen[0] - width * np.linspace(1, 0, 20, endpoint=False), seen))


def _photo_exponent(winners: Int64, weight: Float64, photos: Int64) -> tuple[float, float]:
    """How the chance of being the best impostor grows with a turtle's photos: a conditional logit on their number."""
    from scipy.optimize import minimize_scalar  # scipy takes half a second to import

    log_winner, log_photos = np.log(winners), np.log(photos)

    def loss(exponent: float) -> float:
        return float(np.log(np.exp(exponent * log_photos).mean()) - exponent * np.average(log_winner, weights=weight))

    exponent = float(minimize_scalar(loss, bounds=(0.0, 1.5), method="bounded").x) if np.ptp(log_photos) > 0 else 0.0
    return exponent, float(np.exp(exponent * log_photos).mean())
