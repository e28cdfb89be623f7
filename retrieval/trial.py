"""What an evaluation runs on: a catalogue made of a manifest's gallery, and the methods and scores compared on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, Sighting
from retrieval.contest import Contender
from retrieval.fitting import BUDGET, Rehearsed, learn, rehearse
from retrieval.instruments import Instruments
from retrieval.intake import from_manifest
from retrieval.judgement import MODEL, Judge
from retrieval.nearest import NearestNeighbourMatcher
from retrieval.pairing import Progress as FitProgress
from retrieval.pairing import VerifiedPairing, unverified
from retrieval.pipeline import Progress, enroll
from retrieval.protocol import GALLERY
from retrieval.rerank import RerankRecipe
from retrieval.results import EnrollReport
from retrieval.scoring import Score

COMPARED = (Score.WASSERSTEIN, Score.WASSERSTEIN_DISTANCE, Score.MATCH_COUNT, Score.CONFIDENCE_SUM)
"""Scores that stand beside the recipe's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """A way to compare and score photos, under the name that tables give it."""

    name: str
    instruments: Instruments


def entrants(instruments: Instruments, others: Sequence[Instruments] = (), compare: bool = True) -> list[Entrant]:
    """The recipe first, then what it is compared with: other scores, other methods, each by the recipe's score.

    Parameters
    ----------
    others : sequence of Instruments
        Of other matchers, as the user named them.
    compare : bool
        False takes the recipe and `others` alone.
    """
    found = [Entrant(instruments.score.value, instruments)]
    if compare:
        scores = [score for score in COMPARED if score != instruments.score]
        found += [Entrant(score.value, replace(instruments, score=score)) for score in scores]
        nearest = replace(instruments, matcher=NearestNeighbourMatcher(), reranking=RerankRecipe())
        methods = {"nearest, verified": nearest, "nearest, unverified": unverified(nearest)}
        known = {instruments.comparing}
        found += [Entrant(name, one) for name, one in methods.items() if one.comparing not in known]
    return [*found, *(Entrant(one.matcher.id, one) for one in others)]


def enroll_gallery(
    catalog: Catalog, manifest: Path, instruments: Instruments, who: str, progress: Progress | None = None
) -> EnrollReport:
    """Enroll a manifest's gallery rows; raises InputError where the catalogue then holds other photos too."""
    report = enroll(catalog, from_manifest(manifest, [GALLERY], Sighting("")), instruments, who, progress)
    gallery = {*report.enrolled, *report.already_there}
    if any(photo.id not in gallery for photo in catalog.photos(GalleryFilter(identified=False))):
        raise InputError(f"{catalog.path} holds photos that are not in the manifest's gallery: choose another folder.")
    return report


def fitted_contenders(
    catalog: Catalog,
    among: Sequence[Entrant],
    who: str,
    progress: FitProgress | None = None,
) -> list[Contender]:
    """Each entrant with a model fitted on the catalogue; the first one's is kept there."""
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("fit"):
        made: dict[str, Rehearsed] = {}
        wanted = {one.instruments.comparing: one.instruments for one in among}
        for name, one in sorted(wanted.items(), key=lambda item: item[1].reranking.verification is None):
            both = one.reranking.verification is not None and unverified(one).comparing in wanted
            pairing = VerifiedPairing(catalog, one) if both else None
            made[name] = rehearse(catalog, photos, one, 10 * BUDGET, progress=progress, pairing=pairing)
        before, stored = Judge.of(catalog, among[0].instruments), catalog.model(MODEL)
        first, *others = [(made[one.instruments.comparing], one.instruments.score) for one in among]
        judges = [learn(*first, before=before), *(learn(*one, replicates=0) for one in others)]
        kept = judges[0].to_json()
        if stored is None or (stored.recipe, stored.payload) != (among[0].instruments.evidence, kept):
            catalog.save_model(MODEL, among[0].instruments.evidence, kept, who)
    return [Contender(one.name, one.instruments, judge) for one, judge in zip(among, judges, strict=True)]


def stored_contenders(catalog: Catalog, among: Sequence[Entrant]) -> list[Contender]:
    """The first entrant with the catalogue's model, and the others, which have none there."""
    judge = Judge.of(catalog, among[0].instruments)
    reason = "The catalogue's model was fitted to another recipe."
    without = [Contender(one.name, one.instruments, Judge(judge.null, None, judge.photos, reason)) for one in among[1:]]
    return [Contender(among[0].name, among[0].instruments, judge), *without]
