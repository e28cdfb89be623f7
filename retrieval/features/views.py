"""Simulated views of a photo (ASIFT; Morel and Yu, SIAM J. Imaging Sciences 2009): as if taken from another angle.

A head that is seen obliquely is foreshortened across, one that is seen from before and above or below along a diagonal;
stretching the photo undoes that to first order, and squeezing it makes of a head from the side one that is seen
obliquely. Views are made of the stored working image, so that a photo always has the same ones.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from index.types import Float32, Float64, LocalFeatures, Pixels
from retrieval.features.sift import SiftExtractor, stretched_across, warped
from retrieval.images import decode

STRETCHES = (1.6, 0.62)
"""How many times as wide the upright views are."""
DIAGONALS, DIAGONAL_STRETCH = (45, -45), 1.6
"""By how many degrees the others are turned, counter-clockwise, and how many times as wide they are then."""
VIEWS = "views-" + "-".join([*(f"{stretch:g}" for stretch in STRETCHES), f"{DIAGONAL_STRETCH:g}x{DIAGONALS[0]}"])
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
    upright = [extractor.find(stretched_across(pixels, stretch)) for stretch in STRETCHES]
    return (*upright, *(_diagonal(pixels, degrees, keypoints) for degrees in DIAGONALS))


def with_views(features: LocalFeatures) -> LocalFeatures:
    """A photo's keypoints and after them those of its views, brought back into the photo's own coordinates."""
    if features.source is None or features.descriptors.dtype != np.uint8:
        return features
    image = features.source.image()
    views = views_of(image, len(features))
    parts = [features.xy]
    for view in views[: len(STRETCHES)]:
        factor = np.array([features.size[0] / view.size[0], features.size[1] / view.size[1]], np.float32)
        parts.append((view.xy + np.float32(0.5)) * factor - np.float32(0.5))
    for view, degrees in zip(views[len(STRETCHES) :], DIAGONALS, strict=False):
        parts.append(_unmapped(view.xy, tilt(features.size, degrees, DIAGONAL_STRETCH)[0]))
    every = [features, *views]
    return LocalFeatures(
        xy=np.concatenate(parts),
        scale=np.concatenate([one.scale for one in every]),
        orientation=np.concatenate([one.orientation for one in every]),
        descriptors=np.concatenate([one.descriptors for one in every]),
        size=features.size,
        source=features.source,
    )


def _diagonal(pixels: Pixels, degrees: float, keypoints: int) -> LocalFeatures:
    """Keypoints of a tilted view that lie in the photo itself; the corners around it take up half of the picture."""
    height, width = pixels.shape[:2]
    affine, size = tilt((width, height), degrees, DIAGONAL_STRETCH)
    found = SiftExtractor(2 * keypoints).find(warped(pixels, affine, size))
    places = _unmapped(found.xy, affine)
    inside = ((places >= -0.5) & (places <= np.array([width, height]) - 0.5)).all(axis=1)
    kept = np.flatnonzero(inside)[:keypoints]
    return replace(
        found,
        xy=found.xy[kept],
        scale=found.scale[kept],
        orientation=found.orientation[kept],
        descriptors=found.descriptors[kept],
    )


def tilt(size: tuple[int, int], degrees: float, stretch: float) -> tuple[Float64, tuple[int, int]]:
    """A photo of size (width, height) turned counter-clockwise and then stretched across, all of it on the picture.

    Returns
    -------
    affine : float64 [2, 3]
        From pixels of the photo to those of the view.
    size : (width, height)
        Of the view.
    """
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    linear = np.diag([stretch, 1.0]) @ np.array([[cos, sin], [-sin, cos]])
    across, down = np.abs(linear) @ size
    seen = round(across), round(down)
    shift = (np.array(seen) - 1) / 2 - linear @ ((np.array(size) - 1) / 2)
    return np.column_stack([linear, shift]), seen


def _unmapped(xy: Float32, affine: Float64) -> Float32:
    """Where places of a view lie in the photo."""
    return np.asarray((xy - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T, np.float32)
