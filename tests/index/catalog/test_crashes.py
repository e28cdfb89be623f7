"""Processes that really die in the middle of enrolling leave a catalogue that loses nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.curation.curator import Curator
from index.curation.decisions import Decisions
from index.features.store import FeatureStore
from index.types import GalleryFilter
from tests.index.making import photo, vector

ROOT = Path(__file__).parents[3]
ALL = GalleryFilter(identified=False)
COMMITTED_AFTER = {
    "features written": False,
    "registry written": False,
    "registry committed": True,
    "vectors written": True,
    "vectors replaced": True,
}


def enroll_and_die(catalog: Catalog, step: str, first: int, count: int) -> None:
    """Run the dying process and make sure that it died."""
    command = [sys.executable, "-m", "tests.index.dying", str(catalog.path), step, str(first), str(count)]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode != 0


def assert_whole(catalog: Catalog, seeds: list[int]) -> None:
    """Exactly these photos are there, with everything that belongs to them."""
    photos = catalog.photos(ALL)
    assert {p.sha256 for p in photos} == {photo(seed).sha256 for seed in seeds}
    assert all(len(found) == 64 for found in catalog.features(photos))
    for seed in seeds:
        (nearest,) = catalog.shortlist(vector(seed), 1, ALL).photos
        assert nearest.sha256 == photo(seed).sha256


@pytest.mark.parametrize("step", COMMITTED_AFTER)
def test_a_kill_at_any_write_loses_nothing_committed(catalog: Catalog, step: str) -> None:
    catalog.enroll([photo(seed, "T001") for seed in range(3)], "Ana")
    enroll_and_die(catalog, step, 3, 3)
    kept = list(range(6 if COMMITTED_AFTER[step] else 3))
    assert_whole(Catalog.open(catalog.path), kept)  # a reader, before anybody repairs
    writer = Catalog.open(catalog.path)
    writer.enroll([photo(8)], "Ana")  # the next writer repairs, and the same photos can be enrolled again
    assert_whole(writer, [*kept, 8])
    assert writer.summary().features_bytes > 0
    writer.enroll([photo(seed, "T001") for seed in range(6)], "Ana")
    assert_whole(Catalog.open(catalog.path), [*range(6), 8])
    assert not list(catalog.path.glob("*.partial"))
    assert writer.summary().health == ()


def test_the_next_writer_removes_orphan_features(catalog: Catalog) -> None:
    enroll_and_die(catalog, "registry written", 0, 4)
    features = FeatureStore(catalog.path / "features.lmdb", catalog.recipe.extractor)
    assert len(features.digests()) == 4
    Catalog.open(catalog.path).set_setting("any", "change", "Ana")
    assert features.digests() == set()
    assert features.thumbnail(photo(0).sha256) is None


def remove(catalog: Catalog) -> Callable[[Curator], object]:
    """Take a photo out; gives what brings it back."""
    catalog.enroll([photo(0, "T001")], "Ana")
    Curator(catalog, "Ana").remove_photos([1])
    return lambda by: by.restore_photos([1])


def undo(catalog: Catalog) -> Callable[[Curator], object]:
    """Undo an enrolment; gives what undoes that."""
    catalog.enroll([photo(0, "T001")], "Ana")
    event = Curator(catalog, "Ana").undo().event
    return lambda by: by.undo(event)


def ask(catalog: Catalog) -> Callable[[Curator], object]:
    """Keep a query about a photo."""
    catalog.feature_store.put_query(photo(0).sha256, photo(0).features, photo(0).thumbnail)
    Decisions(catalog).keep(photo(0).sha256, "query.jpg", "NEW", "{}", "Ana")
    return lambda _: None


@pytest.mark.parametrize("owner", [remove, undo, ask])
@pytest.mark.parametrize("step", ["features written", "registry written"])
def test_a_kill_while_bytes_are_enrolled_again_takes_nothing_from_what_has_them_already(
    catalog: Catalog, step: str, owner: Callable[[Catalog], Callable[[Curator], object]]
) -> None:
    bring_back = owner(catalog)
    enroll_and_die(catalog, step, 0, 2)
    reopened = Catalog.open(catalog.path)
    reopened.set_setting("any", "change", "Ana")  # the next writer repairs
    assert reopened.feature_store.digests() == {photo(0).sha256}  # and only the other photo's features are orphans
    bring_back(Curator(reopened, "Ana"))
    assert reopened.feature_store.thumbnail(photo(0).sha256) == photo(0).thumbnail
    assert check_catalog(reopened).problems == ()


def test_a_photo_that_is_enrolled_and_removed_in_one_command_can_be_restored(catalog: Catalog) -> None:
    with catalog.writing("a session"):
        catalog.enroll([photo(0, "T001")], "Ana")
        Curator(catalog, "Ana").remove_photos([1])
    reopened = Catalog.open(catalog.path)
    Curator(reopened, "Ana").restore_photos([1])
    assert_whole(reopened, [0])
    assert check_catalog(reopened).problems == ()


@pytest.mark.parametrize("store", ["vectors.faiss", "registry.duckdb", "features.lmdb"])
def test_one_store_rolled_back_by_one_commit(catalog: Catalog, tmp_path: Path, store: str) -> None:
    catalog.enroll([photo(seed, "T001") for seed in range(3)], "Ana")
    old = tmp_path / "old"
    copy = shutil.copytree if store == "features.lmdb" else shutil.copy
    copy(catalog.path / store, old)
    catalog.enroll([photo(seed, "T001") for seed in range(3, 6)], "Ana")
    if store == "features.lmdb":
        shutil.rmtree(catalog.path / store)
    copy(old, catalog.path / store)
    reopened = Catalog.open(catalog.path)
    if store == "features.lmdb":  # only these cannot be had again from the other stores: that is said
        assert any("no features" in sentence for sentence in reopened.summary().health)
        return
    kept = list(range(3 if store == "registry.duckdb" else 6))
    assert_whole(reopened, kept)
    reopened.enroll([photo(seed, "T002") for seed in (10, 11, 12)], "Ana")  # the lost event's number is used again
    assert_whole(Catalog.open(catalog.path), [*kept, 10, 11, 12])
    np.testing.assert_array_equal(reopened.vectors(reopened.photos(ALL))[-1], vector(12))
