"""`turtleidx query --encounter`: one verdict for all photos of an encounter; called by `retrieval.cli`."""

from __future__ import annotations

from collections.abc import Sequence

from index.catalog import Catalog
from index.manifest import RefusedRow
from retrieval import console
from retrieval.answering import Wishes, answer_encounters, by_encounter
from retrieval.cli_changes import tell_of_retired
from retrieval.console_encounter import encounter_record, print_encounter
from retrieval.decision import Verdict
from retrieval.instruments import Instruments
from retrieval.intake import Question
from retrieval.pipeline import Terms
from retrieval.vigilance import drift_of, remember


def query_encounters(
    catalog: Catalog,
    asked: Sequence[Question | RefusedRow],
    instruments: Instruments,
    who: str,
    terms: Terms,
    wishes: Wishes,
    top: int,
    as_json: bool,
) -> int:
    """Answer and print encounters; returns how many photos were refused."""
    refused = 0
    for one in answer_encounters(catalog, by_encounter(asked), instruments, who, terms, wishes):
        refused += sum(photo.verdict is Verdict.REFUSED for photo in one.found.photos)
        if as_json:
            console.print_json(encounter_record(one, top))
        else:
            print_encounter(one, top)
        if one.enrolled_as:
            digests = [photo.sha256 for photo in one.found.photos if photo.sha256]
            tell_of_retired(catalog, [photo.id for photo in catalog.enrolled(digests).values()])
        known_by = next((photo.sha256 for photo in one.found.photos if photo.sha256), None)
        remember(catalog, one.found.photos, f"encounter of {known_by}")
    warn_of_drift(catalog)
    return refused


def warn_of_drift(catalog: Catalog) -> None:
    """Say on standard error when recent photos no longer score like those that the model was fitted on."""
    drift = drift_of(catalog)
    if drift is not None and drift.sentence is not None:
        console.say(drift.sentence)
