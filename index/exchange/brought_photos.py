"""Photos of another catalogue, ready to be placed in this one with what was computed from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.catalog import Catalog
from index.registry import PhotoRecord
from index.types import LocalFeatures, Photo, PreparedPhoto, Sighting, sighting_key


def prepared(field: Catalog, records: Sequence[PhotoRecord], photos: Sequence[Photo]) -> list[PreparedPhoto]:
    """As they were read there, in the head box that was read, which may be another than people say now."""
    searched = [photo for photo in photos if photo.keypoints]
    numbers = [photo.id for photo in searched]
    found = dict(zip(numbers, field.vectors(searched), strict=True)) if searched else {}
    described = dict(zip(numbers, field.features(searched), strict=True))
    nothing = np.zeros(field.recipe.dimension, np.uint8 if field.recipe.votes else np.float32)
    return [
        PreparedPhoto(
            sighting=Sighting(
                path=record.path,
                turtle=record.turtle,
                side=record.side,
                taken_on=record.taken_on,
                encounter=record.encounter_name,
                species=record.species,
                site=record.site,
                observer=record.observer,
                latitude=record.latitude,
                longitude=record.longitude,
                box=record.read_box,
                notes=record.notes,
                box_origin=record.box_origin,
                box_confidence=record.box_confidence,
            ),
            sha256=record.sha256,
            features=described.get(photo.id, LocalFeatures.none(record.size)),
            vector=found.get(photo.id, nothing),
            thumbnail=field.thumbnail(photo),
            original_size=record.size,
            quality=record.quality,
            reading=record.reading,
            reader=record.reader,
            taken_at=record.taken_at,
            content=record.content,
        )
        for record, photo in zip(records, photos, strict=True)
    ]


def placed_key(record: PhotoRecord) -> str:
    """What a photo is kept under here; an earlier version kept those with a head box under the file's digest."""
    return sighting_key(record.sha256, record.read_box, record.reading)


def further(field: Catalog, records: Sequence[PhotoRecord]) -> list[tuple[str, str, LocalFeatures]]:
    """What further extractors found in these photos of the field copy, by the keys that they have here."""
    stored = field.feature_store.second.digests()
    found = [
        (placed_key(record), extractor, field.feature_store.second.get(extractor, record.key))
        for extractor, there in stored.items()
        for record in records
        if record.key in there
    ]
    return [(key, extractor, one) for key, extractor, one in found if one is not None]
