"""Compact binary records: little endian, versioned, checksummed, decoded with numpy and never with pickle."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from index.types import Float32, LocalFeatures

VERSION = 1
DESCRIPTOR_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<f2")}
MOST_CACHED = 505  # float16 confidences that fit a record of 1 KB

_HEAD = struct.Struct("<4sHI")  # kind and checksum of what follows
_FEATURES = struct.Struct("<IHBII")  # keypoints, descriptor length, descriptor type, width, height
_PAIR = struct.Struct("<HH")  # confidences in all, confidences above zero


def pack_features(features: LocalFeatures) -> bytes:
    """Write local features as one record; descriptors are kept as they are."""
    kind = next(k for k, dtype in DESCRIPTOR_TYPES.items() if dtype == features.descriptors.dtype)
    n, length = features.descriptors.shape
    parts = [
        _FEATURES.pack(n, length, kind, *features.size),
        np.ascontiguousarray(features.xy, dtype="<f4").tobytes(),
        np.ascontiguousarray(features.scale, dtype="<f4").tobytes(),
        np.ascontiguousarray(features.orientation, dtype="<f4").tobytes(),
        np.ascontiguousarray(features.descriptors, dtype=DESCRIPTOR_TYPES[kind]).tobytes(),
    ]
    return _seal(b"TXLF", b"".join(parts))


def unpack_features(record: bytes) -> LocalFeatures | None:
    """Read local features; None for a record that is damaged or of an unknown kind."""
    body = _open(b"TXLF", record)
    if body is None or len(body) < _FEATURES.size:
        return None
    n, length, kind, width, height = _FEATURES.unpack_from(body)
    dtype = DESCRIPTOR_TYPES.get(kind)
    if dtype is None or len(body) != _FEATURES.size + 16 * n + n * length * dtype.itemsize:
        return None
    numbers = np.frombuffer(body, dtype="<f4", count=4 * n, offset=_FEATURES.size)
    descriptors = np.frombuffer(body, dtype=dtype, offset=_FEATURES.size + 16 * n).reshape(n, length)
    return LocalFeatures(
        xy=numbers[: 2 * n].reshape(n, 2).astype(np.float32),
        scale=numbers[2 * n : 3 * n].astype(np.float32),
        orientation=numbers[3 * n :].astype(np.float32),
        descriptors=descriptors.astype(dtype.newbyteorder("=")),
        size=(width, height),
    )


def pack_thumbnail(jpeg: bytes) -> bytes:
    """Write a thumbnail as one record."""
    return _seal(b"TXTN", jpeg)


def unpack_thumbnail(record: bytes) -> bytes | None:
    """Read a thumbnail; None for a damaged record."""
    body = _open(b"TXTN", record)
    return None if body is None else bytes(body)


def pack_confidences(confidences: Float32) -> bytes:
    """Write a pair's confidences (float32 [n] in 0..1, any order) as sorted float16 without the zeros.

    More than 505 of them are thinned to evenly spaced quantiles, so that a record stays within 1 KB.
    """
    halves = confidences.astype("<f2")
    kept = np.sort(halves[halves > 0])
    above_zero = len(kept)
    if len(kept) > MOST_CACHED:
        kept = np.quantile(kept.astype(np.float32), np.linspace(0, 1, MOST_CACHED))
    return _seal(b"TXPC", _PAIR.pack(len(confidences), above_zero) + kept.astype("<f2").tobytes())


def unpack_confidences(record: bytes) -> Float32 | None:
    """Read a pair's confidences, float32 [n] in rising order; None for a damaged record."""
    body = _open(b"TXPC", record)
    if body is None or len(body) < _PAIR.size:
        return None
    n, above_zero = _PAIR.unpack_from(body)
    kept = np.frombuffer(body, dtype="<f2", offset=_PAIR.size)
    if above_zero > n or len(kept) != min(above_zero, MOST_CACHED):
        return None
    confidences = np.zeros(n, np.float32)
    if above_zero > MOST_CACHED:
        confidences[n - above_zero :] = np.quantile(kept.astype(np.float32), np.linspace(0, 1, above_zero))
    else:
        confidences[n - above_zero :] = kept
    return confidences


def _seal(kind: bytes, body: bytes) -> bytes:
    return _HEAD.pack(kind, VERSION, zlib.crc32(body)) + body


def _open(kind: bytes, record: bytes) -> memoryview | None:
    """What a record holds, without a copy; None for a damaged record."""
    if len(record) < _HEAD.size:
        return None
    found, version, checksum = _HEAD.unpack_from(record)
    body = memoryview(record)[_HEAD.size :]
    return body if found == kind and version == VERSION and zlib.crc32(body) == checksum else None
