"""Shards follow the registry, whatever was changed, and what is lost of one is made again."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.catalog.maintenance import compact_catalog
from index.curation.curator import Curator
from index.errors import CatalogDamaged, CatalogMissing, InputError, OutputTaken, RecipeMismatch
from index.shards.assignment import read_assignment, shard_of
from index.shards.checking import check_shards
from index.shards.manifest import ShardManifest
from index.shards.shard import Shard
from index.shards.sharding import restore_features, shard_catalog
from index.types import BoxOrigin, GalleryFilter, HeadBox, Recipe, Side
from tests.index.shards.local import VECTORS, VOTES, change_something, prepared

pytestmark = pytest.mark.whole

ALL = GalleryFilter(identified=False)


def made(folder: Path, recipe: Recipe, photos: int = 40) -> Catalog:
    catalog = Catalog.create(folder / "turtles.catalog", recipe)
    catalog.enroll([prepared(seed, recipe) for seed in range(photos)], "Ana")
    return catalog


def shards_in(folder: Path, recipe: Recipe) -> list[Shard]:
    return [Shard(folder, number, recipe) for number in range(ShardManifest.read(folder).shards)]


def assert_right(catalog: Catalog, folder: Path) -> None:
    """Each shard holds whole individuals, what belongs there and nothing else, and its records are those enrolled."""
    shards = shards_in(folder, catalog.recipe)
    with catalog.reading() as session:
        assignment = read_assignment(session, len(shards))
        rows = session.rows(
            "SELECT p.id, coalesce(2 * e.turtle, 2 * e.id + 1) FROM photos p JOIN encounters e ON e.id = p.encounter"
        )
    individual = {int(number): int(whose) for number, whose in rows}
    owner: dict[int, int] = {}
    for shard in shards:
        members, wanted = shard.members(), assignment.of(shard.number)
        assert members.ids.tolist() == wanted.ids.tolist()
        assert members.among(wanted).all()
        assert sorted(shard.index().ids().tolist()) == members.ids.tolist()
        assert shard.feature_store.digests() == set(members.names())
        assert all(owner.setdefault(individual[int(number)], shard.number) == shard.number for number in members.ids)
        kept = shard.feature_store.features(members.names())
        own = catalog.feature_store.features(members.names())
        assert [one and one.descriptors.tobytes() for one in kept] == [one and one.descriptors.tobytes() for one in own]
        first = members.names()[:1]
        assert [shard.feature_store.thumbnail(one) for one in first] == [
            catalog.feature_store.thumbnail(one) for one in first
        ]
    assert sum(len(shard.members()) for shard in shards) == len(assignment.members)
    report = check_shards(catalog, folder)
    assert (report.problems, report.photos, report.shards) == ((), len(assignment.members), len(shards))


@pytest.mark.parametrize("recipe", [VECTORS, VOTES], ids=["vectors", "votes"])
def test_shards_follow_every_change(tmp_path: Path, recipe: Recipe) -> None:
    catalog, folder = made(tmp_path, recipe), tmp_path / "shards"
    assert shard_catalog(catalog, folder, 3).added == 40
    assert_right(catalog, folder)
    assert shard_catalog(catalog, folder).added == 0
    for turn in range(4):
        for seed in range(3):
            change_something(catalog, 10 * turn + seed)
        catalog.enroll([prepared(seed, recipe) for seed in range(40 + 5 * turn, 45 + 5 * turn)], "Ana")
        report = shard_catalog(catalog, folder)
        assert report.added - report.removed == 5
        assert_right(catalog, folder)
    assert len(shard_catalog(catalog, folder, 5).photos) == 5
    assert_right(catalog, folder)
    assert len(shard_catalog(catalog, folder, 2).photos) == 2
    assert_right(catalog, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["shard-0000", "shard-0001", "shards.json"]


def test_what_further_extractors_found_goes_along(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 6), tmp_path / "shards"
    [first] = catalog.photos(ALL)[:1]
    [features] = catalog.features([first])
    catalog.feature_store.second.put([(first.key, "aliked", features)])
    shard_catalog(catalog, folder, 2)
    found = [shard.feature_store.second.get("aliked", first.key) for shard in shards_in(folder, VECTORS)]
    [kept] = [one for one in found if one is not None]
    assert kept.xy.tobytes() == features.xy.tobytes()


class Killed(Exception):
    """The process ends here."""


def test_a_crash_at_any_step_is_gone_on_from(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 20), tmp_path / "shards"
    shard_catalog(catalog, folder, 3)
    for seed in range(4):
        change_something(catalog, seed)
    catalog.enroll([prepared(seed, VECTORS) for seed in range(20, 24)], "Ana")
    crashes = 0
    for last in range(100):
        copy = Path(shutil.copytree(folder, tmp_path / f"copy-{last}"))
        steps = 0

        def die(step: str, last: int = last) -> None:
            nonlocal steps
            steps += 1
            if steps > last:
                raise Killed(step)

        try:
            shard_catalog(catalog, copy, on_step=die)
        except Killed:
            crashes += 1
        shard_catalog(catalog, copy)
        assert_right(catalog, copy)
        shutil.rmtree(copy)
        if steps <= last:
            break
    assert crashes > 8


@pytest.mark.parametrize(
    "damage", ["shard", "members", "index", "features", "record", "behind", "odd index", "empty file"]
)
def test_a_check_finds_what_is_wrong_and_repairs_it(tmp_path: Path, damage: str) -> None:
    catalog, folder = made(tmp_path, VECTORS), tmp_path / "shards"
    shard_catalog(catalog, folder, 3)
    shard = shards_in(folder, VECTORS)[1]
    if damage == "shard":
        shutil.rmtree(shard.path)
    elif damage == "members":
        (shard.path / "members.npz").write_bytes(b"PK\x03\x04 no archive")
    elif damage == "index":
        (shard.path / "vectors.faiss").write_bytes(b"none")
    elif damage == "features":
        (shard.path / "features.lmdb/data.mdb").write_bytes(bytes(8192))
    elif damage == "record":
        shard.feature_store.delete(shard.members().names()[:2])
    elif damage == "behind":
        catalog.enroll([prepared(seed, VECTORS) for seed in range(40, 60)], "Ana")
    elif damage == "odd index":
        shutil.copy(folder / "shard-0000/vectors.faiss", shard.path / "vectors.faiss")
    else:
        (shard.path / "members.npz").write_bytes(b"")
    found = check_shards(catalog, folder)
    assert found.problems
    assert (found.repaired, check_shards(catalog, folder).problems) == ((), found.problems)
    mended = check_shards(catalog, folder, repair=True)
    assert (mended.problems, mended.repaired) == ((), found.problems)
    assert_right(catalog, folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_others_may_write_while_shards_are_read(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 12), tmp_path / "shards"
    shard_catalog(catalog, folder, 2)
    slow = shards_in(folder, VECTORS)[0].path / "members.npz"
    slow.unlink()
    os.mkfifo(slow)
    with ThreadPoolExecutor(1) as other:
        checking = other.submit(check_shards, catalog, folder)
        with slow.open("wb"):  # the check is now reading this file
            Curator(Catalog.open(catalog.path), "Ben").set_side([1], Side.LEFT)
        [problem] = checking.result(timeout=60).problems
    assert "members.npz cannot be read" in problem


def test_what_was_read_again_or_deleted_since_is_no_fault_of_a_shard(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 12), tmp_path / "shards"
    shard_catalog(catalog, folder, 1)
    [shard] = shards_in(folder, VECTORS)
    members = shard.members()
    again = replace(prepared(0, VECTORS), vector=prepared(99, VECTORS).vector)
    seen = replace(again.sighting, box=HeadBox(0.0, 0.0, 9.0, 9.0), box_origin=BoxOrigin.PERSON)
    curator = Curator(catalog, "Ana")
    curator.set_heads({1: replace(again, sighting=seen)})
    curator.remove_photos([2])
    compact_catalog(catalog, "Ana")
    assert shard.index_holds(catalog.registry, members, members)
    with catalog.writing("test"), catalog.transaction("test", "Ana") as transaction:
        transaction.run(
            "UPDATE descriptors SET vector = (SELECT vector FROM descriptors WHERE photo = 4) WHERE photo = 3"
        )
    assert not shard.index_holds(catalog.registry, members, members)


def test_a_lost_catalogue_gets_its_features_back_and_shards_give_each_other(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS), tmp_path / "shards"
    shard_catalog(catalog, folder, 3)
    expected = [one.descriptors.tobytes() for one in catalog.features(catalog.photos(ALL))]
    catalog.feature_store.delete(catalog.feature_store.digests())
    for number in range(1, 9):  # from shard to shard, while the catalogue has no features
        Curator(catalog, "Ana").move_photos([number], "T000" if number % 2 else None)
    assert shard_catalog(catalog, folder).removed > 0
    shutil.rmtree(catalog.path / "features.lmdb")
    (catalog.path / "vectors.faiss").unlink()
    reopened = Catalog.open(catalog.path)
    report = restore_features(reopened, folder)
    assert (report.added, report.lacking) == (40, ())
    found = reopened.features(reopened.photos(ALL))
    assert [one.descriptors.tobytes() for one in found] == expected
    assert restore_features(reopened, folder).added == 0
    assert_right(reopened, folder)


def test_features_that_are_nowhere_are_named_and_belong_to_no_shard(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 8), tmp_path / "shards"
    lost = catalog.photos(ALL)[3]
    catalog.feature_store.delete([lost.key])
    report = shard_catalog(catalog, folder, 2)
    assert (report.lacking, sum(report.photos)) == ((lost.path,), 7)
    mended = check_shards(catalog, folder, repair=True)
    assert any(lost.path in sentence for sentence in mended.problems)
    assert "turtleidx reindex" in mended.problems[-1]


def test_what_is_not_right_is_refused_with_a_sentence(tmp_path: Path) -> None:
    catalog, folder = made(tmp_path, VECTORS, 4), tmp_path / "shards"
    with pytest.raises(InputError, match="say with --shards how many"):
        shard_catalog(catalog, folder)
    with pytest.raises(CatalogMissing, match="turtleidx shard --into"):
        check_shards(catalog, tmp_path / "nothing")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.jpg").touch()
    with pytest.raises(OutputTaken, match="other files"):
        shard_catalog(catalog, tmp_path / "mine", 2)
    shard_catalog(catalog, folder, 2)
    other = Catalog.create(tmp_path / "other.catalog", VECTORS)
    with pytest.raises(InputError, match="another catalogue"):
        shard_catalog(other, folder)
    with pytest.raises(InputError, match="another catalogue"):
        check_shards(other, folder)
    ShardManifest(ShardManifest.read(folder).catalog, VOTES, 2).write(folder)
    with pytest.raises(RecipeMismatch, match="words-test"):
        check_shards(catalog, folder)
    (folder / "shards.json").write_text("{")
    with pytest.raises(CatalogDamaged):
        check_shards(catalog, folder)
    assert shard_catalog(catalog, folder, 2).added == 0


def test_individuals_are_spread_evenly_and_always_alike() -> None:
    counts = np.bincount(shard_of(np.arange(70_000), 7), minlength=7)
    assert counts.min() > 9_500
    assert shard_of(np.array([2, 3, 2**40]), 5).tolist() == shard_of(np.array([2, 3, 2**40]), 5).tolist()
