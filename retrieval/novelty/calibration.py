"""What catalogue photos would have been told, had their turtle been new or been searched again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from index.types import Bool, Float64, Int64, Side
from retrieval.novelty.conformal import OF_KNOWN, Rates, Thresholds, threshold_for
from retrieval.novelty.likelihood import LikelihoodRatio
from retrieval.novelty.posterior import Candidates, Posterior, fuse

Ask = Callable[[Candidates, int], Posterior]
"""What a model says about one photo's candidates in a gallery of so many turtles."""

_STEPS = 41
"""Quantiles through which one model's ratios are read on another's scale."""
_VERSIONS = 4
"""Numbers of photos, evenly spread over the catalogue's turtles, with which each genuine search is imagined."""


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """One photo's search.

    Attributes
    ----------
    candidates : Candidates
    gallery : int
        Turtles that were searched.
    side : Side or None
    references : int
        Photos of the true turtle that could be found; 0 where it was taken out.
    unsearched : collection of int
        Turtles that have no photo of this side.
    """

    candidates: Candidates
    gallery: int
    side: Side | None = None
    references: int = 0
    unsearched: Collection[int] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Occasion:
    """Catalogue photos of one encounter, searched as a query's photos would be.

    Attributes
    ----------
    individual : int
        Code of their turtle.
    catalogued : bool
        Whether it was left in the gallery, with its other encounters.
    """

    individual: int
    catalogued: bool
    photos: tuple[Searched, ...]

    def alone(self) -> list[Occasion]:
        """Each photo as an occasion of its own, except those of a side that shows nothing of a catalogued turtle."""
        return [
            replace(self, photos=(one,))
            for one in self.photos
            if not (self.catalogued and self.individual in one.unsearched)
        ]

    def answer(self, ask: Ask) -> Posterior:
        """What is said about all of its photos together."""
        said = [ask(one.candidates, one.gallery) for one in self.photos]
        return fuse(said, [one.side for one in self.photos], [one.unsearched for one in self.photos])

    def with_references(self, fit: LikelihoodRatio, share: float) -> Occasion:
        """As if the true turtle had as many photos as this quantile of the catalogue's turtles.

        What was found with few photos, because the encounter's own were hidden, tells how it will be with all of them;
        and what was found with many, how it would be with few. A query's turtle may have either.
        """
        wanted = float(np.quantile(fit.photos, share))
        photos = []
        for one in self.photos:
            own = one.candidates.turtle == self.individual
            if own.any() and one.references > 0:
                score, photos_of = one.candidates.score.copy(), one.candidates.photos.copy()
                score[own] = fit.genuine_with(score[own], one.references, wanted)
                photos_of[own] = round(wanted)
                one = replace(one, candidates=replace(one.candidates, score=score, photos=photos_of))
            photos.append(one)
        return replace(self, photos=tuple(photos))


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Decision statistics of catalogue photos or encounters, each under a model fitted without the turtle.

    Attributes
    ----------
    new_ratio : float64 [a]
        `Posterior.ratio` with the turtle taken out.
    new_individual : int64 [a]
    ratio, lead, doubt : float64 [b]
        `Posterior.ratio`, `lead` and `doubt` with the turtle left in.
    wrong : bool [b]
        Whether another turtle was the most probable.
    individual : int64 [b]
    """

    new_ratio: Float64
    new_individual: Int64
    ratio: Float64
    lead: Float64
    doubt: Float64
    wrong: Bool
    individual: Int64

    @classmethod
    def of(cls, occasions: Sequence[Occasion], ask: Ask, fit: LikelihoodRatio) -> Calibration:
        """The statistics of these occasions, whose turtles the model does not know."""
        new = [(one.answer(ask).ratio, one.individual) for one in occasions if not one.catalogued]
        known = []
        for one in (one for one in occasions if one.catalogued):
            for share in (np.arange(_VERSIONS) + 0.5) / _VERSIONS:
                said = one.with_references(fit, float(share)).answer(ask)
                known.append((said.ratio, said.lead, said.doubt, said.best != one.individual, one.individual))
        return cls(
            np.array([ratio for ratio, _ in new], np.float64),
            np.array([individual for _, individual in new], np.int64),
            np.array([ratio for ratio, *_ in known], np.float64),
            np.array([lead for _, lead, *_ in known], np.float64),
            np.array([doubt for *_, doubt, _, _ in known], np.float64),
            np.array([wrong for *_, wrong, _ in known], np.bool_),
            np.array([individual for *_, individual in known], np.int64),
        )

    def on_scale(self, own: Float64, wanted: Float64) -> Calibration:
        """The same with ratios that speak for new read on the scale of the model in use.

        Most new turtles resemble nobody, so that their ratios lie close together, at a floor that each fit puts
        elsewhere, by the few turtles that it found nowhere. Thresholds on statistics of several fits (cross-conformal
        prediction: Vovk 2015) are about the same thing only where equal values stand for equally new looks; else the
        threshold comes from the fit with the lowest floor, and in use nothing goes below it. Those that speak for a
        catalogued turtle are spread over much more than fits differ by, and stay.

        Parameters
        ----------
        own, wanted : float64 [n]
            `Posterior.ratio` of the same photos or encounters with their turtle taken out, by the model that these
            statistics are of and by the model in use; without any nothing is changed.
        """
        if not len(own):
            return self
        shares = np.linspace(0.0, 1.0, _STEPS)
        here, there = np.quantile(own, shares), np.quantile(wanted, shares)
        if here[-1] < 0:  # what lies between the floor and 0 is shifted the less, the nearer to 0
            here, there = np.append(here, 0.0), np.append(np.minimum(there, 0.0), 0.0)

        def read(ratio: Float64) -> Float64:
            below = np.minimum(ratio - here[0], 0.0)
            return np.where(ratio < 0, np.minimum(np.interp(ratio, here, there) + below, 0.0), ratio)

        return replace(self, ratio=read(self.ratio), new_ratio=read(self.new_ratio))

    @classmethod
    def joined(cls, parts: Sequence[Calibration]) -> Calibration:
        """All parts in one."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Calibration:
        """Build from the dictionary that `dataclasses.asdict` gives."""
        kinds = {"wrong": np.bool_, "individual": np.int64, "new_individual": np.int64}
        return cls(*(np.asarray(record[one.name], kinds.get(one.name, np.float64)) for one in fields(cls)))

    def thresholds(self, rates: Rates) -> Thresholds:
        """Thresholds on −ratio, `lead` and ratio.

        What the model alone would take follows from its being a ratio of likelihoods: a share of known photos below a
        ratio is the mean of the ratio over the new photos below it, and the other way round. So the many turtles that
        were seen once tell something about those that will be seen again.
        """
        every, of_new = np.ones(len(self.ratio), np.bool_), np.ones(len(self.new_ratio), np.bool_)
        high = _modelled(-self.ratio, np.exp(np.minimum(-self.ratio, 0.0)), self.individual, rates.false_known)
        known = threshold_for(-self.new_ratio, of_new, self.new_individual, rates.false_known, high, OF_KNOWN)
        called = -self.ratio <= known.value
        unsure = np.where(called, 1 / (1 + np.exp(-np.clip(self.doubt, -500.0, 500.0))), 0.0)
        doubtful = _modelled(self.lead, unsure, self.individual, rates.misidentified)
        low = _modelled(self.new_ratio, np.exp(np.minimum(self.new_ratio, 0.0)), self.new_individual, rates.false_new)
        return Thresholds(
            known,
            threshold_for(self.lead, self.wrong & called, self.individual, rates.misidentified, doubtful, OF_KNOWN),
            threshold_for(self.ratio, every, self.individual, rates.false_new, low),
        )


def _modelled(statistic: Float64, weight: Float64, individual: Int64, rate: float) -> float:
    """The largest value up to which the weights of the rising statistic sum to `rate`, a mean over individuals."""
    _, code, count = np.unique(individual, return_inverse=True, return_counts=True)
    order = np.argsort(statistic, kind="stable")
    reached = np.cumsum((weight / count[code.ravel()])[order]) / max(len(count), 1)
    too_many = np.flatnonzero(reached > rate)
    return float(np.nextafter(statistic[order[too_many[0]]], -np.inf)) if len(too_many) else np.inf
