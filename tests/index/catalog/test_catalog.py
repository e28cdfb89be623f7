"""The folder a user owns: enrolling, searching, identifying, and what others are told."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.errors import (
    CatalogDamaged,
    CatalogExists,
    CatalogMissing,
    CatalogTooNew,
    Conflict,
    InputError,
    RecipeMismatch,
    UnknownRecord,
)
from index.types import GalleryFilter, Side
from tests.index.making import RECIPE, day, features, photo, vector

ALL = GalleryFilter(identified=False)


def test_enrolled_photos_come_back_whole(catalog: Catalog) -> None:
    outcomes = catalog.enroll([photo(1, "T001", side=Side.LEFT, taken_on=day(1)), photo(2)], "Ana")
    known, unknown = (outcome.photo for outcome in outcomes)
    assert not any(outcome.already_there for outcome in outcomes)
    assert (known.turtle, known.side, known.taken_on, known.keypoints) == ("T001", Side.LEFT, day(1), 64)
    assert unknown.turtle is None
    assert catalog.photos(ALL) == [known, unknown]
    np.testing.assert_array_equal(catalog.vectors([unknown, known]), np.stack([vector(2), vector(1)]))
    np.testing.assert_array_equal(catalog.features([known])[0].descriptors, features(1).descriptors)
    assert catalog.thumbnail(unknown) == photo(2).thumbnail


def test_the_same_bytes_are_enrolled_once(catalog: Catalog) -> None:
    first = catalog.enroll([photo(1, "T001"), photo(1, "T002")], "Ana")
    again = catalog.enroll([photo(1, "T003"), photo(2, "T003")], "Ana")
    assert [outcome.already_there for outcome in first + again] == [False, True, True, False]
    assert first[0].photo == first[1].photo == again[0].photo
    assert [turtle.id for turtle in Browser(catalog).turtles()] == ["T001", "T003"]


def test_nothing_new_is_no_event(catalog: Catalog) -> None:
    catalog.enroll([photo(1)], "Ana")
    before = Browser(catalog).history()
    catalog.enroll([photo(1)], "Ana")
    assert Browser(catalog).history() == before
    assert (before[0].action, before[0].who) == ("enroll", "Ana")


def test_a_second_process_sees_what_the_first_enrolled(catalog: Catalog) -> None:
    other = Catalog.open(catalog.path)
    assert other.photos(ALL) == []
    catalog.enroll([photo(1, "T001")], "Ana")
    assert other.shortlist(vector(1), 5, ALL).photos == tuple(catalog.photos(ALL))
    other.enroll([photo(2, "T001")], "Ben")
    assert len(catalog.shortlist(vector(1), 5, ALL).photos) == 2


def test_one_turtle_on_one_day_is_one_encounter(catalog: Catalog) -> None:
    batch = [photo(1, "T001", taken_on=day(1)), photo(2, "T001", taken_on=day(1)), photo(3, "T001", taken_on=day(2))]
    other = [photo(4, "T002", taken_on=day(1)), photo(5, "T001"), photo(6, "T001"), photo(7, taken_on=day(1))]
    named = [photo(8, "T001", taken_on=day(1), encounter="dusk"), photo(9, "T001", taken_on=day(2), encounter="dusk")]
    catalog.enroll(batch, "Ana")
    catalog.enroll([*other, *named, photo(10, taken_on=day(1)), photo(11, "T001", taken_on=day(1))], "Ana")
    found = {int(p.path.rsplit("/")[-1][:-4]): p.encounter for p in catalog.photos(ALL)}
    groups = {frozenset(n for n in found if found[n] == number) for number in found.values()}
    assert groups == {frozenset(group) for group in ({1, 2, 11}, {3}, {4}, {5}, {6}, {7}, {8, 9}, {10})}


def test_a_turtle_tells_what_its_photos_add_up_to(catalog: Catalog) -> None:
    catalog.enroll(
        [
            photo(1, "T001", taken_on=day(9), side=Side.LEFT, species="Chelonia mydas"),
            photo(2, "T001", taken_on=day(2), side=Side.TOP),
            photo(3, "T001"),
        ],
        "Ana",
    )
    turtle = Browser(catalog).turtle("T001")
    assert (turtle.photos, turtle.encounters, turtle.species) == (3, 3, "Chelonia mydas")
    assert (turtle.first_seen, turtle.last_seen) == (day(2), day(9))
    assert turtle.sides == {Side.LEFT, Side.TOP}
    assert [encounter.day for encounter in Browser(catalog).encounters(turtle="T001")] == [day(2), day(9), None]


def test_next_id_follows_the_largest_of_its_form(catalog: Catalog) -> None:
    assert catalog.next_turtle_id() == "T001"
    for name in ("T009", "Tortuga", "T1", "T0100", "x-T999"):
        Curator(catalog, "Ana").create_turtle(name)
    assert catalog.next_turtle_id() == "T101"


def test_a_taken_or_impossible_id_is_refused(catalog: Catalog) -> None:
    curator = Curator(catalog, "Ana")
    curator.create_turtle("Ñandú'; DROP TABLE turtles; --", note="old friend")
    with pytest.raises(Conflict, match="already"):
        curator.create_turtle("Ñandú'; DROP TABLE turtles; --")
    for name in ("", " T1", "T1\n", "x" * 121):
        with pytest.raises(InputError):
            curator.create_turtle(name)
    assert [turtle.note for turtle in Browser(catalog).turtles()] == ["old friend"]


def test_moving_a_photo_makes_its_turtle_and_its_encounter(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "T001", taken_on=day(1)), photo(2, taken_on=day(1)), photo(3)], "Ana")
    curator = Curator(catalog, "Ben")
    curator.move_photos([2], "T001")
    curator.move_photos([3], "T002")
    first, second, third = catalog.photos(ALL)
    assert (second.turtle, second.encounter, third.turtle) == ("T001", first.encounter, "T002")
    assert [turtle.photos for turtle in Browser(catalog).turtles()] == [2, 1]
    assert catalog.summary().unidentified == 0
    assert len(Browser(catalog).encounters()) == 2
    with pytest.raises(UnknownRecord):
        curator.move_photos([99], "T001")


def test_models_settings_and_pairs_are_kept(catalog: Catalog) -> None:
    catalog.save_model("null", "nn-1", '{"a": 1}', "Ana")
    catalog.save_model("null", "nn-1", '{"a": 2}', "Ana")
    catalog.set_setting("prior", "0.1", "Ana")
    a, b = photo(1).sha256, photo(2).sha256
    catalog.pair_cache("nn-1").put([(a, b)], [np.array([0.5, 0.0, 0.25], np.float32)])
    reopened = Catalog.open(catalog.path)
    model = reopened.model("null")
    assert model is not None
    assert (model.payload, model.recipe) == ('{"a": 2}', "nn-1")
    assert reopened.model("novelty") is None
    assert reopened.setting("prior") == "0.1"
    (found, none) = reopened.pair_cache("nn-1").get([(b, a), (a, a)])
    np.testing.assert_array_equal(found, np.array([0.0, 0.25, 0.5], np.float32))
    assert none is None
    assert reopened.pair_cache("nn-2").get([(a, b)]) == [None]


def test_the_summary_counts(catalog: Catalog) -> None:
    catalog.enroll([photo(1, "T001", side=Side.LEFT), photo(2, side=Side.RIGHT), photo(3)], "Ana")
    summary = catalog.summary()
    assert (summary.photos, summary.turtles, summary.encounters, summary.unidentified) == (3, 1, 3, 2)
    assert (summary.left, summary.right, summary.unsided) == (1, 1, 1)
    assert min(summary.registry_bytes, summary.features_bytes, summary.vectors_bytes) > 0
    assert summary.health == ()


def test_a_moved_folder_still_works(catalog: Catalog, tmp_path: Path) -> None:
    catalog.enroll([photo(1, "T001")], "Ana")
    moved = tmp_path / "elsewhere" / "renamed.catalog"
    moved.parent.mkdir()
    shutil.move(catalog.path, moved)
    assert len(Catalog.open(moved).shortlist(vector(1), 1, ALL).photos) == 1


def test_a_catalogue_is_not_made_over_something_else(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(CatalogExists):
        Catalog.create(catalog.path, RECIPE)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CatalogExists, match="is a file"):
        Catalog.create(tmp_path / "notes.txt", RECIPE)
    (tmp_path / "empty").mkdir()
    assert Catalog.create(tmp_path / "empty", RECIPE).photos(ALL) == []


def test_a_missing_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogMissing, match=r"nothing\.catalog"):
        Catalog.open(tmp_path / "nothing.catalog")


def test_another_recipe_is_refused_with_the_way_out(catalog: Catalog) -> None:
    catalog.require(RECIPE)
    with pytest.raises(RecipeMismatch, match="turtleidx reindex"):
        catalog.require(dataclasses.replace(RECIPE, encoder="vlad-2"))


def test_a_newer_schema_is_refused(catalog: Catalog) -> None:
    with duckdb.connect(str(catalog.path / "registry.duckdb")) as connection:
        connection.execute("INSERT INTO migrations VALUES (999, now()::TIMESTAMP)")
    with pytest.raises(CatalogTooNew, match="update turtleidx"):
        Catalog.open(catalog.path)


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_a_damaged_registry_is_named(catalog: Catalog, content: bytes) -> None:
    (catalog.path / "registry.duckdb").write_bytes(content)
    with pytest.raises(CatalogDamaged, match=r"registry\.duckdb"):
        Catalog.open(catalog.path)


def test_a_truncated_registry_is_named(catalog: Catalog) -> None:
    catalog.enroll([photo(n, "T001") for n in range(20)], "Ana")
    path = catalog.path / "registry.duckdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(CatalogDamaged, match=r"registry\.duckdb"):
        Catalog.open(catalog.path).photos(ALL)


def test_another_database_is_not_a_catalogue(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "registry.duckdb")) as connection:
        connection.execute("CREATE TABLE fish (name VARCHAR)")
    with pytest.raises(CatalogDamaged):
        Catalog.open(tmp_path)
