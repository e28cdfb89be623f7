"""Probabilities of one query: new, each candidate, or catalogued but not compared.

Three hypotheses explain a query's ranked scores. *New*: the best score S is an impostor maximum over the gallery.
*Candidate i*: its score is a genuine one and the best of the others is an impostor maximum. *Catalogued but not
compared*: the shortlist missed the turtle, or it has no photo of this side, and S is an impostor maximum again. With
ρ the reversed hazard of the impostor maximum and g the density of genuine scores, candidate i against new weighs
g(s_i)/ρ(s_i), because what the other candidates scored cancels. P(new) looks at S alone: beside the best candidate's
ratio it counts P(genuine score < S), the chance that the right turtle stands further down. How the candidates share
what is not new also looks at the lead of the best over the runner-up.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from index.types import Float64, Int64, Side
from retrieval.novelty.likelihood import LikelihoodRatio

_SURE = 700.0
"""The odds of a candidate without rivals, in logs."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Compared turtles of one query, any order.

    Attributes
    ----------
    turtle : int64 [k]
        Codes, each once; only `fuse` looks at them.
    score : float64 [k]
        Best of the turtle's photos.
    photos : int64 [k]
        Photos of the turtle in the searched gallery, at least 1.
    """

    turtle: Int64
    score: Float64
    photos: Int64

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What a query's scores say: ``p_new + p_candidates.sum() + p_not_compared == 1`` up to rounding.

    Attributes
    ----------
    turtle : int64 [k]
    p_candidates : float64 [k]
        In the order of the candidates.
    p_not_compared : float
        Catalogued, but missed by the shortlist or without a photo of the searched side.
    p_new_low, p_new_high : float
        5 % and 95 % quantiles of p_new over a bootstrap by individual.
    best : int or None
        Turtle with the highest score; None where nothing was compared.
    tail : float
        P(best score of a new turtle's photo is higher).
    lead : float
        P(the best of impostors leads the runner-up by so much).
    low : float
        P(best score of a catalogued turtle's photo is as low).
    score : float
        Highest score as the model sees it, standardised within the query; NaN where nothing was compared.
    prior_new : float
    gallery, turtles : float
        Turtles of the searched gallery, compared or not, and catalogued ones, searched or not.
    evidence : float64 [k]
        Log-likelihood ratio of "this turtle" against "new".
    evidence_absent : float
        The same for each catalogued turtle that is not among the candidates.
    """

    turtle: Int64
    p_new: float
    p_candidates: Float64
    p_not_compared: float
    p_new_low: float
    p_new_high: float
    best: int | None
    tail: float
    lead: float
    low: float
    score: float
    prior_new: float
    gallery: float
    turtles: float
    evidence: Float64
    evidence_absent: float

    @property
    def ratio(self) -> float:
        """ln p(scores | catalogued and compared) − ln p(scores | new): the statistic with the most power to tell them
        apart (Neyman and Pearson 1933), whatever the prior; 0 where nothing was compared."""
        if not len(self.evidence):
            return 0.0
        return float(np.logaddexp.reduce(self.evidence) - np.log(max(self.gallery, 1.0)))

    @property
    def doubt(self) -> float:
        """ln of the odds that a catalogued and compared turtle is not `best` but another candidate."""
        own = self.turtle == self.best
        if not own.any():
            return _SURE
        rest = self.evidence[~own]
        return float(np.logaddexp.reduce(rest) - self.evidence[own][0]) if len(rest) else -_SURE

    @property
    def evidence_missed(self) -> float:
        """Log-likelihood ratio against "new" of a turtle of the searched gallery that is no candidate."""
        candidates = len(self.turtle)
        missed = math.exp(self.evidence_absent) * max(self.turtles - candidates, 1.0) - (self.turtles - self.gallery)
        return math.log(max(missed, 1e-300) / max(self.gallery - candidates, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One query's candidates among `gallery` searched turtles of `turtles` catalogued ones."""

    candidates: Candidates
    gallery: float
    turtles: float

    def evidence(self, fit: LikelihoodRatio) -> Float64:
        """Log-likelihood ratios against "new": a turtle that is no candidate, then each candidate, float64 [k + 1]."""
        compared = len(self.candidates)
        if not compared:
            return np.zeros(1)
        missed = fit.missed if compared < self.gallery else 0.0
        of_each = fit.candidate_evidence(self.candidates.score, self.candidates.photos.astype(np.float64), self.gallery)
        best = int(np.argmax(self.candidates.score))
        further_down = np.log(fit.genuine_cdf(self.candidates.score[best]))
        first = self.candidates.score[[best]], self.candidates.photos[[best]].astype(np.float64)
        together = float(fit.together(*first, self.gallery)[0])
        each = together + np.log((1 - missed) * self.gallery)
        absent = np.log(max(self.turtles - (1 - missed) * self.gallery, 1e-300) / self.others)
        return np.concatenate(([absent], each + self._log_shares(fit, of_each, best, of_each[best] - further_down)))

    def _log_shares(self, fit: LikelihoodRatio, of_each: Float64, best: int, log_ratio: float) -> Float64:
        """How the candidates divide what speaks for them together, float64 [k], in logs."""
        if len(of_each) == 1:
            return np.zeros(1)
        second = np.partition(self.candidates.score, -2)[-2]
        log_odds = fit.first_place.log_odds(log_ratio, fit.log_lead(self.candidates.score[best], second))
        rest = np.where(np.arange(len(of_each)) == best, -np.inf, of_each)
        shares = rest - np.logaddexp.reduce(rest) - np.logaddexp(0.0, log_odds)
        shares[best] = -np.logaddexp(0.0, -log_odds)
        return np.asarray(shares)

    @property
    def others(self) -> float:
        """Catalogued turtles that are no candidates, at least 1."""
        return max(self.turtles - len(self.candidates), 1.0)

    def weights(self, evidence: Float64, prior_new: float) -> Float64:
        """Probabilities of new, of not compared and of each candidate, float64 [k + 2]."""
        log_each = np.log1p(-prior_new) - np.log(self.turtles)
        log_weight = np.concatenate(
            ([np.log(prior_new), log_each + np.log(self.others) + evidence[0]], log_each + evidence[1:])
        )
        return np.asarray(np.exp(log_weight - np.logaddexp.reduce(log_weight)))


def fuse(
    photos: Sequence[Posterior], sides: Sequence[Side | None], unsearched: Sequence[Collection[int]] | None = None
) -> Posterior:
    """One posterior for the photos of one encounter.

    Photos of one side are near-duplicates: their likelihood ratios are averaged, which holds under any dependence (Vovk
    and Wang 2021), so that together they are one photo, and a turtle that one of them shows well stays probable when
    the others show it from another angle. The two sides carry different patterns: their log-ratios add. A photo without
    a stated side may show what any other shows, so that with one all count as one photo. The other decision statistics
    hold under any dependence, too: `tail` and `lead` are the best photo's times the number of photos (Bonferroni),
    `low` the largest.

    Parameters
    ----------
    unsearched : sequence of collections of int
        For each photo the turtles without a photo of its side: it says nothing about them, neither for nor against.
    """
    if len(photos) == 1:
        return photos[0]
    if None in sides:
        sides = [None] * len(photos)
    turtle = np.unique(np.concatenate([one.turtle for one in photos]))
    weight = np.array([1.0 / sum(other == side for other in sides) for side in sides])
    of_side: dict[Side | None, list[Float64]] = {}
    for one, side, nobody in zip(photos, sides, unsearched or [()] * len(photos), strict=True):
        of_photo = np.full(len(turtle) + 1, one.evidence_missed)
        of_photo[:-1][np.isin(turtle, list(nobody))] = 0.0
        of_photo[np.searchsorted(turtle, one.turtle)] = one.evidence
        of_photo[-1] = one.evidence_absent
        of_side.setdefault(side, []).append(of_photo)
    added = sum((np.logaddexp.reduce(each) - math.log(len(each)) for each in of_side.values()), np.zeros(1))
    evidence, absent = added[:-1], float(added[-1])
    first, turtles = photos[0], max(one.turtles for one in photos)
    log_each = math.log1p(-first.prior_new) - math.log(turtles)
    rest = log_each + math.log(max(turtles - len(turtle), 1.0)) + absent
    log_weight = np.concatenate(([math.log(first.prior_new), rest], log_each + evidence))
    p = np.exp(log_weight - np.logaddexp.reduce(log_weight))
    strongest = min(photos, key=lambda one: one.tail)
    best = int(turtle[np.argmax(evidence)]) if len(turtle) else None
    return Posterior(
        turtle=turtle,
        p_new=float(p[0]),
        p_candidates=p[2:],
        p_not_compared=float(p[1]),
        p_new_low=_shifted(p[0], photos, weight, [one.p_new_low for one in photos]),
        p_new_high=_shifted(p[0], photos, weight, [one.p_new_high for one in photos]),
        best=best,
        tail=min(1.0, len(photos) * strongest.tail),
        lead=min(1.0, len(photos) * strongest.lead) if strongest.best == best else 1.0,
        low=max(one.low for one in photos),
        score=max(one.score for one in photos),
        prior_new=first.prior_new,
        gallery=max(one.gallery for one in photos),
        turtles=turtles,
        evidence=evidence,
        evidence_absent=absent,
    )


def _logit(p: float) -> float:
    return math.log(max(p, 1e-300)) - math.log(max(1 - p, 1e-16))


def _shifted(p_new: float, photos: Sequence[Posterior], weight: Float64, bounds: Sequence[float]) -> float:
    """The fused probability's bound: every photo's own distance to its bound, in log-odds and weighted as the photo."""
    log_odds = _logit(p_new)
    for one, w, bound in zip(photos, weight, bounds, strict=True):
        log_odds += w * (_logit(bound) - _logit(one.p_new))
    return 1.0 / (1.0 + math.exp(-min(max(log_odds, -700.0), 700.0)))
