"""Whole photographs on their way in: a head that is found surely is cut out, one that is not waits for a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog import Browser, Catalog
from index.curation import Curator
from index.errors import PhotoRefused
from index.types import BoxOrigin, GalleryFilter, HeadBox, Pixels, Side, Sighting
from retrieval.defaults import Heads
from retrieval.detection import Finding, FoundHead, Locator
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.features import SiftExtractor
from retrieval.images import save, turn_of
from retrieval.novelty import CatalogModel, Verdict
from retrieval.pipeline import (
    draw_box,
    enroll,
    find_heads,
    identify,
    next_step,
    reindex,
    remember_heads,
    remembered_heads,
)
from synthetic.heads import draw_head

pytestmark = pytest.mark.whole

HEAD = HeadBox(200.0, 100.0, 160.0, 128.0)
"""Where the head lies in the frames, in their own pixels: they are 640 x 480."""


class KnownHeads:
    """A finder that says what it is told about frames, in turn, whatever they show; other photos are cut-out heads."""

    id = "known"
    threshold = 0.5
    certified = False

    def __init__(self, *said: Finding) -> None:
        self._said = list(said)

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        return [self._said.pop(0) if photo.shape[:2] == (480, 640) else Finding((), cut_out=True) for photo in photos]


def head(confidence: float, box: HeadBox = HEAD, side_probability: float = 0.95) -> FoundHead:
    return FoundHead(box, confidence, Side.LEFT, side_probability, 0.0)


def frame(number: int) -> Pixels:
    """A photograph of 640 x 480 with a head in it, as large as `HEAD`."""
    pixels = draw_head(number + 20, 0, size=(640, 480))  # something with keypoints
    x, y, w, h = (int(value) for value in (HEAD.x, HEAD.y, HEAD.w, HEAD.h))
    pixels[y : y + h, x : x + w] = draw_head(number, 0, size=(w, h))
    return pixels


@pytest.fixture(scope="module")
def plain() -> Engine:
    return Engine.load(options=EngineOptions(extractor="sift-128-160", matcher=NEAREST))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames")
    for number in range(4):
        save(frame(number), path / f"{number}.png")
    save(draw_head(7, 0, size=(320, 256)), path / "cut.png")
    return path


@pytest.fixture
def catalog(plain: Engine, tmp_path: Path) -> Catalog:
    return Catalog.create(tmp_path / "turtles.catalog", plain.recipe)


def looking(plain: Engine, *said: Finding) -> Engine:
    return replace(plain, locator=Locator(Heads.AUTO, KnownHeads(*said)))


def turn_stored(catalog: Catalog, number: int) -> int:
    """What the working image of a photo says about how its head lies."""
    return turn_of(catalog.feature_store.thumbnail(Browser(catalog).photo(str(number)).key) or b"")


def sighting(folder: Path, name: str, turtle: str | None = None, box: HeadBox | None = None) -> Sighting:
    return Sighting(str(folder / name), turtle, box=box)


def test_how_a_found_head_lies_is_kept_with_the_photo_where_its_side_is_sure(
    catalog: Catalog, plain: Engine, folder: Path
) -> None:
    lying = [
        FoundHead(HEAD, 0.9, Side.LEFT, probability, angle)
        for probability, angle in [(0.95, np.pi / 2 - 0.3), (0.95, -np.pi / 2), (0.95, 0.7), (0.8, np.pi / 2)]
    ]
    engine = looking(plain, *(Finding((one,)) for one in lying))
    asked = [sighting(folder, f"{number}.png", f"T{number}") for number in range(4)]
    enroll(catalog, asked, engine, "Ana")
    assert [turn_stored(catalog, number) for number in range(1, 5)] == [1, 3, 0, 0]
    finer = replace(plain, extractor=SiftExtractor(128, 192))
    assert reindex(catalog, finer, "Ana").read == 4
    assert [turn_stored(catalog, number) for number in range(1, 5)] == [1, 3, 0, 0]
    draw_box(catalog, finer, 1, HEAD, None, Curator(catalog, "Ana"))
    assert turn_stored(catalog, 1) == 0  # nobody says how the head lies in a box that a person drew


def test_a_head_whose_stated_side_is_not_the_found_one_is_not_turned(folder: Path) -> None:
    upside_down = Finding((FoundHead(HEAD, 0.9, Side.LEFT, 0.95, np.pi),))
    locator = Locator(Heads.AUTO, KnownHeads(upside_down, upside_down))
    stated = [replace(sighting(folder, "0.png"), side=side) for side in (Side.RIGHT, Side.LEFT)]
    assert [one.turn for one in locator.locate(stated) if isinstance(one, Sighting)] == [0, 2]


def test_sure_heads_are_cut_out_unsure_ones_wait_and_given_boxes_stay(
    catalog: Catalog, plain: Engine, folder: Path
) -> None:
    given = HeadBox(190.0, 95.0, 180.0, 140.0)
    engine = looking(plain, Finding((head(0.9),)), Finding((head(0.3),)), Finding(()))
    asked = [sighting(folder, f"{number}.png", f"T{number}") for number in range(3)]
    report = enroll(
        catalog,
        [*asked, sighting(folder, "3.png", "T3", given), sighting(folder, "cut.png", "T4")],
        engine,
        "Ana",
    )
    assert len(report.enrolled) == 5
    found, unsure, nothing, told, cut = Browser(catalog).photos()
    assert (found.box_origin, found.box_confidence, found.side) == (BoxOrigin.FOUND, 0.9, Side.LEFT)
    assert found.box == HeadBox(180.0, 84.0, 200.0, 160.0)  # enlarged 1.25 times about its middle
    assert found.keypoints >= 64
    assert (unsure.box, unsure.box_origin, unsure.box_confidence, unsure.keypoints) == (
        None,
        BoxOrigin.MISSING,
        0.3,
        0,
    )
    assert nothing.box_origin is BoxOrigin.MISSING
    assert (told.box, told.box_origin) == (given, BoxOrigin.GIVEN)
    assert (cut.box, cut.box_origin) == (None, None)
    assert [photo.id for photo in catalog.photos(GalleryFilter())] == [1, 4, 5]
    assert sum("waits for its head box" in remark.reason for remark in report.remarks) == 2


def test_the_crop_has_the_pixels_of_the_original(catalog: Catalog, plain: Engine, folder: Path) -> None:
    """A head of a quarter of the frame fills the working image, instead of a quarter of it."""
    enroll(catalog, [sighting(folder, "0.png", "T0")], looking(plain, Finding((head(0.9),))), "Ana")
    [photo] = catalog.photos(GalleryFilter())
    assert catalog.features([photo])[0].size == (160, 128)


def test_several_heads_and_one_id_wait_with_a_sentence(catalog: Catalog, plain: Engine, folder: Path) -> None:
    other = HeadBox(420.0, 200.0, 100.0, 80.0)
    engine = looking(plain, Finding((head(0.9), head(0.8, other))))
    report = enroll(catalog, [sighting(folder, "0.png", "T0")], engine, "Ana")
    [remark] = report.remarks
    assert "2 heads are in it" in remark.reason
    assert Browser(catalog).photo("1").box_origin is BoxOrigin.MISSING


def test_each_of_several_heads_of_nobody_in_particular_is_a_photo(
    catalog: Catalog, plain: Engine, folder: Path
) -> None:
    other = HeadBox(420.0, 200.0, 160.0, 128.0)
    seen = Finding((head(0.9), head(0.8, other), head(0.3, HeadBox(0.0, 0.0, 90.0, 70.0))))
    asked = replace(sighting(folder, "0.png"), taken_on=dt.date(2024, 5, 1))
    report = enroll(catalog, [asked], looking(plain, seen), "Ana")
    assert len(report.enrolled) == 2
    first, second = Browser(catalog).photos()
    assert (first.sha256, first.box_confidence, second.box_confidence) == (second.sha256, 0.9, 0.8)
    assert first.encounter != second.encounter
    assert [remark.reason for remark in report.remarks] == [
        "shows 2 heads; this is number 1, in the box 180,84,200,160",
        "shows 2 heads; this is number 2, in the box 400,184,200,160",
    ]
    again = enroll(catalog, [asked], looking(plain, seen), "Ana")
    assert (again.enrolled, again.already_there) == ((), (1,))
    named = enroll(catalog, [replace(sighting(folder, "1.png"), encounter="dive 3")], looking(plain, seen), "Ana")
    assert "which one is meant" in named.remarks[0].reason  # an encounter is of one turtle


def test_an_unsure_side_is_not_proposed_and_a_told_one_stays(catalog: Catalog, plain: Engine, folder: Path) -> None:
    engine = looking(plain, Finding((head(0.9, side_probability=0.7),)), Finding((head(0.9),)))
    told = replace(sighting(folder, "1.png", "T1"), side=Side.RIGHT)
    enroll(catalog, [sighting(folder, "0.png", "T0"), told], engine, "Ana")
    assert [photo.side for photo in Browser(catalog).photos()] == [None, Side.RIGHT]


def test_with_given_boxes_only_all_others_wait(catalog: Catalog, plain: Engine, folder: Path) -> None:
    engine = replace(plain, locator=Locator(Heads.GIVEN, None))
    enroll(catalog, [sighting(folder, "0.png", "T0"), sighting(folder, "1.png", "T1", HEAD)], engine, "Ana")
    assert [photo.box_origin for photo in Browser(catalog).photos()] == [BoxOrigin.MISSING, BoxOrigin.GIVEN]


def test_panoramas_wait(catalog: Catalog, plain: Engine, tmp_path: Path) -> None:
    save(np.random.default_rng(0).integers(0, 255, (100, 900, 3), dtype=np.uint8), tmp_path / "wide.png")
    report = enroll(catalog, [Sighting(str(tmp_path / "wide.png"))], looking(plain), "Ana")
    assert "long and narrow" in report.remarks[0].reason


def test_a_person_draws_the_box_and_undo_takes_it_back(catalog: Catalog, plain: Engine, folder: Path) -> None:
    enroll(catalog, [sighting(folder, "0.png", "T0")], looking(plain, Finding((head(0.2),))), "Ana")
    curator = Curator(catalog, "Ben", "looked")
    done = draw_box(catalog, plain, 1, HEAD, Side.LEFT, curator)
    record = Browser(catalog).photo("1")
    assert (record.box, record.box_origin, record.side) == (HEAD, BoxOrigin.PERSON, Side.LEFT)
    assert len(catalog.photos(GalleryFilter())) == 1
    curator.undo(done.event)
    assert Browser(catalog).photo("1").box_origin is BoxOrigin.MISSING
    assert not catalog.photos(GalleryFilter())


def test_a_box_beside_the_photo_or_a_lost_original_changes_nothing(
    catalog: Catalog, plain: Engine, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "0.png"
    copy.write_bytes((folder / "0.png").read_bytes())
    enroll(catalog, [Sighting(str(copy), "T0")], looking(plain, Finding((head(0.2),))), "Ana")
    with pytest.raises(PhotoRefused, match="outside"):
        draw_box(catalog, plain, 1, HeadBox(5000.0, 0.0, 10.0, 10.0), None, Curator(catalog, "Ben"))
    save(frame(3), copy)
    with pytest.raises(PhotoRefused, match="changed"):
        draw_box(catalog, plain, 1, HEAD, None, Curator(catalog, "Ben"))
    copy.unlink()
    with pytest.raises(PhotoRefused, match="does not exist"):
        draw_box(catalog, plain, 1, HEAD, None, Curator(catalog, "Ben"))
    assert Browser(catalog).photo("1").box_origin is BoxOrigin.MISSING


def test_a_query_is_cut_out_as_an_enrolled_photo_and_says_when_it_cannot(
    catalog: Catalog, plain: Engine, folder: Path, tmp_path: Path
) -> None:
    enroll(catalog, [sighting(folder, f"{number}.png", f"T{number}", HEAD) for number in range(3)], plain, "Ana")
    again = frame(1)
    again[:20] = 0  # other bytes, the same head
    save(again, tmp_path / "again.png")
    model = CatalogModel.load(catalog, plain.evidence)
    asked = Sighting(str(tmp_path / "again.png"))
    found = identify(catalog, asked, looking(plain, Finding((head(0.9, side_probability=0.6),))), model)
    assert found.candidates[0].turtle == "T1"
    assert "--heads auto --confirm T1`" in (next_step(found) or "")
    unsure = identify(catalog, asked, looking(plain, Finding((head(0.2),))), model)
    assert unsure.verdict is Verdict.NOT_COMPARABLE
    assert "head" in unsure.prediction.reason


def test_heads_are_looked_for_afterwards_and_that_is_undone_too(catalog: Catalog, plain: Engine, folder: Path) -> None:
    enroll(catalog, [sighting(folder, name, f"T{name[0]}") for name in ("0.png", "1.png", "cut.png")], plain, "Ana")
    keys = [photo.key for photo in catalog.photos(GalleryFilter())]
    engine = looking(plain, Finding((head(0.9),)), Finding((head(0.1),)))
    report = find_heads(catalog, engine, Curator(catalog, "Ana"))
    assert report.refused == ()
    assert (report.found, report.waiting, report.untouched) == (1, 1, 1)
    assert [photo.id for photo in catalog.photos(GalleryFilter())] == [1, 3]
    Curator(catalog, "Ana").undo()
    assert [photo.key for photo in catalog.photos(GalleryFilter())] == keys


def test_what_becomes_of_photos_without_a_box_is_remembered(catalog: Catalog) -> None:
    assert remembered_heads(catalog) is Heads.WHOLE
    remember_heads(catalog, Heads.AUTO, "Ana")
    assert remembered_heads(Catalog.open(catalog.path)) is Heads.AUTO
