"""LightGlue's assignment for inference: who prefers whom, without keeping scores for every pair of keypoints.

Against `lightglue.MatchAssignment`: one similarity is scored where it lies, instead of copies of it. What is the same
for all of a keypoint's counterparts does not change which of them it prefers, so each side is asked before its own
part is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F

from retrieval.matching.lightglue.network import MatchAssignment
from retrieval.matching.lightglue.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Assigned:
    """Mutual matches of B pairs: for each query keypoint the candidate's, -1 for none, and the confidence, [B, m]."""

    partner: Tensor
    confidence: Tensor


class FusedAssignment:
    """`lightglue.MatchAssignment` and the choice of mutual matches, in float32 on `device`.

    Parameters
    ----------
    kernels : module or None
        `gpu.kernels`, on a GPU where they pay.
    """

    def __init__(self, head: MatchAssignment, device: torch.device, kernels: ModuleType | None = None) -> None:
        project = head.final_proj
        scale = project.out_features**-0.25  # each side bears half of it
        self._weight = (scale * project.weight).detach().to(device)
        self._bias = (scale * project.bias).detach().to(device)
        self._matchability = head.matchability.to(device)
        self._kernels = kernels

    def __call__(self, x0: Tensor, x1: Tensor, room: Workspace) -> Assigned:
        """Keypoints of `x0` [B, m, d] and `x1` [B, n, d] that prefer each other, all whatever their confidence."""
        # on a CPU one pair at a time, whose similarity then stays in the cache
        step = 1 if x0.device.type == "cpu" else len(x0)
        parts = [self._mutual(x0[at : at + step], x1[at : at + step], room) for at in range(0, len(x0), step)]
        partner, confidence = zip(*((one.partner, one.confidence) for one in parts), strict=True)
        return Assigned(torch.cat(partner), torch.cat(confidence))

    def _mutual(self, x0: Tensor, x1: Tensor, room: Workspace) -> Assigned:
        own, other = self._projected(x0), self._projected(x1)
        rows, columns = (F.logsigmoid(self._matchability(x).squeeze(-1)) for x in (x0, x1))
        if self._kernels is not None:
            similarity = self._kernels.similarities(own, other)
            over, down = self._kernels.log_sums(similarity)
            rows -= over
            columns -= down
            best, forth, back = self._kernels.favourites(similarity, rows, columns)
        else:
            shape = (len(x0), x0.shape[1], x1.shape[1])
            similarity, spare = room.take("similarities", shape, x0), room.take("exponentials", shape, x0)
            torch.bmm(own, other.mT, out=similarity)
            rows -= _log_sum(similarity, 2, spare)
            columns -= _log_sum(similarity, 1, spare)
            best, forth = similarity.mul_(2).add_(columns[:, None, :]).max(2)
            back = similarity.add_(rows[:, :, None]).max(1).indices  # twice as fast as argmax
        agreed = back.gather(1, forth) == torch.arange(x0.shape[1], device=x0.device)
        return Assigned(torch.where(agreed, forth, -1), torch.where(agreed, (best + rows).exp(), 0.0))

    def _projected(self, x: Tensor) -> Tensor:
        if self._kernels is None:
            return F.linear(x, self._weight, self._bias)
        flat: Tensor = self._kernels.similarities(x.flatten(0, 1)[None], self._weight[None], self._bias)
        return flat.view_as(x)


def _log_sum(values: Tensor, dim: int, spare: Tensor) -> Tensor:
    """log Σ exp(values) along `dim`; overwrites `spare`, which is as large as `values`."""
    largest = values.amax(dim, keepdim=True)
    return torch.sub(values, largest, out=spare).exp_().sum(dim).log_().add_(largest.squeeze(dim))
