"""The fitted model of a catalogue at work: ranked turtles in, probabilities and a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Catalog
from index.types import Shortlist
from retrieval.novelty.advice import DECIDED, NO_ADVICE, Advice, advise
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import Decision, Verdict, decide
from retrieval.novelty.model import NoveltyModel
from retrieval.novelty.posterior import Candidates, Posterior
from retrieval.novelty.samples import asking_more
from retrieval.scoring import (
    Candidate,
    ConfidenceNull,
    PairScoring,
    Score,
    ZNorm,
    model_json,
    model_record,
    no_null,
    read_model,
)

MODEL = "novelty"
_KIND, _VERSION = "fitted model", 6
_EARLIER = "The model was fitted by an earlier version of turtleidx; run `turtleidx fit`."


@dataclass(frozen=True, slots=True)
class Prediction:
    """Ranked turtles with probabilities, where there is a model, and the verdict with its reason.

    Attributes
    ----------
    turtle : str or None
        For KNOWN.
    candidates : tuple of Candidate
        Best first.
    posterior : Posterior or None
        What the model says of one photo (its turtles are row numbers of `candidates`) or of several; None without one.
    advice : Advice or None
        Of an undecided answer that rests on a model.
    """

    verdict: Verdict
    turtle: str | None
    reason: str
    candidates: tuple[Candidate, ...]
    posterior: Posterior | None = None
    advice: Advice | None = None

    @property
    def lean(self) -> str | None:
        """Which way an undecided answer leans; None for a decided one."""
        return self._advice.lean

    @property
    def settle(self) -> str | None:
        """What would settle an undecided answer."""
        return self._advice.settle

    @property
    def _advice(self) -> Advice:
        if self.verdict is not Verdict.UNDECIDED:
            return DECIDED
        return NO_ADVICE if self.advice in (None, DECIDED) else self.advice  # a verdict may have been taken back

    @property
    def prior_new(self) -> float | None:
        """Probability of a new turtle before looking."""
        return None if self.posterior is None else self.posterior.prior_new

    @property
    def p_new(self) -> float | None:
        """Probability of a turtle that is not in the catalogue."""
        return None if self.posterior is None else self.posterior.p_new

    @property
    def p_new_interval(self) -> tuple[float, float] | None:
        """Its 90 % bootstrap interval."""
        return None if self.posterior is None else (self.posterior.p_new_low, self.posterior.p_new_high)

    @property
    def p_not_compared(self) -> float | None:
        """Probability of a catalogued turtle that the search did not compare."""
        return None if self.posterior is None else self.posterior.p_not_compared


@dataclass(frozen=True, slots=True, eq=False)
class CatalogModel:
    """What `fit` found out about a catalogue.

    Attributes
    ----------
    null : ConfidenceNull
        Confidences of different turtles.
    novelty : NoveltyModel or None
        None while there is none for this recipe; `missing` says why.
    photos : int
        Identified photos in the catalogue when it was fitted.
    norm : ZNorm or None
        What gallery photos score with other turtles; None takes scores as they are.
    budget : int
        Pairs that the fit was allowed to compare; 0 where an earlier version did not say.
    """

    null: ConfidenceNull
    novelty: NoveltyModel | None
    photos: int
    missing: str = ""
    norm: ZNorm | None = None
    budget: int = 0

    @classmethod
    def load(cls, catalog: Catalog, recipe: str) -> CatalogModel:
        """The catalogue's fitted model, when it was fitted with this very recipe (`Engine.evidence`)."""
        stored = catalog.model(MODEL, recipe)
        if stored is None and catalog.model(MODEL) is None:
            return cls(no_null(), None, 0, "The catalogue has no fitted model yet; run `turtleidx fit`.")
        if stored is None:
            reason = "The model was fitted with another recipe; run `turtleidx fit`."
            return cls(no_null(), None, 0, reason)
        return cls.from_json(stored.payload)

    @property
    def outdated(self) -> bool:
        """Whether an earlier version of turtleidx fitted it."""
        return self.missing == _EARLIER

    def scoring(self, catalog: Catalog, score: Score) -> PairScoring:
        """How pairs with this catalogue's photos are scored."""
        return PairScoring(self.null, score, self.norm, catalog.owners)

    def without_intervals(self) -> CatalogModel:
        """The same, forty times as fast: its probabilities come without a bootstrap's interval."""
        return self if self.novelty is None else replace(self, novelty=replace(self.novelty, replicates=()))

    def to_json(self) -> str:
        """JSON text for `from_json`."""
        novelty = None if self.novelty is None else self.novelty.to_record()
        norm = None if self.norm is None else self.norm.to_record()
        values = {
            "null": self.null.to_record(),
            "novelty": novelty,
            "photos": self.photos,
            "missing": self.missing,
            "norm": norm,
            "budget": self.budget,
        }
        return model_json(model_record(_KIND, _VERSION, values))

    @classmethod
    def from_json(cls, text: str) -> CatalogModel:
        """Read what `to_json` wrote; raises CatalogTooNew or CatalogDamaged.

        What an earlier version wrote gives no probabilities, and says what to do.
        """
        read = read_model(text, _KIND, _VERSION, ("null", "novelty", "photos", "missing"))
        if read["version"] < _VERSION:
            return cls(no_null(), None, int(read["photos"]), _EARLIER)
        novelty = None if read["novelty"] is None else NoveltyModel.from_record(read["novelty"])
        norm = None if read.get("norm") is None else ZNorm.from_record(read["norm"])
        null, photos, budget = ConfidenceNull.from_record(read["null"]), int(read["photos"]), int(read["budget"])
        return cls(null, novelty, photos, read["missing"], norm, budget)

    def predict(
        self, candidates: Sequence[Candidate], shortlist: Shortlist, prior_new: float, rates: Rates
    ) -> Prediction:
        """Probabilities and verdict for ranked candidates out of a shortlist."""
        ranked = tuple(candidates)
        turtles = shortlist.catalogued_turtles
        if shortlist.gallery_turtles == 0:
            return Prediction(Verdict.UNDECIDED, None, _nobody(turtles), ranked)
        if self.novelty is None:
            return Prediction(Verdict.UNDECIDED, None, self.missing, ranked)
        posterior = posterior_of(self.novelty, ranked, shortlist, prior_new)
        decision = decide(posterior, self.novelty.thresholds(rates))
        return _predicted(decision, posterior, ranked, turtles - shortlist.gallery_turtles)


