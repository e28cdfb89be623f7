"""How well a network matches drawn turtles that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from retrieval.matching.lightglue.network import LightGlue
from training.lightglue.batches import Batch, Mixture, PairSource
from training.lightglue.loss import assignment_loss
from training.lightglue.synthetic_pairs import Flock

SEED = 77
COUNTED = 0.1
"""Confidence from which a match counts in precision and recall."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Loss, precision and recall of matches on true pairs, area under the ROC of true against hard false pairs.

    `auc` scores a pair by its summed confidence; `auc_nearest` by its mutual nearest neighbours under a distance ratio
    of 0.9, for comparison on the same pairs.
    """

    loss: float
    precision: float
    recall: float
    auc: float
    auc_nearest: float


@torch.inference_mode()
def validate(network: LightGlue, flocks: Sequence[Flock], batches: int, keypoints: int = 256) -> Figures:
    """Figures over `batches` x 16 pairs, half true, half of another individual of the species; always the same ones."""
    device = next(network.parameters()).device
    source = PairSource(flocks, 16, keypoints, Mixture(hard=0.5, easy=0.0, mirrored=0.0), vary=False)
    losses, scores, nearest, same = [], [], [], []
    found, right, true = 0, 0, 0
    for batch in islice(source.batches(SEED), batches):
        on_device = batch.to(device)
        first, second = on_device.first, on_device.second
        assignment = network(first.descriptors, first.positions, second.descriptors, second.positions)
        losses.append(float(assignment_loss(assignment, on_device).mean()))
        columns, confidence = _mutual(assignment.log_scores)
        scores.append(confidence.sum(1).double().cpu().numpy())
        nearest.append(_nearest_count(batch))
        same.append(batch.same.numpy())
        truth = on_device.truth_first
        judged = (confidence > COUNTED) & (truth != -2) & on_device.same[:, None]
        found += int(judged.sum())
        right += int((judged & (columns == truth)).sum())
        true += int((truth >= 0).sum())
    positive = np.concatenate(same)
    return Figures(
        loss=float(np.mean(losses)),
        precision=right / max(found, 1),
        recall=right / max(true, 1),
        auc=area(np.concatenate(scores), positive),
        auc_nearest=area(np.concatenate(nearest), positive),
    )


def area(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties by half."""
    gap = scores[positive][:, None] - scores[~positive][None, :]
    return float((gap > 0).mean() + 0.5 * (gap == 0).mean()) if gap.size else float("nan")


def _mutual(log_scores: Tensor) -> tuple[Tensor, Tensor]:
    """For each first keypoint its best counterpart, and the confidence where the choice is mutual, else 0."""
    best, other = log_scores.max(2), log_scores.max(1)
    rows = torch.arange(log_scores.shape[1], device=log_scores.device)
    mutual = other.indices.gather(1, best.indices) == rows
    return best.indices, torch.where(mutual, best.values.exp(), 0.0)


def _nearest_count(batch: Batch) -> npt.NDArray[np.float64]:
    similarity = batch.first.descriptors @ batch.second.descriptors.mT
    top = similarity.topk(2, dim=2).values
    distance = (2 - 2 * top).clamp(min=0).sqrt()
    _, confidence = _mutual(similarity - 1)
    return ((confidence > 0) & (distance[..., 0] < 0.9 * distance[..., 1])).sum(1).double().numpy()
