"""Prepared photos that look like real ones to the stores: seeded, small, quick to make."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from index.catalog.browser import Browser
from index.catalog.catalog import Catalog
from index.types import Float32, LocalFeatures, PreparedPhoto, Recipe, Side, Sighting

DIMENSION = 16
RECIPE = Recipe(extractor="sift-64-480", encoder="vlad-test", dimension=DIMENSION)


def day(number: int) -> dt.date:
    """A day of 2020, counted from 1 January."""
    return dt.date(2020, 1, 1) + dt.timedelta(days=number)


def vector(seed: int, dimension: int = DIMENSION) -> Float32:
    """A unit vector."""
    values = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    unit: Float32 = values / np.linalg.norm(values)
    return unit


def features(seed: int, n: int = 64) -> LocalFeatures:
    """Keypoints with SIFT's kind of descriptors."""
    random = np.random.default_rng(seed)
    return LocalFeatures(
        xy=random.uniform(0, 480, (n, 2)).astype(np.float32),
        scale=random.uniform(1, 30, n).astype(np.float32),
        orientation=random.uniform(-3, 3, n).astype(np.float32),
        descriptors=random.integers(0, 256, (n, 128), dtype=np.uint8),
        size=(480, 320),
    )


def photo(
    seed: int,
    turtle: str | None = None,
    *,
    taken_on: dt.date | None = None,
    side: Side | None = None,
    encounter: str | None = None,
    species: str | None = None,
    site: str | None = None,
) -> PreparedPhoto:
    """A photo whose bytes, keypoints and vector follow from its seed."""
    return PreparedPhoto(
        sighting=Sighting(
            path=f"photos/{seed}.jpg",
            turtle=turtle,
            taken_on=taken_on,
            side=side,
            encounter=encounter,
            species=species,
            site=site,
        ),
        sha256=hashlib.sha256(str(seed).encode()).hexdigest(),
        features=features(seed),
        vector=vector(seed),
        thumbnail=b"\xff\xd8" + bytes(str(seed), "ascii"),
        original_size=(4000, 3000),
        quality=0.5,
    )


@contextmanager
def readable_only(folder: Path) -> Iterator[None]:
    """The folder as another user has it who may read and not write; the super-user becomes one."""
    mine = os.geteuid()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for above in folder.parents:
        if mine == 0 and above.stat().st_mode & 0o005 != 0o005:  # another user has to get there
            above.chmod(above.stat().st_mode | 0o555)
    try:
        if mine == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(mine)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def grouped(catalog: Catalog) -> set[frozenset[str]]:
    """Digests of photos by encounter."""
    photos = Browser(catalog).photos()
    return {frozenset(one.sha256 for one in photos if one.encounter == other.encounter) for other in photos}
