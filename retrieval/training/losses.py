"""Losses of metric learning by their names, and which pairs of a batch they are about.

Two photos are a positive pair where they show one turtle's one side on two occasions: photos of one occasion are near
duplicates and would be learnt by their water. They are a negative pair where they show two turtles.
"""

from __future__ import annotations

from enum import StrEnum

import torch
from pytorch_metric_learning import losses
from torch import Tensor, nn


class MetricLoss(StrEnum):
    """Sun et al. 2020 (circle), Hermans et al. 2017 (triplet, batch hard), Deng et al. 2019 (arcface)."""

    CIRCLE = "circle"
    TRIPLET = "triplet"
    ARCFACE = "arcface"


Pairs = tuple[Tensor, Tensor, Tensor, Tensor]


def pairs_of(sides: Tensor, turtles: Tensor, occasions: Tensor) -> Pairs:
    """Positive and negative pairs of a batch, as pytorch-metric-learning takes them.

    Parameters
    ----------
    sides, turtles, occasions : int64 [n]
        Codes of the turtle's side, of the turtle, and of the occasion of each photo.
    """
    same = (sides[:, None] == sides) & (occasions[:, None] != occasions)
    different = turtles[:, None] != turtles
    return (*torch.where(same), *torch.where(different))


class LossOfPairs(nn.Module):
    """One of the losses on a batch of embeddings.

    Parameters
    ----------
    classes : int
        Sides of turtles, which ArcFace has weights for.
    dimension : int
        Of an embedding.
    """

    def __init__(self, name: MetricLoss, classes: int, dimension: int) -> None:
        super().__init__()
        self.name = name
        if name is MetricLoss.CIRCLE:
            self._loss: nn.Module = losses.CircleLoss(m=0.4, gamma=80)
        elif name is MetricLoss.TRIPLET:
            self._loss = losses.TripletMarginLoss(margin=0.2)
        else:
            self._loss = losses.ArcFaceLoss(classes, dimension)

    def forward(self, embeddings: Tensor, sides: Tensor, turtles: Tensor, occasions: Tensor) -> Tensor:
        """Embeddings float32 [n, d]; codes as in `pairs_of`. A loss of one number."""
        if self.name is MetricLoss.ARCFACE:
            loss: Tensor = self._loss(embeddings, sides)
            return loss
        pairs = pairs_of(sides, turtles, occasions)
        if self.name is MetricLoss.TRIPLET:
            pairs = _hardest(embeddings, pairs)
        about_pairs: Tensor = self._loss(embeddings, sides, pairs)
        return about_pairs


def _hardest(embeddings: Tensor, pairs: Pairs) -> Pairs:
    """For each anchor its least similar positive and its most similar negative."""
    unit = nn.functional.normalize(embeddings.detach())
    anchors, positives, other_anchors, negatives = pairs
    like = unit @ unit.T
    return (*_best(-like, anchors, positives), *_best(like, other_anchors, negatives))


def _best(merit: Tensor, anchors: Tensor, partners: Tensor) -> tuple[Tensor, Tensor]:
    allowed = torch.full_like(merit, -torch.inf)
    allowed[anchors, partners] = merit[anchors, partners]
    has = torch.isfinite(allowed.max(1).values)
    rows = torch.where(has)[0]
    return rows, allowed.argmax(1)[rows]
