"""The head finder learns from a catalogue's own boxes, is judged by turtles it has not seen, and promises only then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from index.catalog import Browser, Catalog, check_catalog, network_of, restore_backup, store_network, write_backup
from index.curation import Curator
from index.errors import CatalogDamaged, InputError
from index.types import HeadBox, Pixels, Side, Sighting
from retrieval.detection import HeadNetwork, Levels, SmallHeadFinder
from retrieval.engine import NEAREST, Engine, EngineOptions
from retrieval.images import save
from retrieval.pipeline import FINDER, enroll, finder_of, own_finder, remember_finder
from retrieval.training import own_heads
from retrieval.training.detector import Judged, save_finder
from retrieval.training.own_heads import certified_threshold, train_detector
from synthetic.heads import draw_head

pytestmark = pytest.mark.whole


class Blocks:
    """A backbone whose features are the photo's own colours, so that a head of another colour is easily learnt."""

    device = torch.device("cpu")

    def levels(self, photos: Sequence[Pixels]) -> Levels:
        x = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1
        cells = torch.nn.functional.avg_pool2d(x, 16)
        fine = cells.repeat(1, 27, 1, 1)[:, :80]
        middle = cells.repeat(1, 38, 1, 1)[:, :112]
        coarse = torch.nn.functional.avg_pool2d(cells, 2).repeat(1, 108, 1, 1)[:, :322]
        return Levels(fine, middle, coarse)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Twelve photos of six turtles with boxes that were given: a drawn head on plain water each."""
    engine = Engine.load(options=EngineOptions(matcher=NEAREST))
    catalog = Catalog.create(tmp_path / "turtles.catalog", engine.recipe)
    rng = np.random.default_rng(0)
    sightings = []
    for number in range(12):
        pixels = np.full((448, 672, 3), (20, 90, 130), np.uint8)
        x, y = int(rng.integers(0, 400)), int(rng.integers(0, 200))
        pixels[y : y + 200, x : x + 250] = draw_head(number, 0, size=(250, 200))
        save(pixels, tmp_path / f"{number}.png")
        box = HeadBox(float(x), float(y), 250.0, 200.0)
        sightings.append(Sighting(str(tmp_path / f"{number}.png"), f"T{number % 6}", Side.LEFT, box=box))
    enroll(catalog, sightings, engine, "Ana")
    return catalog


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder at hand is untrained, sees colours and learns quickly."""
    torch.manual_seed(0)
    finder = SmallHeadFinder(Blocks(), [HeadNetwork()], "untrained", 0.5)  # type: ignore[arg-type]
    monkeypatch.setattr(SmallHeadFinder, "load", lambda *_: finder)
    monkeypatch.setattr(own_heads, "STEPS", 14)
    monkeypatch.setattr(own_heads, "RATE", 8e-3)
    monkeypatch.setattr(own_heads, "FOLDS", 2)


@pytest.mark.usefixtures("colours")
def test_boxes_teach_an_untrained_finder_and_what_is_kept_is_used_backed_up_and_undone(
    catalog: Catalog, tmp_path: Path
) -> None:
    report = train_detector(catalog, "Ana")
    assert (report.boxes, report.turtles) == (12, 6)
    assert report.replaced
    assert report.gain > report.error
    assert report.found_after > report.found_before
    assert not report.certified  # six turtles can promise nothing
    assert own_finder(catalog) == report.path
    assert report.path.parent == catalog.path / "models"
    assert not check_catalog(catalog).problems
    write_backup(catalog, tmp_path / "all.backup")
    again = restore_backup(tmp_path / "all.backup", tmp_path / "again.catalog")
    assert (own_finder(again) or Path()).read_bytes() == report.path.read_bytes()
    Curator(catalog, "Ana").undo()
    assert own_finder(catalog) is None


def test_few_boxes_or_turtles_are_too_few(catalog: Catalog) -> None:
    Curator(catalog, "Ana").remove_photos([one.id for one in Browser(catalog).photos()[:4]])
    with pytest.raises(InputError, match="8 head boxes of 6 turtles"):
        train_detector(catalog, "Ana")


def test_a_network_that_is_gone_or_changed_is_told(catalog: Catalog, tmp_path: Path) -> None:
    save_finder(tmp_path / "own.safetensors", [HeadNetwork()], 0.4, certified=False)
    kept = store_network(catalog, FINDER, tmp_path / "own.safetensors", "Ana")
    assert network_of(catalog, FINDER) == kept
    kept.write_bytes(b"changed")
    with pytest.raises(CatalogDamaged, match="digest"):
        own_finder(catalog)
    assert len(check_catalog(catalog).problems) == 1
    kept.unlink()
    with pytest.raises(CatalogDamaged, match="missing"):
        own_finder(catalog)


def test_a_chosen_finder_goes_before_the_own_one_until_it_is_taken_back(catalog: Catalog) -> None:
    remember_finder(catalog, "omdet-turbo", "Ana")
    assert finder_of(catalog) == "omdet-turbo"
    remember_finder(catalog, "own", "Ana")
    assert finder_of(catalog) is None


def judged(turtles: int, missed: Sequence[int]) -> tuple[Judged, np.ndarray]:
    """One photo a turtle, the surest first; those numbered in `missed` miss."""
    wrong = np.zeros(turtles, bool)
    wrong[list(missed)] = True
    return Judged(np.linspace(0.99, 0.1, turtles), wrong), np.arange(turtles)


def test_a_promise_needs_enough_turtles_without_misses() -> None:
    assert certified_threshold(*judged(31, []))[1] is False
    threshold, certified = certified_threshold(*judged(60, []))
    assert certified
    assert threshold == pytest.approx(0.1)
    threshold, certified = certified_threshold(*judged(60, range(40, 60)))
    assert certified
    assert threshold == pytest.approx(np.linspace(0.99, 0.1, 60)[39])
    assert certified_threshold(*judged(60, range(0, 60, 2)))[1] is False


def test_photos_of_one_turtle_promise_no_more_than_one() -> None:
    many, _ = judged(60, [])
    assert certified_threshold(many, np.arange(60) // 3)[1] is False


def test_a_promise_seldom_fails() -> None:
    """In drawn worlds where the accepted ones miss by (1 - threshold) / 10, so that 0.5 is the lowest right one."""
    rng = np.random.default_rng(1)
    promised, broken = 0, 0
    for _ in range(300):
        confidence = rng.uniform(size=120)
        missed = rng.uniform(size=120) < (1 - confidence) * 0.2
        threshold, certified = certified_threshold(Judged(confidence, missed), np.arange(120))
        promised += certified
        broken += certified and threshold < 0.5
    assert promised > 100
    assert broken / 300 < 0.2
