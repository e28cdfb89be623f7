"""New features and vectors are there at once or not at all, and what people said stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.catalog.browser import Browser
from index.catalog.catalog import VECTORS, Catalog
from index.catalog.maintenance import check_catalog, compact_catalog
from index.catalog.reindex import Reindexing
from index.curation.curator import Curator
from index.errors import CatalogDamaged, Conflict
from index.types import GalleryFilter, PreparedPhoto, Recipe, Side
from tests.index.making import DIMENSION, features, photo, vector

OTHER = Recipe("sift-128-480", "vlad-long", 2 * DIMENSION)
ALL = GalleryFilter(identified=False)


class Killed(BaseException):
    """Nothing may catch it, as nothing catches a power loss."""


def reread(seed: int) -> PreparedPhoto:
    """The same bytes as another recipe sees them."""
    return replace(photo(seed), features=features(seed, 128), vector=vector(seed, 2 * DIMENSION))


def replace_all(catalog: Catalog, seeds: list[int], fatal: str = "", recipe: Recipe = OTHER) -> None:
    def on_step(step: str) -> None:
        if step == fatal:
            raise Killed

    with catalog.writing("reindex"):
        work = Reindexing(catalog, recipe, on_step)
        for record in work.waiting():
            found = [seed for seed in seeds if photo(seed).sha256 == record.sha256]
            work.stage([reread(seed) if recipe == OTHER else photo(seed) for seed in found], [record.id] * len(found))
        work.switch("Ana", "better eyes")


def assert_made_with(catalog: Catalog, recipe: Recipe, seeds: list[int]) -> None:
    assert catalog.recipe == recipe
    photos = catalog.photos(ALL)
    assert [one.sha256 for one in photos] == [photo(seed).sha256 for seed in seeds]
    assert {len(found) for found in catalog.features(photos)} == {128 if recipe == OTHER else 64}
    assert {one.keypoints for one in photos} == {128 if recipe == OTHER else 64}
    for seed in seeds:
        (nearest,) = catalog.shortlist(vector(seed, recipe.dimension), 1, ALL).photos
        assert nearest.sha256 == photo(seed).sha256


@pytest.fixture
def three(catalog: Catalog) -> Catalog:
    catalog.enroll([photo(seed, "T001", side=Side.LEFT) for seed in (1, 2, 3)], "Ana")
    return catalog


def test_a_catalogue_changes_its_recipe_and_keeps_its_history(three: Catalog) -> None:
    Curator(three, "Ana").set_side([2], Side.RIGHT)
    before = Browser(three).turtles()
    replace_all(three, [1, 2, 3])
    assert_made_with(three, OTHER, [1, 2, 3])
    reopened = Catalog.open(three.path)
    assert_made_with(reopened, OTHER, [1, 2, 3])
    assert Browser(reopened).turtles() == before
    assert check_catalog(reopened).problems == check_catalog(reopened).repaired == ()
    with pytest.raises(Conflict, match="read the originals again"):
        Curator(reopened, "Ana").undo(4)
    Curator(reopened, "Ana").undo(3)  # from before the switch
    assert {one.side for one in reopened.photos(ALL)} == {Side.LEFT}
    assert_made_with(reopened, OTHER, [1, 2, 3])


@pytest.mark.parametrize("fatal", ["features staged", "switched"])
def test_a_kill_leaves_the_old_or_the_new_and_the_same_call_goes_on(three: Catalog, fatal: str) -> None:
    with pytest.raises(Killed):
        replace_all(three, [1, 2, 3], fatal)
    reopened = Catalog.open(three.path)
    assert_made_with(reopened, OTHER if fatal == "switched" else three.recipe, [1, 2, 3])
    reopened.enroll([reread(4) if fatal == "switched" else photo(4)], "Ana")
    replace_all(reopened, [1, 2, 3, 4])
    assert_made_with(Catalog.open(three.path), OTHER, [1, 2, 3, 4])


def test_what_was_staged_is_not_read_twice_and_compact_forgets_it(three: Catalog) -> None:
    with three.writing("reindex"):
        work = Reindexing(three, OTHER)
        work.stage([reread(1)], [1])
        assert [record.id for record in Reindexing(three, OTHER).waiting()] == [2, 3]
        assert three.feature_store.digests() == {photo(seed).sha256 for seed in (1, 2, 3)}
    compact_catalog(three, "Ana")
    with three.writing("reindex"):
        assert [record.id for record in Reindexing(three, OTHER).waiting()] == [1, 2, 3]


def test_a_photo_without_its_original_waits_unsearchable(three: Catalog) -> None:
    replace_all(three, [1, 3])
    assert_made_with(three, OTHER, [1, 3])
    assert Browser(three).turtle("T001").photos == 3
    [problem] = check_catalog(three).problems
    assert "2.jpg cannot be searched" in problem
    assert any("relocate" in sentence for sentence in three.summary().health)
    replace_all(three, [2])
    assert_made_with(three, OTHER, [1, 2, 3])
    assert three.summary().health == ()


def test_lost_features_are_read_again(three: Catalog) -> None:
    three.feature_store.delete({photo(2).sha256})
    with three.writing("reindex"):
        assert [record.id for record in Reindexing(three, three.recipe).waiting()] == [2]
    replace_all(three, [2], recipe=three.recipe)
    assert_made_with(three, three.recipe, [1, 2, 3])
    np.testing.assert_array_equal(three.vectors(three.photos(ALL))[1], vector(2))


def test_a_search_in_another_process_notices_the_switch(three: Catalog) -> None:
    same_length = replace(OTHER, dimension=DIMENSION)
    watching = Catalog.open(three.path)
    assert len(watching.shortlist(vector(1), 3, ALL).photos) == 3
    with three.writing("reindex"):
        work = Reindexing(three, same_length)
        work.stage([replace(reread(seed), vector=vector(seed + 50)) for seed in (1, 2, 3)], [1, 2, 3])
        work.switch("Ana")
    found = watching.shortlist(vector(51), 3, ALL)
    assert found.photos[0].sha256 == photo(1).sha256
    assert found.similarity[0] == pytest.approx(1.0)


def test_a_damaged_descriptor_is_named_and_waits_to_be_read_again(three: Catalog) -> None:
    catalog = three
    damaged = catalog.photos(ALL)[1]
    with catalog.writing("damage"), catalog.transaction("damage", "Ana") as transaction:
        transaction.run("UPDATE descriptors SET vector = '\\x00'::BLOB WHERE photo = ?", damaged.id)
    (catalog.path / VECTORS).unlink(missing_ok=True)
    again = Catalog.open(catalog.path)
    with pytest.raises(CatalogDamaged, match="descriptors of 1 photos are damaged; `turtleidx reindex`"):
        again.shortlist(vector(1), 1, ALL)
    assert [one.id for one in Reindexing(again, again.recipe).waiting()] == [damaged.id]
