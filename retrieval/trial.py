"""What an evaluation runs on: a catalogue made from a manifest's gallery, and the scores that are compared on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from index.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, Sighting
from retrieval.contest import Contender
from retrieval.fitting import BUDGET, fit
from retrieval.fitting import Progress as FitProgress
from retrieval.instruments import Instruments
from retrieval.intake import from_manifest
from retrieval.judgement import Judge
from retrieval.pipeline import Progress, enroll
from retrieval.protocol import GALLERY
from retrieval.results import EnrollReport
from retrieval.scoring import Score

COMPARED = (Score.WASSERSTEIN, Score.MATCH_COUNT, Score.CONFIDENCE_SUM)
"""Scores that stand beside the recipe's own."""


def enroll_gallery(
    catalog: Catalog, manifest: Path, instruments: Instruments, who: str, progress: Progress | None = None
) -> EnrollReport:
    """Enroll a manifest's gallery rows; raises InputError where the catalogue then holds other photos too."""
    report = enroll(catalog, from_manifest(manifest, [GALLERY], Sighting("")), instruments, who, progress)
    gallery = {photo.sha256 for photo in (*report.enrolled, *report.already_there)}
    if any(photo.sha256 not in gallery for photo in catalog.photos(GalleryFilter(identified=False))):
        raise InputError(f"{catalog.path} holds photos that are not in the manifest's gallery: choose another folder.")
    return report


def fitted_contenders(
    catalog: Catalog,
    instruments: Instruments,
    who: str,
    compared: Sequence[Score] = COMPARED,
    progress: FitProgress | None = None,
) -> list[Contender]:
    """The recipe's score and those it is compared with, each fitted on the catalogue; the recipe's model is kept."""
    made: dict[Score, Contender] = {}
    scores = list(dict.fromkeys((instruments.score, *compared)))
    for score in reversed(scores):
        own = replace(instruments, score=score)
        fit(catalog, own, who, 10 * BUDGET, progress=progress)
        made[score] = Contender(score.value, score, Judge.of(catalog, own))
    return [made[score] for score in scores]


def stored_contenders(
    catalog: Catalog, instruments: Instruments, compared: Sequence[Score] = COMPARED
) -> list[Contender]:
    """The recipe's score with the catalogue's model, and those it is compared with, which have none there."""
    judge = Judge.of(catalog, instruments)
    reason = "The catalogue's model was fitted to another score."
    others = [score for score in compared if score != instruments.score]
    without = [Contender(score.value, score, Judge(judge.null, None, judge.photos, reason)) for score in others]
    return [Contender(instruments.score.value, instruments.score, judge), *without]
