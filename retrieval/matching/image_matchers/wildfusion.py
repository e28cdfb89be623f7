"""The field's fusion of a global embedding and local matching: both become probabilities, which are averaged.

After WildFusion (Cermak et al., arXiv 2408.12934), which calibrates each similarity on pairs of known identity. Here
logistic regression does, because it is strictly increasing, and no pairs tie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from index.errors import InputError
from index.types import Float64, LocalFeatures, Matches
from retrieval.matching.image_matchers.embedding import EmbeddingMatcher, of_whole_photos
from retrieval.matching.image_matchers.other_keypoints import OtherKeypoints

SURE = 0.5
"""Confidence from which a match counts."""


@dataclass(frozen=True, slots=True)
class LogisticCalibration:
    """From a similarity to P(one individual) = 1 / (1 + exp(-(slope * similarity + offset)))."""

    slope: float
    offset: float

    def __call__(self, similarity: float) -> float:
        return float(expit(self.slope * similarity + self.offset))

    @classmethod
    def fit(cls, genuine: Float64, impostor: Float64) -> LogisticCalibration:
        """The likeliest curve of similarities float64 [n] of pairs of one individual, and [m] of different ones.

        The targets stay off 0 and 1 by what the numbers of pairs can tell (Platt 1999), both kinds weigh the same.
        """
        x = np.concatenate([genuine, impostor])
        middle, spread = float(x.mean()), float(x.std()) or 1.0
        z = (x - middle) / spread
        right, wrong = (len(genuine) + 1) / (len(genuine) + 2), 1 / (len(impostor) + 2)
        target = np.concatenate([np.full(len(genuine), right), np.full(len(impostor), wrong)])
        weight = np.concatenate([np.full(len(genuine), 1 / len(genuine)), np.full(len(impostor), 1 / len(impostor))])

        def cost(line: Float64) -> tuple[float, Float64]:
            of_one = line[0] * z + line[1]
            loss = float((weight * (np.logaddexp(0, of_one) - target * of_one)).sum())
            off = weight * (expit(of_one) - target)
            return loss, np.array([(off * z).sum(), off.sum()])

        slope, offset = minimize(cost, np.array([1.0, 0.0]), jac=True, bounds=[(1e-6, None), (None, None)]).x
        return cls(float(slope / spread), float(offset - slope * middle / spread))


class WildFusionMatcher:
    """The mean of both probabilities as the confidence of one match of the whole photos.

    Parameters
    ----------
    local : OtherKeypoints
        Its sure matches are counted; the logarithm of their number is the local similarity.
    embedding : EmbeddingMatcher
        The global one.
    curves : pair of LogisticCalibration or None
        Of the local and the global similarity; None until `calibrated` learns them on a catalogue's pairs.
    """

    def __init__(
        self,
        local: OtherKeypoints,
        embedding: EmbeddingMatcher,
        curves: tuple[LogisticCalibration, LogisticCalibration] | None = None,
    ) -> None:
        told = "" if curves is None else f"-{hashlib.sha256(repr(curves).encode()).hexdigest()[:8]}"
        self.id = f"wildfusion-{local.id}+{embedding.id}{told}"
        self.local = local
        self._embedding = embedding
        self._curves = curves

    @property
    def beside(self) -> tuple[str, ...]:
        """What both read."""
        return (*self.local.beside, *self._embedding.beside)

    def prepare(self, photos: Sequence[LocalFeatures]) -> None:
        """As `ReadsBeside.prepare`."""
        self.local.prepare(photos)
        self._embedding.prepare(photos)

    def with_curves(self, of_local: LogisticCalibration, of_embedding: LogisticCalibration) -> WildFusionMatcher:
        """The same, calibrated."""
        return WildFusionMatcher(self.local, self._embedding, (of_local, of_embedding))

    def similarities(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> Float64:
        """Local and global similarity of the query and n candidates, float64 [2, n]. Raises as the matchers."""
        local = [np.log1p((one.confidence > SURE).sum()) for one in self.local.match(query, candidates)]
        alike = [float(one.confidence[0]) for one in self._embedding.match(query, candidates)]
        return np.array([local, alike], np.float64)

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`. Raises InputError before it is calibrated, and as the matchers."""
        del first_matches  # they number other keypoints
        if self._curves is None:
            raise InputError(
                "wildfusion has to be calibrated on a catalogue's photos, which `turtleidx evaluate --against "
                "system:wildfusion` does; it answers no queries."
            )
        of_local, of_embedding = self._curves
        return [
            of_whole_photos((of_local(local) + of_embedding(alike)) / 2)
            for local, alike in self.similarities(query, candidates).T.tolist()
        ]
