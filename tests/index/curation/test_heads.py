"""Head boxes that are set after enrolling: one event, taken back whole, and photos that wait for theirs."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog import Browser, Catalog, Reindexing, check_catalog, compact_catalog
from index.curation import Curator
from index.errors import CatalogBusy, Conflict
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


@pytest.mark.parametrize("asked_before", [False, True])
def test_the_same_box_again_changes_nothing(catalog: Catalog, asked_before: bool) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    curator = Curator(catalog, "Ana")
    assert curator.set_heads({2: drawn(2)}).event == 3
    for more in range(3):
        if asked_before:
            catalog.shortlist(drawn(2).vector, 5, GalleryFilter())
        assert curator.set_heads({2: drawn(2)}).event is None
        catalog.enroll([prepared(3 + more, "T001")], "Ana")
        found = [photo.id for photo in catalog.shortlist(drawn(2).vector, 9, GalleryFilter(), per_turtle=9).photos]
        assert found[0] == 2
        assert sorted(found) == list(range(1, 4 + more))
    assert check_catalog(Catalog.open(catalog.path)).repaired == ()


def test_the_same_box_is_read_where_it_was_not(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    curator, other = Curator(catalog, "Ana"), HeadBox(0.0, 0.0, 30.0, 30.0)
    curator.set_heads({2: drawn(2)})
    moved = replace(drawn(2, other), vector=prepared(700).vector)
    event = curator.set_heads({2: moved}).event
    compact_catalog(catalog, "Ana")
    curator.undo(event)  # the first box, of which nothing is kept
    assert Browser(catalog).photo("2").read_box == other
    catalog.shortlist(drawn(2).vector, 5, GalleryFilter())
    assert curator.set_heads({2: drawn(2)}).event is not None
    assert Browser(catalog).photo("2").read_box == BOX
    for asking in (catalog, Catalog.open(catalog.path)):
        found = asking.shortlist(drawn(2).vector, 5, GalleryFilter())
        assert [photo.id for photo in found.photos] == [2, 1]
        assert found.similarity[0] > 0.99
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


def test_a_photo_that_was_searched_before_it_came_to_wait_waits_in_a_joined_catalogue_too(
    catalog: Catalog, tmp_path: Path
) -> None:
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll([prepared(2, "T001")], "Ben")
    Curator(field, "Ben").set_heads({1: waiting(2)})
    assert join(catalog, field, "Ana").added == 1
    assert catalog.summary().waiting == 1
    assert numbers(catalog) == []
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


def test_after_compact_a_photo_whose_box_is_undone_waits_and_is_in_no_search(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), waiting(2)], "Ana")
    curator = Curator(catalog, "Ana")
    event = curator.set_heads({2: drawn(2)}).event
    compact_catalog(catalog, "Ana")
    back = curator.undo(event)
    assert [photo.id for photo in Browser(catalog).photos(no_head=True)] == [2]
    assert numbers(catalog) == [1]
    assert [photo.id for photo in catalog.shortlist(drawn(2).vector, 5, GalleryFilter()).photos] == [1]
    assert catalog.thumbnail(Browser(catalog).photo("2"))
    assert not check_catalog(Catalog.open(catalog.path)).problems
    assert Reindexing(catalog, catalog.recipe).waiting() == []
    curator.undo(back.event)
    assert Browser(catalog).photo("2").box == BOX
    assert numbers(catalog) == [1, 2]
    assert not check_catalog(catalog).problems


def test_a_photo_that_waits_and_is_searched_all_the_same_is_named(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001")], "Ana")
    with catalog.writing("test"), catalog.transaction("as earlier versions left it", "Ana") as transaction:
        transaction.run("UPDATE photos SET box_origin = 'missing'")
    [problem] = check_catalog(catalog).problems
    assert "waits for a head box and is searched all the same: draw its box" in problem


def test_compact_deletes_a_removed_photo_that_waited_for_good(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), waiting(2)], "Ana")
    curator = Curator(catalog, "Ana")
    event = curator.remove_photos([2]).event
    curator.restore_photos([2])
    assert catalog.thumbnail(Browser(catalog).photo("2"))
    curator.undo()
    compact_catalog(catalog, "Ana")
    with pytest.raises(Conflict, match="Photo 2 was deleted by `compact`"):
        curator.restore_photos([2])
    with pytest.raises(Conflict, match="Photo 2 was deleted by `compact`"):
        curator.undo(event)
    assert [outcome.already_there for outcome in catalog.enroll([waiting(2)], "Ana")] == [False]
    assert catalog.summary().waiting == 1
    assert not check_catalog(catalog).problems


def test_an_undone_enrolment_of_a_photo_that_waited_stays_undone_after_compact(catalog: Catalog) -> None:
    catalog.enroll([waiting(2)], "Ana")
    curator = Curator(catalog, "Ana")
    undone = curator.undo().event
    compact_catalog(catalog, "Ana")
    with pytest.raises(Conflict, match="Photo 1 was deleted by `compact`"):
        curator.undo(undone)


def test_a_photo_that_waits_again_under_another_number_is_not_restored_beside_it(catalog: Catalog) -> None:
    catalog.enroll([waiting(1)], "Ana")
    curator = Curator(catalog, "Ana")
    curator.remove_photos([1])
    catalog.enroll([waiting(1)], "Ana")
    with pytest.raises(Conflict, match="same head of the same file as photo 2"):
        curator.restore_photos([1])
    curator.remove_photos([2])
    curator.restore_photos([1])
    assert [photo.id for photo in Browser(catalog).photos(no_head=True)] == [1]
    with pytest.raises(Conflict, match="same head of the same file as photo 1"):
        curator.restore_photos([2])
    curator.remove_photos([1])
    with pytest.raises(Conflict, match="same head of the same file"):
        curator.restore_photos([1, 2])
    assert not check_catalog(catalog).problems


def test_a_removed_photo_that_is_enrolled_again_and_waits_leaves_nothing_of_itself_in_the_search(
    catalog: Catalog,
) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    curator = Curator(catalog, "Ana")
    curator.remove_photos([2])
    [outcome] = catalog.enroll([waiting(2)], "Ana")
    assert [photo.id for photo in Browser(catalog).photos(no_head=True)] == [outcome.photo.id]
    assert not check_catalog(catalog).problems
    curator.remove_photos([outcome.photo.id])
    curator.restore_photos([2])  # what was found in the whole photo is still there
    assert numbers(catalog) == [1, 2]
    assert not check_catalog(catalog).problems


def test_a_photo_that_was_searched_whole_and_was_made_to_wait_is_searched_again_after_undo(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001"), prepared(2, "T002")], "Ana")
    curator = Curator(catalog, "Ana")
    event = curator.set_heads({2: waiting(2)}).event
    assert numbers(catalog) == [1]
    curator.undo(event)
    assert numbers(catalog) == [1, 2]
    assert [len(found) for found in catalog.features(catalog.photos(GalleryFilter()))] == [64, 64]
    assert not check_catalog(catalog).problems


def test_a_box_is_not_drawn_while_another_writes(catalog: Catalog) -> None:
    catalog.enroll([prepared(1, "T001")], "Ana")
    before = catalog.feature_store.digests()
    other = Catalog.open(catalog.path)
    with ThreadPoolExecutor(1) as another, catalog.writing("compact"):
        drawing = another.submit(Curator(other, "Ben").set_heads, {1: drawn(1)})
        with pytest.raises(CatalogBusy):
            drawing.result()
        assert catalog.feature_store.digests() == before
