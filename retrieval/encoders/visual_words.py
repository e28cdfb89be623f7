"""The bundled encoder: visual words of a photo's own SIFT features, each with a product code, that vote in a search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from index.types import Descriptor, Float32, LocalFeatures, UInt8
from index.visual_words import SLOT_BYTES, Codebook, packed
from retrieval.features import rootsift

WORDS_ID = "words-1"

SLOTS = 256
"""Keypoints of a photo, the strongest, that have words; twice as many find no more."""


class WordEncoder:
    """Every keypoint's visual word and a code of what lies at it (`index.visual_words.codebook`).

    `index.visual_words.inverted_file` compares them with the keypoints of a query.
    """

    votes = True
    id = WORDS_ID

    def __init__(self) -> None:
        self._codebook = Codebook.bundled()

    @property
    def dimension(self) -> int:
        return SLOTS * SLOT_BYTES

    def encode(self, pixels: Sequence[npt.NDArray[np.uint8]], features: Sequence[LocalFeatures]) -> UInt8:
        """Signatures uint8 [n, 4608] of n photos' SIFT features."""
        del pixels
        return np.stack([packed(self._codebook.coded(_strongest(one)), SLOTS) for one in features])

    def probe(self, features: LocalFeatures, descriptor: Descriptor) -> Float32:
        """The query's keypoints themselves, which are nearer to those of its turtle than their codes are."""
        del descriptor
        return _strongest(features)


def _strongest(features: LocalFeatures) -> Float32:
    return rootsift(features.descriptors[:SLOTS].astype(np.uint8, copy=False))
