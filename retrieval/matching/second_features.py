"""Keypoints that a further extractor finds in stored working images, kept beside the catalogue's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.errors import TooFewKeypoints
from index.types import MIN_KEYPOINTS, LocalFeatures
from retrieval.features import Extractor, pixels_of, turned, turned_back
from retrieval.images import turn_of


def second_features(photos: Sequence[LocalFeatures], extractor: Extractor) -> list[LocalFeatures | None]:
    """What the extractor finds in each photo, found where it is not known yet; None where it is too little.

    It sees heads that lie on their side turned upright (`retrieval.features.turning`); the keypoints are those of the
    photo as it is.

    Raises as the extractor.
    """
    known = [None if photo.source is None else photo.source.beside(extractor.id) for photo in photos]
    missing = [
        (row, photo.source, turned(pixels, turn_of(image)), turn_of(image))
        for row, photo in enumerate(photos)
        if known[row] is None
        and photo.source is not None
        and (pixels := pixels_of(image := photo.source.image())) is not None
    ]
    found = extractor.extract_batch([pixels for *_, pixels, _ in missing]) if missing else []
    for (row, source, _, turn), one in zip(missing, found, strict=True):
        features = _none_of(photos[row]) if isinstance(one, TooFewKeypoints) else turned_back(one, turn)
        source.keep(extractor.id, features)
        known[row] = features
    return [one if one is not None and len(one) >= MIN_KEYPOINTS else None for one in known]


def _none_of(photo: LocalFeatures) -> LocalFeatures:
    """No keypoints, so that nobody looks for them again."""
    none = np.empty(0, np.float32)
    return LocalFeatures(np.empty((0, 2), np.float32), none, none, np.empty((0, 128), np.float16), photo.size)
