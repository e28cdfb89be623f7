"""Many questions, one after the other: each gets what it gets alone, and the next photo is read meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.exchange.manifest import RefusedRow
from index.types import GalleryFilter, LocalFeatures, Matches, Pixels, PreparedPhoto, Sighting
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.features.sift import SiftExtractor
from retrieval.images.inputs import Question
from retrieval.images.pictures import save
from retrieval.matching.nearest import NearestNeighbourMatcher
from retrieval.novelty.catalog_model import CatalogModel
from retrieval.novelty.decision import DecisionPolicy, Verdict
from retrieval.pipeline import queries as answering
from retrieval.pipeline.galleries import ComparedShortlist, OwnGallery
from retrieval.pipeline.identification import identify
from retrieval.pipeline.intake import enroll
from retrieval.pipeline.queries import Answer, AskedEncounter, FollowUp, answer, answer_encounters
from retrieval.pipeline.results import EncounterAnswer, Identification
from synthetic.heads import draw_head

TURTLES = 4


class Watched(SiftExtractor):
    """SIFT that says when it has seen so many photos."""

    def __init__(self, photos: int) -> None:
        super().__init__(64, 128)
        self.awaited = threading.Event()
        self._left = photos

    def extract(self, pixels: Pixels) -> LocalFeatures:
        self._left -= 1
        if not self._left:
            self.awaited.set()
        return super().extract(pixels)


class Patient(NearestNeighbourMatcher):
    """Compares once an event has happened, and remembers whether it did in time."""

    def __init__(self, awaited: threading.Event) -> None:
        self._awaited = awaited
        self.in_time: list[bool] = []

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        self.in_time.append(self._awaited.wait(10))
        return super().match(query, candidates, first_matches)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(options=EngineOptions(extractor="sift-64-128", encoder="vlad", matcher="nearest"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for number in range(TURTLES):
        for photograph in range(2):
            save(draw_head(number, photograph, size=(128, 96)), path / f"{number}-{photograph}.png")
    save(np.full((96, 128, 3), 90, np.uint8), path / "flat.png")
    return path


@pytest.fixture
def catalog(tmp_path: Path, folder: Path, engine: Engine) -> Catalog:
    catalog = Catalog.create(tmp_path / "x.catalog", engine.recipe)
    first = [Sighting(str(folder / f"{number}-0.png"), turtle=f"T{number}") for number in range(TURTLES)]
    enroll(catalog, first, engine, "Ana")
    return catalog


def asked(folder: Path) -> list[Question | RefusedRow]:
    names = ["0-1.png", "flat.png", "1-1.png", "none.png", "2-1.png"]
    rows: list[Question | RefusedRow] = [Question(Sighting(str(folder / name)), {}) for name in names]
    return [*rows[:2], RefusedRow(4, "x.png", "line 4 is odd.", {}), *rows[2:]]


def test_each_photo_gets_what_it_gets_alone(catalog: Catalog, folder: Path, engine: Engine) -> None:
    answers = list(answer(catalog, asked(folder), engine, "Ana", DecisionPolicy(), FollowUp()))
    model = CatalogModel.load(catalog, engine.evidence)
    assert [one.question for one in answers] == asked(folder)
    for one in answers:
        if isinstance(one.question, RefusedRow):
            assert one.identification.verdict is Verdict.REFUSED
            continue
        alone = identify(catalog, one.question.sighting, engine, model, DecisionPolicy())
        assert shown(one) == [(c.turtle, c.score) for c in alone.candidates]
        assert (one.identification.verdict, one.identification.reason) == (alone.verdict, alone.reason)


def test_the_next_photo_is_read_while_one_is_matched(catalog: Catalog, folder: Path, engine: Engine) -> None:
    extractor = Watched(photos=2)
    matcher = Patient(extractor.awaited)
    watched = replace(engine, extractor=extractor, matcher=matcher)
    questions = [Question(Sighting(str(folder / f"{number}-1.png")), {}) for number in range(3)]
    assert len(list(answer(catalog, questions, watched, "Ana", DecisionPolicy(), FollowUp()))) == 3
    assert matcher.in_time == [True, True, True]


class Together:
    """As `Gallery`; compares nobody before so many questions have come."""

    def __init__(self, own: OwnGallery, questions: int) -> None:
        self._own, self._here = own, threading.Barrier(questions, timeout=10)

    def compare(self, query: PreparedPhoto, where: GalleryFilter) -> ComparedShortlist:
        self._here.wait()
        return self._own.compare(query, where)


def test_where_the_gallery_lies_elsewhere_several_photos_are_on_their_way(
    catalog: Catalog, folder: Path, engine: Engine
) -> None:
    questions = [Question(Sighting(str(folder / f"{number}-1.png")), {}) for number in range(3)]
    gallery = Together(OwnGallery(catalog, engine), 3)
    given = (engine, "Ana", DecisionPolicy(), FollowUp(), gallery)
    alone = [shown(one) for one in answer(catalog, questions, *given)]
    encounters = [AskedEncounter("first", tuple(questions[:2])), AskedEncounter("second", tuple(questions[2:]))]
    first, second = answer_encounters(catalog, encounters, *given)
    photos = [*first.found.photos, *second.found.photos]
    assert [[(c.turtle, c.score) for c in one.candidates] for one in photos] == alone


def test_a_photo_that_is_enrolled_is_in_the_gallery_of_the_next(catalog: Catalog, folder: Path, engine: Engine) -> None:
    again = [Question(Sighting(str(folder / "0-1.png")), {})] * 2
    first, second = answer(catalog, again, engine, "Ana", DecisionPolicy(), FollowUp(confirm="T0"))
    assert first.identification.coverage.gallery_photos == TURTLES
    assert second.identification.coverage.gallery_photos == TURTLES
    assert second.identification.query.enrolled is not None


def shown(one: Answer) -> list[tuple[str, float]]:
    return [(c.turtle, c.score) for c in one.identification.candidates]


def called_new(found: Identification | EncounterAnswer) -> Identification | EncounterAnswer:
    return replace(found, prediction=replace(found.prediction, verdict=Verdict.NEW, turtle=None))


def new_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every photo and every encounter is called NEW."""
    for name in ("identify", "answer_together"):
        real = getattr(answering, name)
        monkeypatch.setattr(answering, name, lambda *rest, real=real, **named: called_new(real(*rest, **named)))


