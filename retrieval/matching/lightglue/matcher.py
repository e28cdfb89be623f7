"""Batched adaptive inference of LightGlue: one query against many candidates, each pair as if it were alone.

Candidates with the same number of keypoints form batches without masks. After every layer the pairs whose keypoints
are settled are assigned and leave the batch, which closes up. One photo of a pair is turned to lie like the other, in
steps of an eighth of a circle, and the query's own work before it first looks at a candidate is done once a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from index.types import Int32, LocalFeatures, Matches
from retrieval.devices import choose_device, choose_memory, choose_precision, side_by_side
from retrieval.matching.cascade import choose_first_stage
from retrieval.matching.device_features import resident_on, sent
from retrieval.matching.lightglue.assignment import Assigned, FusedAssignment
from retrieval.matching.lightglue.config import matcher_id, require_descriptors
from retrieval.matching.lightglue.fused import FusedLayer
from retrieval.matching.lightglue.gpu import TiledLayer, beside, kernels_for
from retrieval.matching.lightglue.network import LightGlue, MatchAssignment, TransformerLayer
from retrieval.matching.lightglue.positions import normalise, turned
from retrieval.matching.lightglue.rotation import rotations
from retrieval.matching.lightglue.workspace import Workspace
from retrieval.matching.nearest_gpu import equal_counts
from retrieval.matching.verification import has_frames


@dataclass(frozen=True, slots=True)
class Tokens:
    """Keypoints of B photos inside the network.

    Attributes
    ----------
    x : [B, n, d]
        In the precision that is computed with.
    rotary : complex64 [B, 1, n, d / h / 2]
        Position encoding.
    """

    x: Tensor
    rotary: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PendingMatches:
    """What was assigned to the pairs of a batch, on its way to main memory; `done` says when it is there."""

    partner: Tensor
    confidence: Tensor
    done: torch.cuda.Event | None

    @classmethod
    def of(cls, assigned: Assigned) -> PendingMatches:
        """Begin to copy; a GPU goes on with the next batch meanwhile."""
        if assigned.partner.device.type == "cpu":
            return cls(assigned.partner, assigned.confidence, None)
        partner, confidence = (one.to("cpu", non_blocking=True) for one in (assigned.partner, assigned.confidence))
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        return cls(partner, confidence, done)

    def matches(self) -> list[Matches]:
        """Of each pair, once they are there."""
        if self.done is not None:
            self.done.synchronize()
        found = []
        for of_pair, how_sure in zip(self.partner.numpy(), self.confidence.numpy(), strict=True):
            matched = np.flatnonzero(of_pair >= 0)
            found.append(Matches(np.stack((matched, of_pair[matched]), 1).astype(np.int32), how_sure[matched]))
        return found


class LightGlueMatcher:
    """A LightGlue network as a matcher.

    Parameters
    ----------
    network : LightGlue
    weights : str
        Names the weights: their name and the beginning of their hash.
    device : torch.device, optional
        See `choose_device`.
    precision : torch.dtype, optional
        Of the attention layers, see `choose_precision`; position encoding, exit and assignment stay float32.
    memory : int, optional
        Bytes that the activations of one batch may take, roughly: 64 MiB on a CPU, whose cache is left by larger
        batches; 4 GiB on a GPU, which gains nothing by more, or a quarter of what is free if that is less.
    threads : int, optional
        How many batches are matched at once, each on one thread: as many as torch has on a CPU, one on a GPU.
    """

    def __init__(
        self,
        network: LightGlue,
        weights: str,
        device: torch.device | None = None,
        precision: torch.dtype | None = None,
        memory: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.device = device or choose_device()
        self.precision = precision or choose_precision(self.device)
        self.memory = memory or choose_memory(self.device)
        self.threads = threads or (torch.get_num_threads() if self.device.type == "cpu" else 1)
        self.network = network.to(self.device).eval()
        self._look = choose_first_stage(self.device)
        fused: list[FusedLayer] = []
        for layer in network.transformers:
            assert isinstance(layer, TransformerLayer)
            fused.append(FusedLayer(layer, fused[-1] if fused else None, self.device, self.precision))
        kernels = kernels_for(network.config.descriptor_dim, network.config.num_heads, self.device, self.precision)
        self._layers: Sequence[FusedLayer | TiledLayer] = fused
        if kernels is not None:
            self._layers = [TiledLayer(layer, kernels) for layer in fused]
        self._assignments = [
            FusedAssignment(head, self.device, kernels)
            for head in network.log_assignment
            if isinstance(head, MatchAssignment)
        ]
        self.id = matcher_id(weights, network.config)

    def match(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None = None
    ) -> list[Matches]:
        """As `Matcher.match`; confidences equal those of the pair alone.

        Raises
        ------
        InputError
            The network was trained for other descriptors.
        """
        require_descriptors(query, self.id, self.network.config)
        found = [Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32)) for _ in candidates]
        if not len(query) or not len(candidates):
            return found
        lying = self._rotations(query, candidates, first_matches)
        turns, turn_of = np.unique(np.maximum(lying, 0), return_inverse=True)
        free = [Workspace() for _ in range(self.threads)]
        with torch.inference_mode(), self._here():
            ways = self._tokens([query] * len(turns), turns, free[0])

        def assign(rows: list[int]) -> PendingMatches:
            room = free.pop()
            try:
                with torch.inference_mode(), self._here():
                    own = self.take_rows(ways, sent(torch.from_numpy(turn_of[rows]), self.device))
                    others = self._tokens([candidates[row] for row in rows], -np.minimum(lying[rows], 0), room)
                    return PendingMatches.of(self.assign(own, others, room))
            finally:
                free.append(room)

        batches = equal_counts(
            candidates, lambda count: self.memory // self._pair_bytes(len(query), count), self.threads
        )
        # without early exit a GPU computes while what follows is collated, and what came before is taken apart
        for rows, arriving in zip(batches, side_by_side(assign, batches, self.threads), strict=True):
            for row, of_pair in zip(rows, arriving.matches(), strict=True):
                found[row] = of_pair
        return found

    def _here(self) -> AbstractContextManager[object]:
        """Makes the matcher's GPU the one that Triton launches on, which does not look where the tensors are."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _rotations(
        self, query: LocalFeatures, candidates: Sequence[LocalFeatures], first_matches: Sequence[Matches] | None
    ) -> Int32:
        if not has_frames(query):
            return np.zeros(len(candidates), np.int32)
        return rotations(query, candidates, self._look(query, candidates) if first_matches is None else first_matches)

    def _tokens(self, photos: Sequence[LocalFeatures], eighths: Int32, room: Workspace) -> Tokens:
        """Photos of equal keypoint count, each turned by so many eighths, through all that no other photo influences.

        That is the projection, the position encoding and the first self-attention.
        """
        features = resident_on(self.device).collate(photos)
        keypoints = features.keypoints
        if eighths.any():
            keypoints = turned(keypoints, features.size, sent(torch.from_numpy(eighths), self.device))
        xy, scale, orientation = torch.split(keypoints, [2, 1, 1], -1)
        config = self.network.config
        positions = normalise(
            xy, scale.squeeze(-1), orientation.squeeze(-1), features.size, config.add_scale_ori, config.frames
        )
        encoding = self.network.posenc(positions)
        rotary = torch.complex(encoding.cos, encoding.sin)
        x = self._laid_out(self.network.input_proj(features.comparable()).to(self.precision))
        self._layers[0].self_attention(x, rotary, room)
        return Tokens(x, rotary)

    def take_rows(self, tokens: Tokens, rows: Tensor) -> Tokens:
        """Those pairs of a batch."""
        return Tokens(self._laid_out(tokens.x[rows]), tokens.rotary[rows])

    def _laid_out(self, x: Tensor) -> Tensor:
        """`x` as the layers want it."""
        return beside(x) if isinstance(self._layers[0], TiledLayer) else x

    def _pair_bytes(self, m: int, n: int) -> int:
        """Activations that a pair needs at once: the update network of one side, or the assignment."""
        return 4 * (12 * self.network.config.descriptor_dim * (m + n) + 3 * m * n)

    def assign(self, own: Tokens, others: Tokens, room: Workspace) -> Assigned:
        """Match B pairs, each as deep as it needs; both sides have been through the first self-attention.

        Overwrites them.
        """
        pairs, count = own.x.shape[:2]
        result = Assigned(
            torch.full((pairs, count), -1, device=self.device), torch.zeros((pairs, count), device=self.device)
        )
        rows = torch.arange(pairs, device=self.device)
        for depth, layer in enumerate(self._layers):
            if depth:
                layer.self_attention(own.x, own.rotary, room)
                layer.self_attention(others.x, others.rotary, room)
            layer.cross_attention(own.x, others.x, room)
            last = depth == len(self._layers) - 1
            if not last and self.network.config.depth_confidence is None:
                continue
            x0, x1 = own.x + layer.offset, others.x + layer.offset
            some: Tensor | slice = slice(None)  # which copies nothing
            if not last:  # else nobody is asked, because an answer has to be waited for
                done = settled(self.network, depth, x0, x1)
                leaving = done.nonzero().squeeze(1)
                if not len(leaving):
                    continue
                last = len(leaving) == len(rows)
                some = some if last else leaving
            assigned = self._assignments[depth](x0[some], x1[some], room)
            result.partner[rows[some]] = assigned.partner
            result.confidence[rows[some]] = assigned.confidence
            if last:
                break
            staying = (~done).nonzero().squeeze(1)
            rows, own, others = rows[staying], self.take_rows(own, staying), self.take_rows(others, staying)
        return result


def settled(network: LightGlue, layer: int, x0: Tensor, x1: Tensor) -> Tensor:
    """Which pairs stop after `layer`, bool [B]: enough of their keypoints are sure of their assignment."""
    share = network.config.depth_confidence
    if layer == network.config.n_layers - 1:
        return torch.ones(len(x0), dtype=torch.bool, device=x0.device)
    if share is None:
        return torch.zeros(len(x0), dtype=torch.bool, device=x0.device)
    head = network.token_confidence[layer]
    confidence = torch.cat((head(x0), head(x1)), -1)
    unsure = (confidence < network.config.confidence_threshold(layer)).sum(-1)
    return 1.0 - unsure.float() / confidence.shape[-1] > share
