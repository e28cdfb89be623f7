"""Many questions to one catalogue, and what a user wants done with the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, tee

from index.catalog import Catalog
from index.curation import Curator
from index.errors import PhotoRefused, PhotoUnreadable
from index.exchange import RefusedRow
from index.types import Photo, PreparedPhoto, Sighting
from retrieval.engine import Engine
from retrieval.images import Question
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.parallel import one_ahead, some_ahead
from retrieval.pipeline.encounters import answer_together
from retrieval.pipeline.galleries import Gallery
from retrieval.pipeline.identification import identify, read_query, unanswered
from retrieval.pipeline.other_side import look_at_other_side
from retrieval.pipeline.results import EncounterAnswer, Identification


@dataclass(frozen=True, slots=True)
class FollowUp:
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


IN_FLIGHT = 3
"""Questions that are worked on at once where the gallery lies elsewhere, besides the one that is answered."""

OTHER_SIDE = "possibly known by the other side"
"""Tag of a turtle that was called new although some turtles have no photo of its side and were not compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to one question, the id under which its photo was enrolled, and those that it had before."""

    question: Question | RefusedRow
    identification: Identification
    enrolled_as: str | None = None
    moved_from: tuple[str, ...] = ()


def answer(
    catalog: Catalog,
    asked: Iterable[Question | RefusedRow],
    engine: Engine,
    who: str,
    policy: DecisionPolicy,
    follow_up: FollowUp,
    gallery: Gallery | None = None,
) -> Iterator[Answer]:
    """Answer in order; a photo that is enrolled on the way is in the gallery of the next.

    While a photo is matched, the next one is read; an answer's seconds are those that were waited for it.

    Parameters
    ----------
    gallery : Gallery or None
        As for `identify`.
    """
    catalog.require(engine.recipe)
    model = CatalogModel.load(catalog, engine.evidence)
    started = time.perf_counter()
    for question, found in _answers(catalog, asked, engine, model, policy, follow_up, gallery):
        if isinstance(question, RefusedRow):
            yield Answer(question, found)
            continue
        found = replace(found, seconds=time.perf_counter() - started)
        wished = _wished(catalog, _usable([question], [found]), found, follow_up)
        yield Answer(question, found, *_enroll_as(catalog, wished, found, who))
        started = time.perf_counter()


def _answers(
    catalog: Catalog,
    asked: Iterable[Question | RefusedRow],
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy,
    follow_up: FollowUp,
    gallery: Gallery | None,
) -> Iterator[tuple[Question | RefusedRow, Identification]]:
    """Photos in order with what is said of each alone; the next photo is read meanwhile.

    Elsewhere several are worked on at once, unless one's answer changes the gallery of the next.
    """

    def identified(
        one: tuple[Question | RefusedRow, PreparedPhoto | PhotoRefused | None],
    ) -> tuple[Question | RefusedRow, Identification]:
        question, query = one
        if isinstance(question, RefusedRow):
            return question, unanswered(question.photo, PhotoUnreadable(question.reason), engine)
        return question, _identified(catalog, question.sighting, engine, model, policy, query, gallery)

    read = one_ahead(lambda one: (one, _read(one, engine)), asked)
    together = gallery is not None and follow_up == FollowUp()
    return some_ahead(identified, read, IN_FLIGHT) if together else map(identified, read)


def _identified(
    catalog: Catalog,
    sighting: Sighting,
    engine: Engine,
    model: CatalogModel,
    policy: DecisionPolicy,
    query: PreparedPhoto | PhotoRefused | None,
    gallery: Gallery | None,
) -> Identification:
    """One photo's answer; where its stated side says nothing, the other one is asked too."""
    query = read_query(sighting, engine) if query is None else query
    found = identify(catalog, sighting, engine, model, policy, query, gallery=gallery)
    if isinstance(query, PhotoRefused):
        return found
    sighting = replace(sighting, side=found.query.side)
    return look_at_other_side(catalog, sighting, engine, model, policy, query, found, gallery)


