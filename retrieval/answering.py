"""Many questions to one catalogue, and what a user wants done with the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, tee
from pathlib import Path

from index.catalog import Catalog
from index.curation import Curator
from index.errors import PhotoRefused, PhotoUnreadable
from index.manifest import RefusedRow
from index.types import PreparedPhoto, Sighting
from retrieval.decision import Verdict
from retrieval.encounter import answer_together
from retrieval.images import decode, load_photo
from retrieval.instruments import Instruments
from retrieval.intake import Question
from retrieval.judgement import Judge
from retrieval.pipeline import Terms, enroll, identify, read_query, unanswered
from retrieval.preparing import one_ahead
from retrieval.render import Panel, Pixels, match_picture
from retrieval.results import EncounterAnswer, Identification

PICTURED = 3
"""Candidates in a match picture."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What shall happen with an answer.

    Attributes
    ----------
    enroll_new : bool
        A NEW photo becomes a turtle with the next free id.
    confirm : str or None
        The photo is enrolled as this turtle, whatever the verdict.
    """

    enroll_new: bool = False
    confirm: str | None = None


OTHER_SIDE = "possibly known by the other side"
"""Tag of a turtle that was called new although some turtles have no photo of its side and were not compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to one question, and the id under which its photo was enrolled."""

    question: Question | RefusedRow
    identification: Identification
    enrolled_as: str | None = None


def answer(
    catalog: Catalog,
    asked: Iterable[Question | RefusedRow],
    instruments: Instruments,
    who: str,
    terms: Terms,
    wishes: Wishes,
) -> Iterator[Answer]:
    """Answer in order; a photo that is enrolled on the way is in the gallery of the next.

    While a photo is matched, the next one is read; an answer's seconds are those that were waited for it.
    """
    catalog.require(instruments.recipe)
    judge = Judge.of(catalog, instruments)
    started = time.perf_counter()
    for question, query in one_ahead(lambda one: (one, _read(one, instruments)), asked):
        if isinstance(question, RefusedRow):
            yield Answer(question, unanswered(question.photo, PhotoUnreadable(question.reason), instruments))
            continue
        found = identify(catalog, question.sighting, instruments, judge, terms, query)
        found = replace(found, seconds=time.perf_counter() - started)
        usable = found.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)
        turtle = wishes.confirm if usable else None
        if turtle is None and wishes.enroll_new and found.verdict is Verdict.NEW:
            turtle = catalog.next_turtle_id()
        if turtle is not None:
            _enroll_as(catalog, replace(question.sighting, turtle=turtle), instruments, who)
            if wishes.confirm is None:
                _mark(catalog, turtle, found.unsearched_turtles, who)
        yield Answer(question, found, turtle)
        started = time.perf_counter()


def _read(question: Question | RefusedRow, instruments: Instruments) -> PreparedPhoto | PhotoRefused | None:
    return None if isinstance(question, RefusedRow) else read_query(question.sighting, instruments)


@dataclass(frozen=True, slots=True, eq=False)
class AskedEncounter:
    """Photos of one turtle on one occasion."""

    name: str | None
    photos: tuple[Question | RefusedRow, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredEncounter:
    """The one answer to an encounter's photos, and the id under which they were enrolled."""

    asked: AskedEncounter
    found: EncounterAnswer
    enrolled_as: str | None = None


def by_encounter(asked: Iterable[Question | RefusedRow]) -> list[AskedEncounter]:
    """Group a manifest's rows by their column encounter; photos that are named one by one are one encounter."""
    groups: dict[str | None, list[Question | RefusedRow]] = {}
    alone: list[Question | RefusedRow] = []
    for one in asked:
        name = one.columns.get("encounter") if one.columns else None
        (groups.setdefault(name, []) if name or not one.columns else alone).append(one)
    return [
        *(AskedEncounter(name, tuple(photos)) for name, photos in groups.items()),
        *(AskedEncounter(None, (one,)) for one in alone),
    ]


def answer_encounters(
    catalog: Catalog,
    asked: Iterable[AskedEncounter],
    instruments: Instruments,
    who: str,
    terms: Terms,
    wishes: Wishes,
) -> Iterator[AnsweredEncounter]:
    """Answer encounters in order, each with one verdict for all its photos; the next photo is read meanwhile."""
    catalog.require(instruments.recipe)
    judge = Judge.of(catalog, instruments)
    encounters, photos_of_all = tee(asked)
    ahead = one_ahead(lambda one: _read(one, instruments), (one for each in photos_of_all for one in each.photos))
    for encounter in encounters:
        photos = tuple(
            unanswered(one.photo, PhotoUnreadable(one.reason), instruments)
            if isinstance(one, RefusedRow)
            else identify(catalog, one.sighting, instruments, judge, terms, query)
            for one, query in zip(encounter.photos, islice(ahead, len(encounter.photos)), strict=True)
        )
        found = answer_together(catalog, encounter.name, photos, judge, terms)
        turtle = wishes.confirm
        if turtle is None and wishes.enroll_new and found.verdict is Verdict.NEW:
            turtle = catalog.next_turtle_id()
        usable = [
            one.sighting
            for one, alone in zip(encounter.photos, photos, strict=True)
            if isinstance(one, Question) and alone.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)
        ]
        if turtle is not None and usable:
            for sighting in usable:
                _enroll_as(catalog, replace(sighting, turtle=turtle), instruments, who)
            if wishes.confirm is None:
                _mark(catalog, turtle, found.unsearched_turtles, who)
        yield AnsweredEncounter(encounter, found, turtle if usable else None)


def picture(catalog: Catalog, sighting: Sighting, found: Identification, long_side: int) -> Pixels | None:
    """The query beside its best candidates, RGB uint8 [h, w, 3]; None where there is nothing to show."""
    best = found.candidates[:PICTURED]
    if not best or found.features is None:
        return None
    query = load_photo(Path(sighting.path), long_side, sighting.box).pixels
    features = catalog.features([candidate.photo for candidate in best])
    panels = []
    for candidate, own in zip(best, features, strict=True):
        probability = "" if candidate.probability is None else f", probability {candidate.probability:.2f}"
        caption = f"{candidate.turtle}: {candidate.matches} matches{probability}   {candidate.photo.path}"
        panels.append(Panel(caption, decode(catalog.thumbnail(candidate.photo)), own, candidate.evidence))
    return match_picture(query, found.features, panels)


def _mark(catalog: Catalog, turtle: str, unsearched: int, who: str) -> None:
    if unsearched:
        why = f"{unsearched} catalogued turtles have no photo of this side and were not compared."
        Curator(catalog, who, why).tag_turtle(turtle, [OTHER_SIDE])


def _enroll_as(catalog: Catalog, sighting: Sighting, instruments: Instruments, who: str) -> None:
    report = enroll(catalog, [sighting], instruments, who)
    if report.already_there:
        Curator(catalog, who).move_photos(list(report.already_there), str(sighting.turtle))
