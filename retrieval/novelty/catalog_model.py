"""The fitted model of a catalogue at work: ranked turtles in, probabilities and a verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Catalog
from index.types import Shortlist
from retrieval.novelty.conformal import Rates
from retrieval.novelty.decision import Decision, Verdict, decide
from retrieval.novelty.model import NoveltyModel
from retrieval.novelty.posterior import Candidates, Posterior
from retrieval.scoring import Candidate, ConfidenceNull, dump_model, load_model, no_null

MODEL = "novelty"
_KIND, _VERSION = "fitted model", 1


@dataclass(frozen=True, slots=True)
class Prediction:
    """Ranked turtles with probabilities, where there is a model, and the verdict with its reason.

    Attributes
    ----------
    posterior : Posterior or None
        Its turtles are row numbers of `candidates`.
    """

    verdict: Verdict
    turtle: str | None
    reason: str
    candidates: tuple[Candidate, ...]
    p_new: float | None = None
    p_new_low: float | None = None
    p_new_high: float | None = None
    p_not_compared: float | None = None
    posterior: Posterior | None = None


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
    """

    null: ConfidenceNull
    novelty: NoveltyModel | None
    photos: int
    missing: str = ""

    @classmethod
    def load(cls, catalog: Catalog, recipe: str) -> CatalogModel:
        """The catalogue's fitted model, when it was fitted with this very recipe (`Engine.evidence`)."""
        stored = catalog.model(MODEL)
        if stored is None:
            return cls(no_null(), None, 0, "The catalogue has no fitted model yet; run `turtleidx fit`.")
        if stored.recipe != recipe:
            reason = "The model was fitted with another recipe; run `turtleidx fit`."
            return cls(no_null(), None, 0, reason)
        return cls.from_json(stored.payload)

    def without_intervals(self) -> CatalogModel:
        """The same, forty times as fast: its probabilities come without a bootstrap's interval."""
        return self if self.novelty is None else replace(self, novelty=replace(self.novelty, replicates=()))

    def to_json(self) -> str:
        """JSON text for `from_json`."""
        novelty = None if self.novelty is None else self.novelty.to_json()
        values = {"null": self.null.to_json(), "novelty": novelty, "photos": self.photos, "missing": self.missing}
        return dump_model(_KIND, _VERSION, values)

    @classmethod
    def from_json(cls, text: str) -> CatalogModel:
        """Read what `to_json` wrote; raises CatalogTooNew or CatalogDamaged."""
        read = load_model(text, _KIND, _VERSION, ("null", "novelty", "photos", "missing"))
        novelty = None if read["novelty"] is None else NoveltyModel.from_json(read["novelty"])
        return cls(ConfidenceNull.from_json(read["null"]), novelty, int(read["photos"]), read["missing"])

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
        absent = 1 - shortlist.gallery_turtles / turtles
        posterior = self.novelty.posterior(_table(ranked, shortlist), shortlist.gallery_turtles, prior_new, absent)
        decision = decide(posterior, self.novelty.thresholds(rates))
        return _judgement(decision, posterior, ranked, turtles - shortlist.gallery_turtles)


def _table(candidates: Sequence[Candidate], shortlist: Shortlist) -> Candidates:
    photos = {photo.turtle: int(count) for photo, count in zip(shortlist.photos, shortlist.turtle_photos, strict=True)}
    return Candidates(
        turtle=np.arange(len(candidates)),
        score=np.array([candidate.score for candidate in candidates], np.float64),
        photos=np.array([photos[candidate.turtle] for candidate in candidates], np.int64),
    )


def _judgement(decision: Decision, posterior: Posterior, ranked: tuple[Candidate, ...], absent: int) -> Prediction:
    probable = tuple(
        Candidate(one.turtle, one.score, float(p), one.matches, one.photo, one.evidence)
        for one, p in zip(ranked, posterior.p_candidates, strict=True)
    )
    return Prediction(
        verdict=decision.verdict,
        turtle=None if decision.turtle is None else ranked[decision.turtle].turtle,
        reason=explained(decision, absent),
        candidates=probable,
        p_new=posterior.p_new,
        p_new_low=posterior.p_new_low,
        p_new_high=posterior.p_new_high,
        p_not_compared=posterior.p_not_compared,
        posterior=posterior,
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
        reason += " Modelled, not certified: the catalogue is too small for this rate."
    if absent:
        reason += f" {absent} catalogued turtles have no photo in the searched gallery and were not compared."
    return reason


def _nobody(turtles: int) -> str:
    if turtles:
        return f"None of the {turtles} catalogued turtles has a photo in the searched gallery."
    return "The catalogue holds no turtle yet."
