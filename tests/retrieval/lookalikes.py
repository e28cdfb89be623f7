"""Photos without pixels that match like those of one turtle, or do not; quick to make and to compare."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from index.catalog.catalog import Catalog
from index.types import LocalFeatures, PreparedPhoto, Side
from retrieval.engine.engine import Engine
from retrieval.engine.options import EngineOptions
from retrieval.fitting.fit_model import fit
from retrieval.images.pictures import jpeg
from tests.index.making import day, features, photo

TURTLES = 24


@cache
def engine() -> Engine:
    """SIFT, nearest neighbours, and the encoder whose descriptors stay at hand while they are few, which is quicker."""
    return Engine.load(options=EngineOptions(extractor="sift-64-320", encoder="vlad", matcher="nearest"))


def lookalike(turtle: int, number: int, name: str | None, alike: float = 0.8) -> PreparedPhoto:
    """Photo `number` of a turtle, taken on a day of its own; it shares this part of the turtle's keypoints."""
    seed = 1000 * turtle + number
    made = photo(seed, name, taken_on=day(20 * turtle + number), side=Side.LEFT)
    seen = _seen(turtle, seed, alike)
    [descriptor] = engine().encoder.encode([], [seen])
    return replace(made, features=seen, vector=descriptor, thumbnail=_picture())


@cache
def _picture() -> bytes:
    return jpeg(np.full((320, 480, 3), 90, np.uint8))


def enrolled(folder: Path) -> Catalog:
    """A catalogue of two encounters each of T001 to T024."""
    catalog = Catalog.create(folder / "turtles.catalog", engine().recipe)
    shared = np.random.default_rng(0).uniform(0.3, 0.8, TURTLES)
    catalog.enroll(
        [
            lookalike(turtle, number, f"T{turtle:03d}", float(shared[turtle - 1]))
            for turtle in range(1, TURTLES + 1)
            for number in (1, 2)
        ],
        "Ben",
    )
    return catalog


def believing(catalog: Catalog) -> Catalog:
    """The catalogue with a fitted model."""
    assert fit(catalog, engine(), "Ben").fitted
    return catalog


def _seen(turtle: int, seed: int, alike: float) -> LocalFeatures:
    own, other = features(turtle), features(seed)
    same = np.arange(len(own)) < round(alike * len(own))
    descriptors = np.where(same[:, None], own.descriptors, other.descriptors)
    xy = np.where(same[:, None], own.xy + 3, other.xy)
    return replace(
        own,
        xy=xy.astype(np.float32),
        descriptors=descriptors.astype(np.uint8),
        scale=np.where(same, own.scale, other.scale).astype(np.float32),
        orientation=np.where(same, own.orientation, other.orientation).astype(np.float32),
    )
