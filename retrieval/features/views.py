"""Simulated views of a photo (ASIFT; Morel and Yu, SIAM J. Imaging Sciences 2009): as if taken from another angle.

A head that is seen obliquely is foreshortened across; stretching the photo across undoes that to first order, and
squeezing it makes of a head from the side one that is seen obliquely. Views are made of the stored working image, so
that a photo always has the same ones.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from index.types import LocalFeatures, Pixels
from retrieval.features.sift import SiftExtractor, stretched_across
from retrieval.images import decode
from retrieval.parallel import on_all_cores

STRETCHES = (1.6, 0.62)
VIEWS = "views-" + "-".join(f"{stretch:g}" for stretch in STRETCHES)
"""Names the views, for caches."""


def pixels_of(image: bytes) -> Pixels | None:
    """A stored working image; None where its bytes are no picture, so that the photo's keypoints have to do."""
    try:
        return decode(image)
    except OSError:
        return None


@lru_cache(maxsize=16)
def views_of(image: bytes, keypoints: int) -> tuple[LocalFeatures, ...]:
    """Keypoints of the simulated views of a working image (JPEG), each in pixels of its own, however few."""
    pixels, extractor = pixels_of(image), SiftExtractor(keypoints)
    if pixels is None:
        return ()
    return tuple(on_all_cores(lambda stretch: extractor.find(stretched_across(pixels, stretch)), STRETCHES))


def with_views(features: LocalFeatures) -> LocalFeatures:
    """A photo's keypoints and after them those of its views, brought back into the photo's own coordinates."""
    if features.source is None or features.descriptors.dtype != np.uint8:
        return features
    parts = [features]
    for view in views_of(features.source.image(), len(features)):
        factor = np.array([features.size[0] / view.size[0], features.size[1] / view.size[1]], np.float32)
        parts.append(
            LocalFeatures((view.xy + 0.5) * factor - 0.5, view.scale, view.orientation, view.descriptors, view.size)
        )
    return LocalFeatures(
        xy=np.concatenate([one.xy for one in parts]),
        scale=np.concatenate([one.scale for one in parts]),
        orientation=np.concatenate([one.orientation for one in parts]),
        descriptors=np.concatenate([one.descriptors for one in parts]),
        size=features.size,
        source=features.source,
    )
