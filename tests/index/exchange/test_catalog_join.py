"""A field copy comes back."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.catalog.reindex import Reindexing
from index.curation.curator import Curator
from index.errors import Conflict, RecipeMismatch, UnknownRecord
from index.exchange.catalog_differences import Difference
from index.exchange.catalog_join import BATCH, join
from index.exchange.retelling import PhotoChange, take_over
from index.exchange.shared_names import NameConflict, SharedPhotos
from index.types import BoxOrigin, GalleryFilter, HeadBox, PreparedPhoto, Side
from tests.index.making import RECIPE, day, features, grouped, photo, vector


def test_a_field_copy_comes_back_with_differences_shown(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A", taken_on=day(1)), photo(2, "B")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll(
        [photo(3, "A", taken_on=day(1), side=Side.LEFT, site="Reef"), photo(4, "Fresh", encounter="dusk")], "Ben"
    )
    Curator(field, "Ben").move_photos([2], "A")
    Curator(field, "Ben").note_turtle("B", "gone?")
    Curator(catalog, "Ana").set_side([1], Side.TOP)
    shown = join(catalog, field, "Ana", dry_run=True)
    assert len(Browser(catalog).photos()) == 2
    report = join(catalog, field, "Ana")
    assert report == dataclasses.replace(shown, event=report.event)
    assert (report.added, report.there, shown.event) == (2, 2, None)
    paths = [record.path for record in Browser(catalog).photos()]
    assert set(report.differences) == {
        Difference("turtle", "B", "note", "", "gone?"),
        Difference("photo", paths[1], "turtle", "B", "A"),
        Difference("photo", paths[0], "side", "top", ""),
    }
    joined = Browser(catalog).photo("3")
    assert (joined.turtle, joined.side, joined.site, joined.encounter) == ("A", Side.LEFT, "Reef", 1)
    assert Browser(catalog).photo("4").encounter_name == "dusk"
    assert catalog.shortlist(vector(4), 1, GalleryFilter()).photos[0].turtle == "Fresh"
    assert check_catalog(catalog).problems == ()
    assert join(catalog, field, "Ana").added == 0


def test_a_join_of_many_batches_is_one_event_and_one_undo_takes_it_back(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A", taken_on=day(1))], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll([photo(seed, "AB"[seed % 2], taken_on=day(seed % 3)) for seed in range(2, BATCH + 10)], "Ben")
    before = [*Browser(catalog).turtles(), *Browser(catalog).encounters(), *Browser(catalog).photos()]
    report = join(catalog, field, "Ana")
    assert report.added == BATCH + 8
    assert [event.action for event in Browser(catalog).history()[:2]] == ["join", "enroll"]
    assert len(Browser(catalog).encounters()) == 6
    assert len(catalog.features(catalog.photos(GalleryFilter()))) == BATCH + 9
    Curator(catalog, "Ana").undo(report.event)
    assert [*Browser(catalog).turtles(), *Browser(catalog).encounters(), *Browser(catalog).photos()] == before
    assert catalog.shortlist(vector(2), 1, GalleryFilter()).photos[0].turtle == "A"
    assert check_catalog(catalog).problems == ()
    assert join(catalog, field, "Ana").added == BATCH + 8
    assert check_catalog(catalog).problems == ()


def test_a_join_that_was_built_on_names_what_to_undo_first(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    field.enroll([photo(1, "A"), photo(2, "B")], "Ben")
    report = join(catalog, field, "Ana")
    Curator(catalog, "Ana").merge_turtles("A", {"B"})
    with pytest.raises(Conflict, match="merge turtles"):
        Curator(catalog, "Ana").undo(report.event)
    Curator(catalog, "Ana").undo()
    Curator(catalog, "Ana").undo(report.event)
    assert Browser(catalog).turtles() == []


def test_a_photo_that_one_side_removed_is_a_difference(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A"), photo(2, "A"), photo(3, "A")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    Curator(catalog, "Ana").remove_photos([1])
    Curator(field, "Ben").remove_photos([2])
    report = join(catalog, field, "Ana")
    paths = [record.path for record in Browser(catalog).photos()]
    assert (report.added, report.there, report.event) == (0, 1, None)
    assert [(one.key == paths[0], one.column, one.ours, one.theirs) for one in report.differences] == [
        (False, "removed", "yes", ""),
        (True, "removed", "", "yes"),
    ]


def test_new_turtles_come_with_what_is_known_about_them(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    field.enroll([photo(2, "F1", species="said by the photo"), photo(3, "F4")], "Ben")
    ben = Curator(field, "Ben")
    ben.note_turtle("F1", "tag no. 123")
    ben.species_turtle("F1", "Caretta")
    ben.tag_turtle("F1", add={"flipper"})
    ben.create_turtle("F2", note="seen from the boat")
    ben.create_turtle("F3", note="the same as A")
    ben.merge_turtles("A", {"F3"})
    ben.retire_turtle("F4")
    ben.tag_turtle("A", add={"scar"})
    before = Browser(catalog).turtles()
    shown = join(catalog, field, "Ana", dry_run=True)
    report = join(catalog, field, "Ana")
    assert report == dataclasses.replace(shown, event=report.event)
    assert (report.added, report.turtles) == (2, ("F1", "F2", "F3", "F4"))
    assert report.differences == (Difference("turtle", "A", "tags", "", "scar"),)
    ours = {turtle.id: turtle for turtle in Browser(catalog).turtles()}
    assert {name: one for name, one in ours.items() if name != "A"} == {
        turtle.id: turtle for turtle in Browser(field).turtles() if turtle.id != "A"
    }
    assert check_catalog(catalog).problems == ()
    again = join(catalog, field, "Ana")
    assert (again.event, again.added, again.turtles, again.differences) == (None, 0, (), report.differences)
    Curator(catalog, "Ana").undo(report.event)
    assert Browser(catalog).turtles() == before
    assert len(Browser(catalog).photos()) == 1
    assert check_catalog(catalog).problems == ()


def test_turtles_without_photos_join_by_themselves(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    Curator(field, "Ben").create_turtle("F2", "Caretta", "a carcass")
    report = join(catalog, field, "Ana")
    assert Browser(catalog).turtle("F2") == Browser(field).turtle("F2")
    Curator(catalog, "Ana").undo(report.event)
    assert Browser(catalog).turtles() == []


def test_an_id_that_stands_for_a_turtle_of_another_name_is_a_difference(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "A"), photo(2, "B")], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    Curator(field, "Ben").rename_turtle("B", "Nina")
    Curator(field, "Ben").note_turtle("Nina", "by the ferry")
    report = join(catalog, field, "Ana")
    assert (report.event, report.turtles) == (None, ())
    assert report.differences == (
        Difference("turtle", "Nina", "status", "", "active"),
        Difference("turtle", "Nina", "note", "", "by the ferry"),
        Difference("photo", Browser(catalog).photo("2").path, "turtle", "B", "Nina"),
    )
    Curator(catalog, "Ana").rename_turtle("B", "Nina")  # nothing is in the way of doing the same here
    assert join(catalog, field, "Ana").differences == (Difference("turtle", "Nina", "note", "", "by the ferry"),)


def test_photos_without_features_stay_and_are_named(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    field.enroll([photo(1, "F1"), photo(2, "F1")], "Ben")
    with field.writing("test"), field.transaction("lose", "Ben") as transaction:
        transaction.run("UPDATE photos SET keypoints = 0 WHERE id = 2")
        transaction.journal.put("settings", [{"name": "any", "value": "change"}])
    report = join(catalog, field, "Ana")
    assert (report.added, report.unread) == (1, (Browser(field).photo("2").path,))


def test_another_recipe_cannot_be_joined(catalog: Catalog, tmp_path: Path) -> None:
    other = Catalog.create(tmp_path / "other.catalog", dataclasses.replace(RECIPE, encoder="vlad-2"))
    with pytest.raises(RecipeMismatch):
        join(catalog, other, "Ana")


def two_laptops(catalog: Catalog, tmp_path: Path) -> Catalog:
    """Both give the next free id T002 to turtles of their own after the copy was made."""
    catalog.enroll([photo(1, "T001", taken_on=day(1))], "Ana")
    field = Catalog.open(Path(shutil.copytree(catalog.path, tmp_path / "field.catalog")))
    catalog.enroll([photo(2, "T002", taken_on=day(2))], "Ana")
    field.enroll([photo(3, "T002", taken_on=day(3)), photo(4, "T001"), photo(5, "T003")], "Ben")
    Curator(field, "Ben").note_turtle("T002", "Ben's own")
    return field


def test_one_id_without_a_photo_in_common_is_a_conflict(catalog: Catalog, tmp_path: Path) -> None:
    field = two_laptops(catalog, tmp_path)
    report = join(catalog, field, "Ana")
    assert report.conflicts == (NameConflict("T002", ours=1, theirs=1, belongs_to=()),)
    assert (report.added, report.turtles, report.differences) == (2, ("T003",), ())
    assert [one.sha256 for one in Browser(catalog).photos(turtle="T002")] == [photo(2).sha256]
    assert Browser(catalog).turtle("T002").note is None
    assert Browser(catalog).turtle("T001").photos == 2  # made before the copy: one turtle


def test_a_prefix_brings_ids_in_conflict_as_turtles_of_their_own_and_again(catalog: Catalog, tmp_path: Path) -> None:
    field = two_laptops(catalog, tmp_path)
    shown = join(catalog, field, "Ana", prefix="KEF-", dry_run=True)
    report = join(catalog, field, "Ana", prefix="KEF-")
    assert report == dataclasses.replace(shown, event=report.event)
    assert (report.conflicts, report.renamed, report.turtles) == ((), {"T002": "KEF-T002"}, ("KEF-T002", "T003"))
    assert Browser(catalog).turtle("KEF-T002").note == "Ben's own"
    again = join(catalog, field, "Ana", prefix="KEF-")
    assert (again.added, again.conflicts, again.shared, again.differences) == (0, (), (), ())
    plain = join(catalog, field, "Ana")
    assert [(one.column, one.ours, one.theirs) for one in plain.differences] == [("turtle", "KEF-T002", "T002")]
    field.enroll([photo(6, "T002")], "Ben")
    assert join(catalog, field, "Ana", dry_run=True).conflicts == (NameConflict("T002", 1, 1, ("KEF-T002",)),)
    assert join(catalog, field, "Ana", prefix="KEF-").added == 1
    assert Browser(catalog).turtle("KEF-T002").photos == 2


def test_a_person_may_say_that_one_id_is_one_turtle(catalog: Catalog, tmp_path: Path) -> None:
    field = two_laptops(catalog, tmp_path)
    with pytest.raises(UnknownRecord):
        join(catalog, field, "Ana", same=["T009"])
    assert join(catalog, field, "Ana", same=["T002"]).conflicts == ()
    assert Browser(catalog).turtle("T002").photos == 2


def test_a_prefix_that_gives_an_id_that_is_taken_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    field = two_laptops(catalog, tmp_path)
    Curator(catalog, "Ana").create_turtle("KEF-T002")
    with pytest.raises(Conflict, match="choose another --prefix"):
        join(catalog, field, "Ana", prefix="KEF-")
    assert len(Browser(catalog).photos()) == 2


def test_shared_photos_of_two_ids_are_told(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    catalog.enroll([photo(1, "t441"), photo(2, "t441")], "Ana")
    field.enroll([photo(1, "Maria"), photo(2, "Maria"), photo(3, "Maria")], "Ben")
    assert join(catalog, field, "Ana").shared == (SharedPhotos("Maria", "t441", 2, both_here=True),)
    Curator(catalog, "Ana").merge_turtles("t441", ["Maria"])
    assert join(catalog, field, "Ana").shared == ()


def test_unidentified_encounters_of_one_name_stay_two(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    catalog.enroll([photo(1, encounter="dusk")], "Ana")
    field.enroll([photo(2, encounter="dusk")], "Ben")
    join(catalog, field, "Ana")
    assert {one.name for one in Browser(catalog).encounters()} == {"dusk", "dusk (field)"}


BOX = HeadBox(0, 0, 100, 100)


def with_box(seed: int, box: HeadBox | None = BOX) -> PreparedPhoto:
    one = photo(seed, "A")
    origin = None if box is None else BoxOrigin.FOUND
    return dataclasses.replace(one, sighting=dataclasses.replace(one.sighting, box=box, box_origin=origin))


def retold(catalog: Catalog, number: str, box: HeadBox | None) -> None:
    record = Browser(catalog).photo(number)
    take_over(catalog, [PhotoChange(record, dataclasses.replace(record, box=box))], "Ben")


def unread(catalog: Catalog) -> list[str]:
    return [record.sha256 for record in Reindexing(catalog, RECIPE).waiting()]


def test_boxes_that_were_told_anew_and_not_read_yet_come_as_such(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    field.enroll([with_box(1), with_box(2), with_box(3, None), with_box(4)], "Ben")
    for number, box in (("1", HeadBox(700, 0, 50, 50)), ("2", None), ("3", BOX)):
        retold(field, number, box)
    report = join(catalog, field, "Ana")
    ours, theirs = Browser(catalog).photos(), Browser(field).photos()
    assert [(one.box, one.read_box, one.key, one.box_origin) for one in ours] == [
        (one.box, one.read_box, one.key, one.box_origin) for one in theirs
    ]
    assert unread(catalog) == unread(field) == [photo(seed).sha256 for seed in (1, 2, 3)]
    assert check_catalog(catalog).problems == ()
    assert join(catalog, field, "Ana").added == 0
    Curator(catalog, "Ana").undo(report.event)
    assert Browser(catalog).photos() == []


def test_what_further_extractors_found_in_head_boxes_comes_too(catalog: Catalog, tmp_path: Path) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    field.enroll([with_box(1)], "Ben")
    field.feature_store.second.put([(with_box(1).key, "other-64-480-v1", features(2))])
    join(catalog, field, "Ana")
    assert Catalog.open(catalog.path).feature_store.second.digests() == {"other-64-480-v1": {with_box(1).key}}


def before_head_boxes(catalog: Catalog) -> None:
    """The catalogue as it was brought up to date from a version that kept photos under the digests of their files."""
    store = catalog.feature_store
    with catalog.writing("test"), catalog.transaction("test", "Ana") as transaction:
        for one in Browser(catalog).photos():
            found, thumbnail = store.features([one.key])[0], store.thumbnail(one.key)
            assert found is not None
            assert thumbnail is not None
            store.put_query(one.sha256, found, thumbnail)
            for extractor, there in store.second.digests().items():
                further = store.second.get(extractor, one.key) if one.key in there else None
                store.second.put([] if further is None else [(one.sha256, extractor, further)])
        transaction.run("UPDATE photos SET sighting = sha256")


def test_photos_with_head_boxes_of_an_earlier_version_come_with_all_that_others_come_with(
    catalog: Catalog, tmp_path: Path
) -> None:
    field = Catalog.create(tmp_path / "field.catalog", RECIPE)
    field.enroll([with_box(1), with_box(2), with_box(3, None), photo(4, "B")], "Ben")
    field.feature_store.second.put([(with_box(1).key, "other-64-480-v1", features(2))])
    before_head_boxes(field)
    assert {one.key for one in Browser(field).photos()} == {photo(seed).sha256 for seed in (1, 2, 3, 4)}
    first, second, *_ = [one.id for one in Browser(field).encounters(turtle="A")]
    Curator(field, "Ben").merge_encounters(first, [second])
    join(catalog, field, "Ana")
    assert grouped(catalog) == grouped(field)
    assert Catalog.open(catalog.path).feature_store.second.digests() == {"other-64-480-v1": {with_box(1).key}}
    assert check_catalog(catalog).problems == ()
