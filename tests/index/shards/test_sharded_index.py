"""A search over shards finds what a search over the whole catalogue finds, bit for bit, however it is divided."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from index.catalog.catalog import Catalog
from index.shards.sharded_index import ShardedIndex
from index.shards.sharding import shard_catalog
from index.types import Descriptor, GalleryFilter, Recipe, Shortlist, Side
from tests.index.making import day, vector
from tests.index.shards.local import VECTORS, VOTES, LocalShards, change_something, prepared, signature

pytestmark = pytest.mark.whole

filters = st.builds(
    GalleryFilter,
    side=st.sampled_from([None, Side.LEFT, Side.RIGHT, Side.TOP]),
    taken_from=st.sampled_from([None, day(3)]),
    identified=st.booleans(),
    without_turtle=st.sampled_from([None, "T001", "unknown"]),
    without_encounter=st.sampled_from([None, 1, 2]),
    without_photo=st.sampled_from([None, 1, 5]),
)


def told(found: Shortlist) -> tuple[object, ...]:
    return (
        [photo.id for photo in found.photos],
        found.similarity.tobytes(),
        found.turtle_photos.tolist(),
        (found.gallery_photos, found.gallery_turtles, found.catalogued_turtles, found.unreachable_photos),
    )


@settings(max_examples=10)
@given(
    recipe=st.sampled_from([VECTORS, VOTES]),
    shards=st.integers(1, 7),
    photos=st.integers(2, 40),
    later=st.integers(0, 6),
    changes=st.lists(st.integers(0, 999), max_size=4),
    brought_up_to_date=st.booleans(),
    searches=st.lists(st.tuples(filters, st.integers(1, 50), st.integers(1, 4), st.integers(0, 99)), min_size=3),
)
def test_the_shortlist_is_that_of_the_whole(
    recipe: Recipe,
    shards: int,
    photos: int,
    later: int,
    changes: list[int],
    brought_up_to_date: bool,
    searches: list[tuple[GalleryFilter, int, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.create(Path(folder) / "turtles.catalog", recipe)
        catalog.enroll([prepared(seed, recipe) for seed in range(photos)], "Ana")
        shard_catalog(catalog, Path(folder) / "shards", shards)
        catalog.enroll([prepared(seed, recipe) for seed in range(photos, photos + later)], "Ana")
        with catalog.reading() as session:
            turtles = session.number("SELECT count(*) FROM turtles WHERE status = 'active'")
        for seed in changes if turtles > 6 else ():
            change_something(catalog, seed)
        if brought_up_to_date:
            shard_catalog(catalog, Path(folder) / "shards")
        local = LocalShards(Path(folder) / "shards", recipe)
        index = ShardedIndex(catalog, local, local.held())
        for where, k, per_turtle, seed in searches:
            query: Descriptor = signature(seed) if recipe.votes else vector(seed)
            expected = catalog.shortlist(query, k, where, per_turtle)
            found = catalog.shortlist(query, k, where, per_turtle, index.without(()))
            assert told(found) == told(expected)
        assert index.newer() == (0 if brought_up_to_date else later)


@pytest.mark.parametrize("recipe", [VECTORS, VOTES], ids=["vectors", "votes"])
def test_a_shard_out_of_reach_is_counted_and_the_others_answer(tmp_path: Path, recipe: Recipe) -> None:
    catalog = Catalog.create(tmp_path / "turtles.catalog", recipe)
    catalog.enroll([prepared(seed, recipe) for seed in range(40)], "Ana")
    shard_catalog(catalog, tmp_path / "shards", 3)
    local = LocalShards(tmp_path / "shards", recipe)
    index = ShardedIndex(catalog, local, local.held())
    where = GalleryFilter()
    query: Descriptor = signature(7) if recipe.votes else vector(7)
    whole, found = catalog.shortlist(query, 40, where), catalog.shortlist(query, 40, where, 3, index.without([1]))
    away = set(local.shards[1].members().ids.tolist())
    assert [one.id for one in found.photos] == [one.id for one in whole.photos if one.id not in away]
    assert found.unreachable_photos == len(away & {one.id for one in catalog.photos(where)}) > 0
    assert found.gallery_photos == whole.gallery_photos - found.unreachable_photos
    assert found.gallery_turtles < whole.gallery_turtles == found.catalogued_turtles == whole.catalogued_turtles
    assert told(catalog.shortlist(query, 40, where, 3, index.without([]))) == told(whole)


def test_a_photo_in_two_shards_is_found_once(tmp_path: Path) -> None:
    """As a crash between two shards leaves it."""
    catalog = Catalog.create(tmp_path / "turtles.catalog", VECTORS)
    catalog.enroll([prepared(seed, VECTORS) for seed in range(30)], "Ana")
    shard_catalog(catalog, tmp_path / "shards", 2)
    local = LocalShards(tmp_path / "shards", VECTORS)
    with catalog.reading() as session:
        shard = local.shards[0]
        everything = np.concatenate([one.members().ids for one in local.shards])
        for ids, vectors in shard.descriptors(session, np.sort(everything)):
            fresh = ~np.isin(ids, shard.members().ids)
            local._indexes[0].add(ids[fresh], vectors[fresh])
    index = ShardedIndex(catalog, local, local.held())
    for seed in range(5):
        expected = catalog.shortlist(vector(seed), 20, GalleryFilter(identified=False))
        found = catalog.shortlist(vector(seed), 20, GalleryFilter(identified=False), 3, index.without(()))
        assert [one.id for one in found.photos] == [one.id for one in expected.photos]
