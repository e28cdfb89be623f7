"""A sighting is a file, a head box and the reader that read it; each has its own turtle and its own records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.curation.curator import Curator
from index.errors import InputError
from index.exchange.catalog_join import join
from index.exchange.table_export import export_table
from index.exchange.table_import import import_table
from index.types import GalleryFilter, HeadBox, PreparedPhoto, sighting_key
from tests.index.making import RECIPE, day, photo

LEFT, RIGHT = HeadBox(0, 0, 900, 1000), HeadBox(1000, 0, 900, 1000)


def boxed(number: int, turtle: str | None, box: HeadBox | None, file: int = 1) -> PreparedPhoto:
    """The `number`-th head as it is found in a box of a file."""
    made = photo(number, turtle, taken_on=day(1))
    seen = replace(made.sighting, box=box, path=photo(file).sighting.path)
    return replace(made, sha256=photo(file).sha256, sighting=seen, original_size=(2000, 1000))


@pytest.fixture
def pair(catalog: Catalog) -> Catalog:
    catalog.enroll([boxed(1, "T8", LEFT), boxed(2, "T9", RIGHT), photo(3, "T1", taken_on=day(2))], "Ana")
    return catalog


def owners(catalog: Catalog) -> dict[HeadBox | None, str | None]:
    return {record.box: record.turtle for record in Browser(catalog).photos()}


def test_two_heads_of_one_file_are_two_photos_with_features_of_their_own(pair: Catalog) -> None:
    assert owners(pair) == {LEFT: "T8", RIGHT: "T9", None: "T1"}
    first, second, _ = pair.photos(GalleryFilter())
    assert first.sha256 == second.sha256
    assert first.key != second.key
    for one, made in ((first, boxed(1, None, LEFT)), (second, boxed(2, None, RIGHT))):
        [features] = pair.features([one])
        assert np.array_equal(features.xy, made.features.xy)
        assert pair.thumbnail(one) == made.thumbnail
    assert check_catalog(pair).problems == ()


def test_the_same_head_again_is_there_already_and_another_turtle_s_is_told_apart(pair: Catalog) -> None:
    again, moved, nobody = pair.enroll(
        [boxed(1, "T8", HeadBox(2, 1, 900, 1000)), boxed(1, "T7", LEFT), boxed(2, None, RIGHT)], "Ana"
    )
    assert [(one.already_there, one.elsewhere) for one in (again, moved, nobody)] == [
        *((True, False), (True, True), (True, False)),
    ]
    [whole] = pair.enroll([boxed(4, "T7", None)], "Ana")
    assert (whole.already_there, whole.elsewhere) == (True, True)
    assert len(Browser(pair).photos()) == 3


def test_heads_of_one_file_are_hidden_with_each_other(pair: Catalog) -> None:
    first, second, other = pair.photos(GalleryFilter())
    for one in (first, second):
        assert pair.photos(GalleryFilter(without_photo=one.id)) == [other]


def test_the_whole_photo_keeps_the_key_it_always_had() -> None:
    assert sighting_key("ab" * 32, None, 1) == "ab" * 32
    assert len({sighting_key("ab" * 32, box, reading) for box in (None, LEFT, RIGHT) for reading in (1, 2)}) == 6


def test_removing_restoring_and_compacting_one_head_leaves_the_other(pair: Catalog) -> None:
    curator = Curator(pair, "Ana")
    curator.remove_photos([1])
    assert [one.turtle for one in pair.photos(GalleryFilter())] == ["T9", "T1"]
    curator.restore_photos([1])
    curator.undo()
    [back] = pair.enroll([boxed(1, "T8", LEFT)], "Ana")
    assert back.photo.id == 1
    curator.remove_photos([2])
    compact_catalog(pair, "Ana")
    assert check_catalog(pair).problems == ()
    [features] = pair.features([photo for photo in pair.photos(GalleryFilter()) if photo.turtle == "T8"])
    assert len(features) == len(boxed(1, None, LEFT).features)


def test_an_export_comes_back_by_its_boxes(pair: Catalog, tmp_path: Path) -> None:
    export_table(pair, tmp_path / "out.csv", exact_locations=True)
    assert import_table(pair, tmp_path / "out.csv", "Ben").updated == 0
    text = (tmp_path / "out.csv").read_text().replace("T9", "T10")
    (tmp_path / "out.csv").write_text(text)
    assert import_table(pair, tmp_path / "out.csv", "Ben").updated == 1
    assert owners(pair) == {LEFT: "T8", RIGHT: "T10", None: "T1"}
    (tmp_path / "short.csv").write_text(f"sha256,site\n{photo(1).sha256},Reef\n{photo(3).sha256},Reef\n")
    [refused] = import_table(pair, tmp_path / "short.csv", "Ben").refused
    assert "several heads" in refused.reason


def test_a_file_with_several_heads_is_asked_for_by_number(pair: Catalog) -> None:
    with pytest.raises(InputError, match="1 and 2 among them: give a number"):
        Browser(pair).photo(photo(1).sha256[:12])


def test_both_heads_join(pair: Catalog, tmp_path: Path) -> None:
    main = Catalog.create(tmp_path / "main", RECIPE)
    main.enroll([boxed(1, "T8", LEFT)], "Ana")
    report = join(main, pair, "Ana")
    assert (report.added, report.there) == (2, 1)
    assert owners(main) == {LEFT: "T8", RIGHT: "T9", None: "T1"}
    assert check_catalog(main).problems == ()


def test_undated_photos_of_a_turtle_are_one_occasion_unless_they_are_named(catalog: Catalog) -> None:
    named = photo(5, "A", encounter="dive")
    catalog.enroll([photo(1, "A"), photo(2, "A"), photo(3, "B"), photo(4, "A", taken_on=day(1)), named], "Ana")
    photos = catalog.photos(GalleryFilter())
    first, second, other, dated, called = photos
    assert first.encounter != second.encounter
    assert first.occasion == second.occasion
    assert len({one.occasion for one in photos}) == 4
    hidden = catalog.photos(GalleryFilter(without_encounter=first.encounter))
    assert hidden == [other, dated, called]


def test_a_box_that_a_table_corrects_is_read_again(pair: Catalog, tmp_path: Path) -> None:
    from index.catalog.reindex import Reindexing

    table = tmp_path / "box.csv"
    table.write_text(f"sha256,x,y,w,h\n{photo(3).sha256},5,5,50,50\n")
    import_table(pair, table, "Ben")
    with pair.writing("reindex"):
        assert [record.id for record in Reindexing(pair, pair.recipe).waiting()] == [3]
    Curator(pair, "Ben").undo()
    with pair.writing("reindex"):
        assert Reindexing(pair, pair.recipe).waiting() == []


def test_a_photo_whose_metadata_alone_was_rewritten_is_the_same_picture(catalog: Catalog) -> None:
    first = replace(photo(1, "A"), content="c" * 64)
    rewritten = replace(photo(2, "A"), content="c" * 64)
    catalog.enroll([first], "Ana")
    [again] = catalog.enroll([rewritten], "Ana")
    assert (again.already_there, again.elsewhere, again.photo.id) == (True, False, 1)
    [other] = catalog.enroll([replace(rewritten, sighting=replace(rewritten.sighting, turtle="B"))], "Ana")
    assert (other.already_there, other.elsewhere) == (True, True)
    [new] = catalog.enroll([replace(photo(3, "B"), content="d" * 64)], "Ana")
    assert not new.already_there
