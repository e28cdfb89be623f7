"""A global encoder as a system of its own: two photos are as alike as their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from index.types import LocalFeatures, Matches, Pixels
from retrieval.features import pixels_of

Encode = Callable[[Sequence[Pixels]], npt.NDArray[np.float32]]
"""Unit vectors float32 [n, d] of n photos, RGB uint8 [h, w, 3] each."""


class EmbeddingMatcher:
    """The angular similarity of two embeddings, 1 - angle / pi, as the confidence of one match of the whole photos.

    The score that goes with it is the sum of confidences. An embedding is kept beside the photo's keypoints as a
    feature set of one.

    Parameters
    ----------
    name : str
        Names the encoder and its weights.
    encode : Encode
        Sees working images.
    """

    def __init__(self, name: str, encode: Encode) -> None:
        self.id = f"angular-{name}"
        self._name, self._encode = name, encode

    @property
    def beside(self) -> tuple[str, ...]:
        """The encoder, under the name that embeddings are kept by."""
        return (self._name,)

    def prepare(self, photos: Sequence[LocalFeatures]) -> None:
        """As `ReadsBeside.prepare`."""
        self._embeddings(photos)

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; a photo whose working image cannot be read is like no other. Raises as the encoder."""
        del first_matches
        own, *others = self._embeddings([query, *candidates])
        return [of_whole_photos(0.0 if own is None or one is None else angular_similarity(own, one)) for one in others]

    def _embeddings(self, photos: Sequence[LocalFeatures]) -> list[npt.NDArray[np.float32] | None]:
        known = [None if photo.source is None else photo.source.beside(self._name) for photo in photos]
        missing = [
            (row, photo.source, pixels)
            for row, photo in enumerate(photos)
            if known[row] is None
            and photo.source is not None
            and (pixels := pixels_of(photo.source.image())) is not None
        ]
        vectors = self._encode([pixels for *_, pixels in missing]) if missing else ()
        for (row, source, _), vector in zip(missing, vectors, strict=True):
            found = _as_features(vector, photos[row].size)
            source.keep(self._name, found)
            known[row] = found
        return [None if one is None else one.descriptors[0].astype(np.float32) for one in known]


def angular_similarity(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """1 for vectors of one direction, 0 for opposite ones."""
    cosine = float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)
    return 1 - float(np.arccos(np.clip(cosine, -1, 1))) / np.pi


def _as_features(vector: npt.NDArray[np.float32], size: tuple[int, int]) -> LocalFeatures:
    nought = np.zeros(1, np.float32)
    return LocalFeatures(np.zeros((1, 2), np.float32), nought, nought, vector[None].astype(np.float16), size)


def of_whole_photos(similarity: float) -> Matches:
    """One match of the whole photos, which has no place in either."""
    nowhere = np.zeros((0, 2), np.float32)
    return Matches(np.zeros((1, 2), np.int32), np.full(1, similarity, np.float32), (nowhere, nowhere))
