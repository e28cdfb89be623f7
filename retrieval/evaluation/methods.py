"""What an evaluation runs on: a catalogue made of a manifest's gallery, and the methods and scores compared on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, Progress, Sighting
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.evaluation.protocol import GALLERY
from retrieval.evaluation.run import FittedMethod
from retrieval.fitting import (
    BUDGET,
    TrialScores,
    calibrated,
    learn,
    run_trials,
    verified_pairs_of,
)
from retrieval.images import from_manifest
from retrieval.novelty import MODEL, CatalogModel
from retrieval.pipeline import EnrollReport, PairPool, Prepare, enroll, prepared
from retrieval.scoring import Score

COMPARED = (Score.WASSERSTEIN, Score.WASSERSTEIN_DISTANCE, Score.MATCH_COUNT, Score.CONFIDENCE_SUM)
"""Scores that stand beside the recipe's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A way to compare and score photos, under the name that tables give it."""

    name: str
    engine: Engine


def methods_of(engine: Engine, others: Sequence[Method] = (), compare: bool = True) -> list[Method]:
    """The recipe first, then what it is compared with: other scores, other methods, each by the recipe's score.

    Parameters
    ----------
    others : sequence of Method
        Other matchers and systems, as the user named them.
    compare : bool
        False takes the recipe and `others` alone.
    """
    found = [Method(engine.score.value, engine)]
    if compare:
        scores = [score for score in COMPARED if score != engine.score]
        found += [Method(score.value, replace(engine, score=score)) for score in scores]
        nearest = engine.with_matcher(EngineOptions(matcher=NEAREST))
        methods = {"nearest, verified": nearest, "nearest, unverified": nearest.unverified}
        known = {engine.comparing}
        found += [Method(name, one) for name, one in methods.items() if one.comparing not in known]
    return [*found, *others]


def enroll_gallery(
    catalog: Catalog,
    manifest: Path,
    engine: Engine,
    who: str,
    progress: Progress | None = None,
    prepare: Prepare = prepared,
) -> EnrollReport:
    """Enroll a manifest's gallery rows, `prepare` as for `enroll`.

    Raises InputError where the catalogue then holds other photos too.
    """
    rows = from_manifest(manifest, [GALLERY], Sighting(""))
    report = enroll(catalog, rows, engine, who, progress, prepare=prepare)
    gallery = {*report.enrolled, *report.already_there}
    if any(photo.id not in gallery for photo in catalog.photos(GalleryFilter(identified=False))):
        raise InputError(f"{catalog.path} holds photos that are not in the manifest's gallery: choose another folder.")
    return report


def fit_methods(
    catalog: Catalog,
    among: Sequence[Method],
    who: str,
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> list[FittedMethod]:
    """Each entrant with a model fitted on the catalogue; the first one's is kept there. `pool` as for `fit`."""
    photos = catalog.photos(GalleryFilter())
    with catalog.writing("fit"):
        among = [replace(one, engine=calibrated(catalog, one.engine)) for one in among]
        made: dict[str, TrialScores] = {}
        wanted = {one.engine.comparing: one.engine for one in among}
        for name, one in sorted(wanted.items(), key=lambda item: item[1].reranking.verification is None):
            both = one.reranking.verification is not None and one.unverified.comparing in wanted
            pairing = verified_pairs_of(catalog, one, pool) if both else None
            made[name] = run_trials(catalog, photos, one, 10 * BUDGET, progress=progress, pairing=pairing, pool=pool)
        before, stored = (
            CatalogModel.load(catalog, among[0].engine.evidence),
            catalog.model(MODEL, among[0].engine.evidence),
        )
        first, *others = [(made[one.engine.comparing], one.engine.score) for one in among]
        judges = [learn(*first, before=before), *(learn(*one, replicates=0) for one in others)]
        kept = judges[0].to_json()
        if stored is None or (stored.recipe, stored.payload) != (among[0].engine.evidence, kept):
            catalog.save_model(MODEL, among[0].engine.evidence, kept, who)
    return [FittedMethod(one.name, one.engine, model) for one, model in zip(among, judges, strict=True)]


def stored_methods(catalog: Catalog, among: Sequence[Method]) -> list[FittedMethod]:
    """The first entrant with the catalogue's model, and the others, which have none there."""
    with catalog.writing("evaluate"):
        among = [replace(one, engine=calibrated(catalog, one.engine)) for one in among]
    model = CatalogModel.load(catalog, among[0].engine.evidence)
    reason = "The catalogue's model was fitted to another recipe."
    without = [
        FittedMethod(one.name, one.engine, CatalogModel(model.null, None, model.photos, reason)) for one in among[1:]
    ]
    return [FittedMethod(among[0].name, among[0].engine, model), *without]
