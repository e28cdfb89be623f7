"""Many questions, one after the other: each gets what it gets alone, and the next photo is read meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawing.heads import draw_head
from index.catalog import Catalog
from index.manifest import RefusedRow
from index.types import LocalFeatures, Matches, Sighting
from retrieval.answering import Answer, Wishes, answer
from retrieval.decision import Verdict
from retrieval.images import Pixels, save
from retrieval.instruments import Instruments
from retrieval.intake import Question
from retrieval.judgement import Judge
from retrieval.keypoints import SiftExtractor
from retrieval.loading import Choices, load_instruments
from retrieval.nearest import NearestNeighbourMatcher
from retrieval.pipeline import Terms, enroll, identify

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
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], looks: Sequence[Matches] | None = None
    ) -> list[Matches]:
        self.in_time.append(self._awaited.wait(10))
        return super().match(query, candidates, looks)


@pytest.fixture(scope="module")
def instruments() -> Instruments:
    return load_instruments(Choices("sift-64-128", "vlad", matcher="nearest"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for number in range(TURTLES):
        for photograph in range(2):
            save(draw_head(number, photograph, size=(128, 96)), path / f"{number}-{photograph}.png")
    save(np.full((96, 128, 3), 90, np.uint8), path / "flat.png")
    return path


@pytest.fixture
def catalog(tmp_path: Path, folder: Path, instruments: Instruments) -> Catalog:
    catalog = Catalog.create(tmp_path / "x.catalog", instruments.recipe)
    first = [Sighting(str(folder / f"{number}-0.png"), turtle=f"T{number}") for number in range(TURTLES)]
    enroll(catalog, first, instruments, "Ana")
    return catalog


def asked(folder: Path) -> list[Question | RefusedRow]:
    names = ["0-1.png", "flat.png", "1-1.png", "none.png", "2-1.png"]
    rows: list[Question | RefusedRow] = [Question(Sighting(str(folder / name)), {}) for name in names]
    return [*rows[:2], RefusedRow(4, "x.png", "line 4 is odd.", {}), *rows[2:]]


def test_each_photo_gets_what_it_gets_alone(catalog: Catalog, folder: Path, instruments: Instruments) -> None:
    answers = list(answer(catalog, asked(folder), instruments, "Ana", Terms(), Wishes()))
    judge = Judge.of(catalog, instruments)
    assert [one.question for one in answers] == asked(folder)
    for one in answers:
        if isinstance(one.question, RefusedRow):
            assert one.identification.verdict is Verdict.REFUSED
            continue
        alone = identify(catalog, one.question.sighting, instruments, judge, Terms())
        assert shown(one) == [(c.turtle, c.score) for c in alone.candidates]
        assert (one.identification.verdict, one.identification.reason) == (alone.verdict, alone.reason)


def test_the_next_photo_is_read_while_one_is_matched(catalog: Catalog, folder: Path, instruments: Instruments) -> None:
    extractor = Watched(photos=2)
    matcher = Patient(extractor.awaited)
    watched = replace(instruments, extractor=extractor, matcher=matcher)
    questions = [Question(Sighting(str(folder / f"{number}-1.png")), {}) for number in range(3)]
    assert len(list(answer(catalog, questions, watched, "Ana", Terms(), Wishes()))) == 3
    assert matcher.in_time == [True, True, True]


def test_a_photo_that_is_enrolled_is_in_the_gallery_of_the_next(
    catalog: Catalog, folder: Path, instruments: Instruments
) -> None:
    again = [Question(Sighting(str(folder / "0-1.png")), {})] * 2
    first, second = answer(catalog, again, instruments, "Ana", Terms(), Wishes(confirm="T0"))
    assert first.identification.gallery_photos == TURTLES
    assert second.identification.gallery_photos == TURTLES + 1
    assert second.identification.enrolled


def shown(one: Answer) -> list[tuple[str, float]]:
    return [(c.turtle, c.score) for c in one.identification.candidates]
