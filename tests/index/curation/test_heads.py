"""Head boxes that are set after enrolling: one event, taken back whole, and photos that wait for theirs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from index.catalog import Browser, Catalog, Reindexing, check_catalog, compact_catalog
from index.curation import Curator
from index.exchange import import_table, join
from index.types import BoxOrigin, GalleryFilter, HeadBox, LocalFeatures, PreparedPhoto, Side
from tests.index.making import photo as prepared

BOX = HeadBox(10.0, 20.0, 60.0, 40.0)


def waiting(number: int) -> PreparedPhoto:
    """A photo in which no head was found."""
    photo = prepared(number, "T001")
    nothing = LocalFeatures(
        xy=np.zeros((0, 2), np.float32),
        scale=np.zeros(0, np.float32),
        orientation=np.zeros(0, np.float32),
        descriptors=photo.features.descriptors[:0],
        size=photo.features.size,
    )
    seen = replace(photo.sighting, box_origin=BoxOrigin.MISSING, box_confidence=0.2)
    return replace(photo, sighting=seen, features=nothing, vector=np.zeros_like(photo.vector))


def drawn(number: int, box: HeadBox = BOX) -> PreparedPhoto:
    """The same photo, read within the box that a person drew."""
    photo = prepared(number, "T001")
    seen = replace(photo.sighting, box=box, box_origin=BoxOrigin.PERSON, side=Side.RIGHT)
    return replace(photo, sighting=seen, vector=prepared(number + 500, "T001").vector)


def numbers(catalog: Catalog) -> list[int]:
    """Photos that searches see."""
    return [photo.id for photo in catalog.photos(GalleryFilter())]


def test_a_photo_without_a_head_waits_and_is_searched_once_its_box_is_drawn(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), waiting(2)], "Ana")
    assert numbers(catalog) == [1]
    assert [photo.id for photo in Browser(catalog).photos(no_head=True)] == [2]
    assert catalog.summary().waiting == 1
    assert not check_catalog(catalog).problems
    done = Curator(catalog, "Ana", "looked").set_heads({2: drawn(2)})
    assert done.event is not None
    assert numbers(catalog) == [1, 2]
    record = Browser(catalog).photo("2")
    assert (record.box, record.box_origin, record.side) == (BOX, BoxOrigin.PERSON, Side.RIGHT)
    assert record.keypoints == len(drawn(2).features)
    assert len(catalog.features(catalog.photos(GalleryFilter()))) == 2
    assert catalog.summary().waiting == 0
    assert not check_catalog(catalog).problems


def test_undo_makes_it_wait_again_and_undoing_that_brings_the_box_back(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), waiting(2)], "Ana")
    curator = Curator(catalog, "Ana")
    event = curator.set_heads({2: drawn(2)}).event
    back = curator.undo(event)
    record = Browser(catalog).photo("2")
    assert (record.box, record.box_origin, record.box_confidence) == (None, BoxOrigin.MISSING, 0.2)
    assert record.side == waiting(2).sighting.side
    assert numbers(catalog) == [1]
    assert not check_catalog(catalog).problems
    curator.undo(back.event)
    assert Browser(catalog).photo("2").box == BOX
    assert numbers(catalog) == [1, 2]


def test_a_changed_box_replaces_the_vector_and_undo_restores_it(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    [_, before] = catalog.photos(GalleryFilter())
    vector = catalog.vectors([before])[0]
    event = Curator(catalog, "Ana").set_heads({2: drawn(2)}).event
    [_, after] = catalog.photos(GalleryFilter())
    assert after.key != before.key
    assert not np.allclose(catalog.vectors([after])[0], vector)
    found = catalog.shortlist(drawn(2).vector, 1, GalleryFilter())
    assert found.photos[0].id == 2
    assert found.similarity[0] > 0.99
    Curator(catalog, "Ana").undo(event)
    [_, again] = catalog.photos(GalleryFilter())
    assert again == before
    assert np.allclose(catalog.vectors([again])[0], vector)
    assert np.allclose(Catalog.open(catalog.path).shortlist(vector, 1, GalleryFilter()).similarity, 1, atol=1e-3)
    assert not check_catalog(catalog).problems


def test_a_changed_box_makes_the_model_stale_until_the_next_fit(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    catalog.save_model("novelty", "a recipe", "{}", "Ana")
    event = Curator(catalog, "Ana").set_heads({2: drawn(2)}).event
    assert any("stale" in sentence for sentence in catalog.summary().health)
    catalog.save_model("novelty", "a recipe", "{}", "Ana")
    assert not any("stale" in sentence for sentence in catalog.summary().health)
    Curator(catalog, "Ana").undo(event)
    assert any("stale" in sentence for sentence in catalog.summary().health)


def test_after_compact_an_undone_box_waits_for_reindex(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    event = Curator(catalog, "Ana").set_heads({2: drawn(2)}).event
    compact_catalog(catalog, "Ana")
    Curator(catalog, "Ana").undo(event)
    record = Browser(catalog).photo("2")
    assert record.box is None
    assert record.read_box == BOX


def test_photos_that_wait_come_with_a_field_copy(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([prepared(1, "T001")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll([prepared(3, "T002"), waiting(2)], "Ben")
    assert join(catalog, field, "Ana").added == 2
    assert [photo.path for photo in Browser(catalog).photos(no_head=True)] == [Browser(field).photo("3").path]
    assert numbers(catalog) == [1, 2]
    assert not check_catalog(catalog).problems


def test_a_table_that_gives_a_waiting_photo_its_box_ends_the_wait(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([prepared(1, "T001"), waiting(2)], "Ana")
    table = tmp_path / "boxes.csv"
    table.write_text(f"sha256,x,y,w,h\n{waiting(2).sha256},10,20,60,40\n")
    import_table(catalog, table, "Ana")
    record = Browser(catalog).photo("2")
    assert (record.box, record.box_origin, record.box_confidence) == (BOX, BoxOrigin.GIVEN, None)
    assert [one.id for one in Reindexing(catalog, catalog.recipe).waiting()] == [2]


def test_a_dry_run_changes_nothing(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001")], "Ana")
    report = Curator(catalog, "Ana", dry_run=True).set_heads({1: drawn(1)})
    assert report.event is None
    assert report.changes
    assert Browser(catalog).photo("1").box is None
    assert not check_catalog(catalog).repaired