def posterior_of(
    novelty: NoveltyModel, ranked: Sequence[Candidate], gallery: Shortlist, prior_new: float, left_out: int = 0
) -> Posterior:
    """What the model says about a ranking (best first) out of a gallery.

    Parameters
    ----------
    gallery : Shortlist
        Holds a photo of every candidate.
    left_out : int
        Individuals of the gallery that were taken out of the ranking.
    """
    photos = {str(one.turtle): int(count) for one, count in zip(gallery.photos, gallery.turtle_photos, strict=True)}
    candidates = Candidates(
        turtle=np.arange(len(ranked)),
        score=np.array([one.score for one in ranked], np.float64),
        photos=np.array([photos[one.turtle] for one in ranked], np.int64),
    )
    turtles = gallery.gallery_turtles - left_out
    absent = 1 - turtles / (gallery.catalogued_turtles - left_out)
    return novelty.posterior(candidates, turtles, prior_new, absent)


def _predicted(decision: Decision, posterior: Posterior, ranked: tuple[Candidate, ...], absent: int) -> Prediction:
    probable = tuple(replace(one, probability=float(p)) for one, p in zip(ranked, posterior.p_candidates, strict=True))
    return Prediction(
        verdict=decision.verdict,
        turtle=None if decision.turtle is None else ranked[decision.turtle].turtle,
        reason=explained(decision, absent),
        candidates=probable,
        posterior=posterior,
        advice=advise(decision, posterior, [(one.turtle, one.photo.path) for one in ranked], absent),
    )


def explained(decision: Decision, absent: int) -> str:
    """The reason in full.

    Parameters
    ----------
    absent : int
        Catalogued turtles that have no photo in the searched gallery.
    """
    reason = decision.reason
    if not decision.certified and decision.verdict in (Verdict.KNOWN, Verdict.NEW):
        few = "the catalogue is too small for this rate"
        if decision.stopped_at:
            few = f"the fit asked about too few turtles for this rate, and {asking_more(decision.stopped_at)}"
        reason += f" Modelled, not certified: {few}."
    if absent:
        reason += f" {absent} catalogued turtles have no photo in the searched gallery and were not compared."
    return reason


def _nobody(turtles: int) -> str:
    if turtles:
        return f"None of the {turtles} catalogued turtles has a photo in the searched gallery."
    return "The catalogue holds no turtle yet."