def test_the_same_command_again_makes_no_turtle_again(
    catalog: Catalog, folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_to_everybody(monkeypatch)
    names = ["0-1.png", "1-1.png", "1-0.png", "flat.png"]
    questions = [Question(Sighting(str(folder / name)), {}) for name in names]
    first, again = (
        [
            one.enrolled_as
            for one in answer(catalog, questions, engine, "Ana", DecisionPolicy(), FollowUp(enroll_new=True))
        ]
        for _ in range(2)
    )
    assert first == again == ["T001", "T002", "T1", None]
    assert Browser(catalog).turtle("T001").photos == 1


def test_an_encounter_that_was_enrolled_in_part_gets_no_second_turtle(
    catalog: Catalog, folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_to_everybody(monkeypatch)
    photos = tuple(Question(Sighting(str(folder / f"{number}-1.png"), encounter="dive"), {}) for number in range(2))
    enroll(catalog, [replace(photos[0].sighting, turtle="T030")], engine, "Ana")

    def asked_together(*photos: Question) -> str | None:
        encounter = AskedEncounter("dive", photos)
        [one] = answer_encounters(catalog, [encounter], engine, "Ana", DecisionPolicy(), FollowUp(enroll_new=True))
        return one.enrolled_as

    assert [asked_together(*photos) for _ in range(2)] == ["T030", "T030"]
    assert Browser(catalog).turtle("T030").photos == 2
    assert Browser(catalog).turtle("T030").encounters == 1
    # of two turtles, a person has to say which
    assert asked_together(photos[0], Question(Sighting(str(folder / "0-0.png")), {})) is None


def test_the_id_told_is_the_one_that_the_photo_has(catalog: Catalog, folder: Path, engine: Engine) -> None:
    Curator(catalog, "Ana").merge_turtles("T1", ["T0"])
    photo = [Question(Sighting(str(folder / "0-1.png")), {})]
    [one] = answer(catalog, photo, engine, "Ana", DecisionPolicy(), FollowUp(confirm="T0"))
    assert one.enrolled_as == "T1"


def test_an_enrolled_photo_takes_no_place_of_its_turtle_and_counts_nowhere(
    catalog: Catalog, folder: Path, engine: Engine
) -> None:
    enroll(catalog, [Sighting(str(folder / "0-1.png"), turtle="T0")], engine, "Ana")
    model, alone = CatalogModel.load(catalog, engine.evidence), replace(engine, per_turtle=1)
    found = identify(catalog, str(folder / "0-1.png"), alone, model)
    assert found.query.enrolled is not None
    assert (found.coverage.gallery_photos, found.coverage.photos) == (TURTLES, TURTLES)
    [own] = [one for one in found.candidates if one.turtle == "T0"]
    assert own.photo.path.endswith("0-0.png")
    only = identify(catalog, str(folder / "1-0.png"), engine, model)
    assert "T1" not in [one.turtle for one in only.candidates]
    assert only.coverage.gallery_turtles == TURTLES - 1
