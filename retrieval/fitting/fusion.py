"""Calibrates matchers that fuse several similarities, on a catalogue's own pairs of known identity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index.catalog import Catalog
from index.errors import InputError
from index.types import GalleryFilter, LocalFeatures, Photo
from retrieval.engine import Engine
from retrieval.matching.image_matchers import LogisticCalibration, WildFusionMatcher

PAIRS = 150
"""Pairs of one turtle, and as many of different ones, at most."""
FEWEST = 10

Pairs = list[tuple[Photo, Photo]]


def calibrated(catalog: Catalog, engine: Engine, seed: int = 0) -> Engine:
    """The engine with its matcher calibrated on the catalogue; engines whose matcher needs none stay as they are.

    Needs the writer's lock, because features that are found on the way are kept.

    Raises
    ------
    InputError
        Fewer than 10 turtles have photos of two encounters from one side.
    """
    fusing = engine.matcher
    if not isinstance(fusing, WildFusionMatcher):
        return engine
    genuine, impostor = drawn_pairs(catalog.photos(GalleryFilter()), np.random.default_rng(seed))
    if len(genuine) < FEWEST:
        raise InputError(
            f"wildfusion is calibrated on turtles with photos of two encounters from one side: {FEWEST} are needed, "
            f"here are {len(genuine)}."
        )
    same, different = (
        np.concatenate([fusing.similarities(*_features(catalog, one, other)) for one, other in pairs], axis=1)
        for pairs in (genuine, impostor)
    )
    curves = [LogisticCalibration.fit(own, others) for own, others in zip(same, different, strict=True)]
    return replace(engine, matcher=fusing.with_curves(*curves), matching=None)


def drawn_pairs(photos: Sequence[Photo], rng: np.random.Generator) -> tuple[Pairs, Pairs]:
    """A pair of each turtle and side that was seen twice, and as many of different turtles of the same sides."""
    of_side: dict[object, list[Photo]] = defaultdict(list)
    of_turtle: dict[tuple[str, object], list[Photo]] = defaultdict(list)
    for photo in photos:
        of_side[photo.side].append(photo)
        of_turtle[str(photo.turtle), photo.side].append(photo)
    genuine: Pairs = []
    impostor: Pairs = []
    for own in of_turtle.values():
        one = own[rng.integers(len(own))]
        others = [photo for photo in own if photo.occasion != one.occasion and photo.sha256 != one.sha256]
        strangers = [photo for photo in of_side[one.side] if photo.turtle != one.turtle]
        if others and strangers:
            genuine.append((one, others[rng.integers(len(others))]))
            impostor.append((one, strangers[rng.integers(len(strangers))]))
    kept = rng.permutation(len(genuine))[:PAIRS]
    return [genuine[place] for place in kept], [impostor[place] for place in kept]


def _features(catalog: Catalog, one: Photo, other: Photo) -> tuple[LocalFeatures, list[LocalFeatures]]:
    query, candidate = catalog.features([one, other])
    return query, [candidate]
