"""Photos on their way into a catalogue: order, bounded look-ahead, refusals, and what learned extractors get."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.errors import PhotoRefused, TooFewKeypoints, WeightsUnavailable
from index.exchange.manifest import RefusedRow
from index.types import LocalFeatures, Sighting
from retrieval.engine.engine import Engine, Extracted
from retrieval.engine.options import EngineOptions
from retrieval.features.extractor import Found
from retrieval.features.sift import SiftExtractor
from retrieval.images.pictures import save
from retrieval.parallel import one_ahead
from retrieval.pipeline.intake import BATCH, enroll, prepared
from synthetic.heads import draw_head


class BatchedSift(SiftExtractor):
    """SIFT that wants batches, as learned extractors do, and remembers how large they were."""

    batch = 8

    def __init__(self) -> None:
        super().__init__(64, 128)
        self.seen: list[int] = []

    def extract_batch(self, photos: Sequence[np.ndarray]) -> list[Found]:
        self.seen.append(len(photos))
        return super().extract_batch(photos)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(options=EngineOptions(extractor="sift-64-128", matcher="nearest"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos")
    for number in range(3):
        save(draw_head(number, 0, size=(128, 96)), path / f"{number}.png")
    save(np.full((96, 128, 3), 90, np.uint8), path / "flat.png")
    (path / "text.png").write_bytes(b"no photo")
    return path


def rows(folder: Path) -> list[Sighting | RefusedRow]:
    names = ("0.png", "flat.png", "1.png", "text.png", "none.png", "0.png", "2.png")
    return [RefusedRow(2, "x.png", "line 2 is odd.", {}), *(Sighting(str(folder / name)) for name in names)]


@pytest.mark.parametrize("batched", [False, True])
def test_good_photos_are_prepared_in_order_and_bad_ones_refused(
    engine: Engine, folder: Path, tmp_path: Path, batched: bool
) -> None:
    extractor = BatchedSift() if batched else engine.extractor
    catalog = Catalog.create(tmp_path / "x.catalog", engine.recipe)
    [batch] = prepared(catalog, rows(folder), replace(engine, extractor=extractor))
    assert [Path(one.sighting.path).name for one in batch.photos] == ["0.png", "1.png", "0.png", "2.png"]
    assert [Path(one.path).name for one in batch.refused] == ["x.png", "none.png", "flat.png", "text.png"]
    assert batch.size == 8
    assert all(one.thumbnail and 0 < one.quality <= 1 for one in batch.photos)
    if isinstance(extractor, BatchedSift):
        assert extractor.seen == [5]


def test_a_batch_and_a_single_photo_give_the_same(engine: Engine, folder: Path) -> None:
    sightings = [Sighting(str(folder / f"{number}.png")) for number in range(3)]
    with ThreadPoolExecutor(2) as cores:
        together = engine.extract_batch(sightings, cores.map)
    for sighting, one in zip(sightings, together, strict=True):
        assert isinstance(one, Extracted)
        alone = engine.extract(sighting)
        assert np.array_equal(alone.features.descriptors, one.features.descriptors)
        assert (alone.thumbnail, alone.quality) == (one.thumbnail, one.quality)
    with pytest.raises(TooFewKeypoints, match=r"flat\.png cannot be compared"):
        engine.extract(Sighting(str(folder / "flat.png")))
    [refusal] = engine.extract_batch([Sighting(str(folder / "text.png"))])
    assert isinstance(refusal, PhotoRefused)


def test_rows_are_read_only_a_few_batches_ahead_of_what_is_written(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    taken = 0

    def endless() -> Iterator[Sighting]:
        nonlocal taken
        for taken in range(1, 100 * BATCH):  # noqa: B007
            yield Sighting(str(folder / "none.png"))

    catalog = Catalog.create(tmp_path / "x.catalog", engine.recipe)
    batches = prepared(catalog, endless(), engine)
    for written in range(1, 4):
        assert next(batches).size == BATCH
        assert taken <= (written + 3) * BATCH
    batches.close()


def test_many_photos_take_no_more_memory_than_few(engine: Engine, folder: Path, tmp_path: Path) -> None:
    catalog = Catalog.create(tmp_path / "x.catalog", engine.recipe)

    def peak(photos: int) -> int:
        tracemalloc.start()
        rows = (Sighting(str(folder / f"{row % 3}.png"), turtle=f"T{row % 3}") for row in range(photos))
        report = enroll(catalog, rows, engine, "Ana")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(report.enrolled) + len(report.already_there) == photos
        return most

    peak(BATCH)  # what is loaded once
    few = peak(3 * BATCH)
    assert peak(13 * BATCH) < few + 300 * 10 * BATCH  # a photo as the registry holds it has about 600 bytes


def test_one_ahead_keeps_the_order_and_works_while_the_caller_does() -> None:
    started = [threading.Event() for _ in range(5)]

    def work(number: int) -> int:
        started[number].set()
        return number * number

    results = one_ahead(work, range(5))
    assert next(results) == 0
    assert started[1].wait(5)
    assert not started[3].is_set()
    assert list(results) == [1, 4, 9, 16]


def test_weights_that_are_missing_stop_the_enrolment_with_their_sentence(
    engine: Engine, folder: Path, tmp_path: Path
) -> None:
    class Absent(BatchedSift):
        def extract_batch(self, photos: Sequence[np.ndarray]) -> list[LocalFeatures | TooFewKeypoints]:
            raise WeightsUnavailable(f"the weights for {len(photos)} photos are elsewhere.")

    catalog = Catalog.create(tmp_path / "x.catalog", engine.recipe)
    with pytest.raises(WeightsUnavailable, match="5 photos are elsewhere"):
        enroll(catalog, rows(folder), replace(engine, extractor=Absent()), "Ana")
    assert catalog.summary().photos == 0