def _read(question: Question | RefusedRow, engine: Engine) -> PreparedPhoto | PhotoRefused | None:
    return None if isinstance(question, RefusedRow) else read_query(question.sighting, engine)


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
    moved_from: tuple[str, ...] = ()


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
    engine: Engine,
    who: str,
    policy: DecisionPolicy,
    follow_up: FollowUp,
    gallery: Gallery | None = None,
) -> Iterator[AnsweredEncounter]:
    """Answer encounters in order, each with one verdict for all its photos; the next photo is read meanwhile.

    Parameters
    ----------
    gallery : Gallery or None
        As for `identify`.
    """
    catalog.require(engine.recipe)
    model = CatalogModel.load(catalog, engine.evidence)
    encounters, photos_of_all = tee(asked)
    every = (one for each in photos_of_all for one in each.photos)
    answers = _answers(catalog, every, engine, model, policy, follow_up, gallery)
    for encounter in encounters:
        photos = tuple(found for _, found in islice(answers, len(encounter.photos)))
        found = answer_together(catalog, encounter.name, photos, model, policy)
        wished = _wished(catalog, _usable(encounter.photos, photos), found, follow_up)
        yield AnsweredEncounter(encounter, found, *_enroll_as(catalog, wished, found, who))


def _usable(asked: Sequence[Question | RefusedRow], found: Sequence[Identification]) -> dict[str, PreparedPhoto]:
    """Photos that can be enrolled, by what they are kept under."""
    return {
        alone.query.prepared.key: alone.query.prepared
        for one, alone in zip(asked, found, strict=True)
        if isinstance(one, Question)
        and alone.query.prepared is not None
        and alone.verdict not in (Verdict.REFUSED, Verdict.NOT_COMPARABLE)
    }


@dataclass(frozen=True, slots=True)
class _Wished:
    """Photos, by what they are kept under, that are to be enrolled as a turtle; `made` if it is a new one."""

    photos: Mapping[str, PreparedPhoto]
    turtle: str
    made: bool


def _wished(
    catalog: Catalog, photos: Mapping[str, PreparedPhoto], found: Identification | EncounterAnswer, follow_up: FollowUp
) -> _Wished | None:
    """What shall be enrolled of the usable photos of one answer.

    A photo that has a turtle keeps it unless somebody confirms another one: the same command can be given again.
    """
    if photos and follow_up.confirm is not None:
        return _Wished(photos, follow_up.confirm, made=False)
    if not photos or not follow_up.enroll_new or found.verdict is not Verdict.NEW:
        return None
    there = zip(photos, _there(catalog, photos), strict=True)
    owned = {key: photo.turtle for key, photo in there if photo is not None and photo.turtle is not None}
    owners = set(owned.values())
    if len(owners) > 1:
        return None
    if not owners:
        return _Wished(photos, catalog.next_turtle_id(), made=True)
    rest = {key: photo for key, photo in photos.items() if key not in owned}
    return _Wished(rest, owners.pop(), made=False)


def _enroll_as(
    catalog: Catalog, wished: _Wished | None, found: Identification | EncounterAnswer, who: str
) -> tuple[str | None, tuple[str, ...]]:
    """The id that the photos have then (one that was merged into another stands for that), and those they had."""
    if wished is None:
        return None, ()
    there = _there(catalog, wished.photos)
    before = {photo.turtle for photo in there if photo is not None and photo.turtle is not None}
    for photo in wished.photos.values():
        named = replace(photo, sighting=replace(photo.sighting, turtle=wished.turtle))
        [outcome] = catalog.enroll([named], who)
        if outcome.already_there:
            Curator(catalog, who).move_photos([outcome.photo.id], wished.turtle)
    if wished.made and found.unsearched_turtles:
        why = f"{found.unsearched_turtles} catalogued turtles have no photo of this side and were not compared."
        Curator(catalog, who, why).tag_turtle(wished.turtle, [OTHER_SIDE])
    now = next((photo.turtle for photo in _there(catalog, wished.photos) if photo is not None), wished.turtle)
    return now, tuple(sorted(before - {now}))


def _there(catalog: Catalog, photos: Mapping[str, PreparedPhoto]) -> list[Photo | None]:
    heads = [(photo.sha256, photo.sighting.box) for photo in photos.values()]
    return catalog.sightings(heads, [photo.content for photo in photos.values()])
