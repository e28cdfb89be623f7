"""Many questions to one catalogue, and what a user wants done with the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        wished = _wished(catalog, _usable([question], [found]), found, wishes)
        yield Answer(question, found, _enroll_as(catalog, wished, found, instruments, who))
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
        wished = _wished(catalog, _usable(encounter.photos, photos), found, wishes)
        yield AnsweredEncounter(encounter, found, _enroll_as(catalog, wished, found, instruments, who))


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


def _usable(asked: Sequence[Question | RefusedRow], found: Sequence[Identification]) -> dict[str, Sighting]:
    """Photos that can be enrolled, by their bytes' digests."""
    return {
        alone.sha256: one.sighting
        for one, alone in zip(asked, found, strict=True)
        if isinstance(one, Question)
        and alone.sha256 is not None
        and alone.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)
    }


@dataclass(frozen=True, slots=True)
class _Wished:
    """Photos, by digest, that are to be enrolled as a turtle; `made` if it is a new one."""

    photos: Mapping[str, Sighting]
    turtle: str
    made: bool


def _wished(
    catalog: Catalog, photos: Mapping[str, Sighting], found: Identification | EncounterAnswer, wishes: Wishes
) -> _Wished | None:
    """What shall be enrolled of the usable photos of one answer.

    A photo that has a turtle keeps it unless somebody confirms another one: the same command can be given again.
    """
    if photos and wishes.confirm is not None:
        return _Wished(photos, wishes.confirm, made=False)
    if not photos or not wishes.enroll_new or found.verdict is not Verdict.NEW:
        return None
    owned = {digest: photo.turtle for digest, photo in catalog.enrolled(photos).items() if photo.turtle is not None}
    owners = set(owned.values())
    if len(owners) > 1:
        return None
    if not owners:
        return _Wished(photos, catalog.next_turtle_id(), made=True)
    rest = {digest: sighting for digest, sighting in photos.items() if digest not in owned}
    return _Wished(rest, owners.pop(), made=False)


def _enroll_as(
    catalog: Catalog,
    wished: _Wished | None,
    found: Identification | EncounterAnswer,
    instruments: Instruments,
    who: str,
) -> str | None:
    """The id that the photos have then; an id that was merged into another stands for that one."""
    if wished is None:
        return None
    for sighting in wished.photos.values():
        report = enroll(catalog, [replace(sighting, turtle=wished.turtle)], instruments, who)
        if report.already_there:
            Curator(catalog, who).move_photos(list(report.already_there), wished.turtle)
    if wished.made and found.unsearched_turtles:
        why = f"{found.unsearched_turtles} catalogued turtles have no photo of this side and were not compared."
        Curator(catalog, who, why).tag_turtle(wished.turtle, [OTHER_SIDE])
    return next((photo.turtle for photo in catalog.enrolled(wished.photos).values()), wished.turtle)
