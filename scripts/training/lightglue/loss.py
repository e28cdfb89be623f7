"""What the network is taught: true matches, unmatchability of everything else, true pairs before false ones.

The last is off unless asked for: it makes the last layers surer of drawn pairs, and less use on photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from retrieval.matching.lightglue.network import Assignment, LightGlue
from training.lightglue.batches import Batch
from training.lightglue.correspondence import UNMATCHED


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutput:
    """Descriptors of both photos after a layer, [B, n, d] each."""

    first: Tensor
    second: Tensor


def run_layers(network: LightGlue, batch: Batch) -> list[LayerOutput]:
    """Every layer's descriptors, in order."""
    x0, x1 = network.input_proj(batch.first.descriptors), network.input_proj(batch.second.descriptors)
    rotary0, rotary1 = network.posenc(batch.first.positions), network.posenc(batch.second.positions)
    outputs = []
    for layer in network.transformers:
        x0, x1 = layer(x0, x1, rotary0, rotary1)
        outputs.append(LayerOutput(x0, x1))
    return outputs


def _assigned(head: nn.Module, output: LayerOutput) -> Assignment:
    """In float32 whatever the layers compute in: bfloat16 would round log probabilities to a hundredth."""
    with torch.autocast(output.first.device.type, enabled=False):
        assignment: Assignment = head(output.first.float(), output.second.float())
    return assignment


def assignment_loss(assignment: Assignment, batch: Batch) -> Tensor:
    """Equation 11 of the LightGlue paper for every pair [B]; pairs without a match have the unmatched terms only."""
    truth = batch.truth_first
    true = truth >= 0
    log_scores = assignment.log_scores.gather(2, truth.clamp(min=0).unsqueeze(2)).squeeze(2)
    matched = -(log_scores * true).sum(1) / true.sum(1).clamp(min=1)
    unmatched = _unmatched(assignment.matchability0, truth) + _unmatched(assignment.matchability1, batch.truth_second)
    return matched + 0.5 * unmatched


def _unmatched(matchability: Tensor, truth: Tensor) -> Tensor:
    alone = truth == UNMATCHED
    return (F.softplus(matchability) * alone).sum(1) / alone.sum(1).clamp(min=1)


def ranking_loss(assignment: Assignment, batch: Batch) -> Tensor:
    """How far false pairs of the batch come near its true pairs, by the logarithm of the expected number of matches.

    Identification compares pairs with each other, across turtles and conditions, and so does this.
    """
    evidence = assignment.log_scores.flatten(1).logsumexp(1)
    gaps = evidence[~batch.same][None, :] - evidence[batch.same][:, None]
    return F.softplus(gaps).mean() if gaps.numel() else evidence.sum() * 0.0


def training_loss(network: LightGlue, batch: Batch, inner_layer: int | None, ranking: float = 0.0) -> Tensor:
    """The last layer's loss plus half of that of one inner layer, which a step draws by chance: cheaper than all.

    Parameters
    ----------
    ranking : float
        Weight of the ranking of pairs beside the likelihood of matches.
    """
    outputs = run_layers(network, batch)
    last = outputs[-1]
    final = _assigned(network.log_assignment[-1], last)
    loss = assignment_loss(final, batch).mean()
    if ranking:
        loss = loss + ranking * ranking_loss(final, batch)
    if inner_layer is not None:
        inner = outputs[inner_layer]
        between = _assigned(network.log_assignment[inner_layer], inner)
        loss = loss + 0.5 * assignment_loss(between, batch).mean()
    return loss


def confidence_loss(network: LightGlue, batch: Batch) -> Tensor:
    """Second stage: each layer learns to foretell whether its keypoints' assignments are already the final ones."""
    with torch.no_grad():
        outputs = run_layers(network, batch)
        choices = [_choices(_assigned(head, o)) for head, o in zip(network.log_assignment, outputs, strict=True)]
    total = torch.zeros((), device=batch.first.descriptors.device)
    for head, output, choice in zip(network.token_confidence, outputs[:-1], choices[:-1], strict=True):
        for x, chosen, final in ((output.first, choice[0], choices[-1][0]), (output.second, choice[1], choices[-1][1])):
            total = total + F.binary_cross_entropy(head(x), (chosen == final).float())
    return total / (2 * max(1, len(network.token_confidence)))


def _choices(assignment: Assignment) -> tuple[Tensor, Tensor]:
    """The best counterpart of every keypoint, or -1 where none is likelier than not."""
    chosen = []
    for dim in (2, 1):
        best = assignment.log_scores.max(dim)
        chosen.append(torch.where(best.values > -2.303, best.indices, -1))
    return chosen[0], chosen[1]
