"""A process whose disk is full, played by a limit on how large any file may become.

Run as: python -m tests.index.filling enroll CATALOG MORE_BYTES, or: python -m tests.index.filling reindex CATALOG
"""

from __future__ import annotations

import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from index.catalog.catalog import Catalog
from index.catalog.maintenance import check_catalog
from index.catalog.reindex import Reindexing
from index.errors import StorageFull
from index.types import GalleryFilter, PreparedPhoto, Recipe
from tests.index.making import RECIPE, features, photo, vector

OTHER = Recipe("sift-128-480", "vlad-long", 16_384)  # longer than its features, so that each store is full once
SEEDS = {photo(seed).sha256: seed for seed in range(40)}


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Writing beyond the first so many bytes of a file fails meanwhile."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def enroll(folder: str, more: str) -> None:
    """Print how many batches of eight were enrolled before the disk was full, and what was said."""
    catalog = Catalog.open(Path(folder))
    largest = max(path.stat().st_size for path in Path(folder).rglob("*"))
    with files_up_to(largest + int(more)):
        for batch in range(100):
            try:
                catalog.enroll([photo(seed, "T001") for seed in range(8 * batch, 8 * batch + 8)], "Ana")
            except StorageFull as error:
                print(batch, error)
                return


def reindex(folder: str) -> None:
    """On disks of several sizes: print what was said, once all is found whole and the same call has gone on."""
    original = Path(folder)
    for kilobytes in (600, 2500, 20_000):
        copy = Catalog.open(Path(shutil.copytree(original, original.with_name(f"{kilobytes}.catalog"))))
        said = "enough"
        try:
            with files_up_to(kilobytes << 10):
                see_again(copy)
        except StorageFull as error:
            said = str(error)
        after = Catalog.open(copy.path)
        keypoints = {RECIPE: 64, OTHER: 128}[after.recipe]
        photos = after.photos(GalleryFilter(identified=False))
        assert len(photos) == len(SEEDS)
        assert {len(found) for found in after.features(photos)} == {keypoints}
        assert check_catalog(after).problems == ()
        see_again(after)
        assert Catalog.open(copy.path).recipe == OTHER
        assert check_catalog(after).problems == ()
        print(keypoints, said)  # keypoints a photo after the first call


def see_again(catalog: Catalog) -> None:
    """What `turtleidx reindex` does, with another extractor."""
    with catalog.writing("reindex"):
        work = Reindexing(catalog, OTHER)
        waiting = work.waiting()
        for first in range(0, len(waiting), 10):
            batch = waiting[first : first + 10]
            work.stage([seen_again(SEEDS[one.sha256]) for one in batch], [one.id for one in batch])
        if catalog.recipe != OTHER:
            work.switch("Ana")


def seen_again(seed: int) -> PreparedPhoto:
    return replace(photo(seed), features=features(seed, 128), vector=vector(seed, OTHER.dimension))


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if sys.argv[1] == "enroll":
        enroll(*sys.argv[2:])
    else:
        reindex(sys.argv[2])
