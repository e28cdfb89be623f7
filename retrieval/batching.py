"""Batched adaptive inference of LightGlue: one query against many candidates, each pair as if it were alone.

Candidates with the same number of keypoints form batches without masks. After every layer the pairs whose keypoints
are settled are assigned and leave the batch, which closes up; the query's own work before it first looks at a
candidate is done once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from index.errors import DeviceUnavailable
from index.types import LocalFeatures, Matches
from retrieval.lightglue import LightGlue, Rotary, TransformerLayer, normalise


@dataclass(frozen=True, slots=True)
class Tokens:
    """Keypoints of B photos inside the network: features x [B, n, d] and their position encoding."""

    x: Tensor
    rotary: Rotary

    def take(self, rows: Tensor) -> Tokens:
        return Tokens(self.x[rows], Rotary(self.rotary.cos[rows], self.rotary.sin[rows]))


@dataclass(frozen=True, slots=True)
class Assigned:
    """Mutual matches of B pairs: for each query keypoint the candidate's, -1 for none, and the confidence, [B, m]."""

    partner: Tensor
    confidence: Tensor


class LightGlueMatcher:
    """A LightGlue network as a matcher.

    Parameters
    ----------
    network : LightGlue
    weights : str
        Names the weights: their name and the beginning of their hash.
    device : torch.device, optional
        See `choose_device`.
    memory : int
        Bytes that the activations of one batch may take, roughly.
    """

    def __init__(
        self, network: LightGlue, weights: str, device: torch.device | None = None, memory: int = 128 << 20
    ) -> None:
        self.network = network
        self.device = device or choose_device()
        self.memory = memory
        self._engine = network.to(self.device).eval()
        self._layers = [layer for layer in network.transformers if isinstance(layer, TransformerLayer)]
        exit_rule = network.config.depth_confidence
        self.id = f"lightglue-{weights}" + ("" if exit_rule is None else f"-exit{exit_rule:g}")

    def match(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        """All mutual matches with each candidate; confidences equal those of the pair alone."""
        found = [Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32)) for _ in candidates]
        if not len(query):
            return found
        with torch.inference_mode():
            own = self._tokens([query])
            for rows in self._batches(query, candidates):
                others = self._tokens([candidates[row] for row in rows])
                for row, matches in zip(rows, _fetch(self._assign(own, others)), strict=True):
                    found[row] = matches
        return found

    def _tokens(self, photos: Sequence[LocalFeatures]) -> Tokens:
        """Project, encode and self-attend photos of equal keypoint count once: all that no other photo influences."""
        descriptors, positions = self._inputs(photos)
        rotary = self._engine.posenc(positions)
        x = self._engine.input_proj(descriptors)
        return Tokens(self._layers[0].self_attn(x, rotary), rotary)

    def _inputs(self, photos: Sequence[LocalFeatures]) -> tuple[Tensor, Tensor]:
        def stack(arrays: Sequence[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(arrays)).to(self.device)

        descriptors = stack([photo.descriptors for photo in photos])
        positions = normalise(
            stack([photo.xy for photo in photos]),
            stack([photo.scale for photo in photos]),
            stack([photo.orientation for photo in photos]),
            torch.tensor([photo.size for photo in photos], dtype=torch.float32, device=self.device),
            self._engine.config.add_scale_ori,
        )
        return comparable(descriptors), positions

    def _batches(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> Iterator[list[int]]:
        """Row numbers of candidates with equal keypoint count, as many as memory allows."""
        by_count = defaultdict(list)
        for row, candidate in enumerate(candidates):
            by_count[len(candidate)].append(row)
        by_count.pop(0, None)
        for count, rows in by_count.items():
            most = max(1, self.memory // self._pair_bytes(len(query), count))
            # batches of nearly one size, not full ones and a small rest
            for chunk in np.array_split(np.array(rows), -(-len(rows) // most)):
                yield chunk.tolist()

    def _pair_bytes(self, m: int, n: int) -> int:
        """Activations that a pair needs at once: the update network of one side, or the assignment."""
        return 4 * (12 * self._engine.config.descriptor_dim * (m + n) + 3 * m * n)

    def _assign(self, query: Tokens, others: Tokens) -> Assigned:
        engine = self._engine
        pairs = len(others.x)
        own = query.take(torch.zeros(pairs, dtype=torch.long, device=self.device))
        rows = torch.arange(pairs, device=self.device)
        result = Assigned(rows.new_full(own.x.shape[:2], -1), own.x.new_zeros(own.x.shape[:2], dtype=torch.float32))
        last = engine.config.n_layers - 1
        for layer in range(last + 1):
            x0, x1 = own.x, others.x
            if layer:
                x0 = self._layers[layer].self_attn(x0, own.rotary)
                x1 = self._layers[layer].self_attn(x1, others.rotary)
            x0, x1 = self._layers[layer].cross_attn(x0, x1)
            own, others = Tokens(x0, own.rotary), Tokens(x1, others.rotary)
            done = torch.ones_like(rows, dtype=torch.bool) if layer == last else settled(engine, layer, x0, x1)
            if not bool(done.any()):
                continue
            leaving, staying = done.nonzero().squeeze(1), (~done).nonzero().squeeze(1)
            assigned = mutual(engine.log_assignment[layer](x0[leaving].float(), x1[leaving].float()).log_scores)
            result.partner[rows[leaving]], result.confidence[rows[leaving]] = assigned.partner, assigned.confidence
            if not len(staying):
                break
            rows, own, others = rows[staying], own.take(staying), others.take(staying)
        return result


def settled(network: LightGlue, layer: int, x0: Tensor, x1: Tensor) -> Tensor:
    """Which pairs may stop after `layer`, bool [B]: enough keypoints are confident of their assignment."""
    share = network.config.depth_confidence
    if share is None:
        return torch.zeros(len(x0), dtype=torch.bool, device=x0.device)
    head = network.token_confidence[layer]
    confidence = torch.cat((head(x0.float()), head(x1.float())), -1)
    unsure = (confidence < network.config.confidence_threshold(layer)).sum(-1)
    return 1.0 - unsure.float() / confidence.shape[-1] > share


def mutual(log_scores: Tensor) -> Assigned:
    """Keypoints that prefer each other in `log_scores` [B, m, n], all of them whatever their confidence."""
    best, forth = log_scores.max(2)
    back = log_scores.argmax(1)
    agreed = back.gather(1, forth) == torch.arange(forth.shape[1], device=forth.device)
    return Assigned(torch.where(agreed, forth, -1), torch.where(agreed, best.exp(), 0.0))


def comparable(descriptors: Tensor) -> Tensor:
    """Descriptors [..., n, d] as networks want them, float32: RootSIFT of SIFT's bytes, as `keypoints.rootsift`."""
    values = descriptors.float()
    if descriptors.dtype != torch.uint8:
        return values
    return (values / values.sum(-1, keepdim=True).clamp(min=1.0)).sqrt()


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name` (`cpu`, `cuda`, `cuda:1`), or the GPU if there is one, else the CPU.

    Raises
    ------
    DeviceUnavailable
        A GPU was asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name is None:
        return torch.device("cuda" if there else "cpu")
    if name.startswith("cuda") and not there:
        raise DeviceUnavailable(f"there is no GPU for --device {name}: leave the option out to run on the CPU.")
    return torch.device(name)


def _fetch(assigned: Assigned) -> Iterator[Matches]:
    partner, confidence = assigned.partner.cpu().numpy(), assigned.confidence.cpu().numpy()
    for of_pair, how_sure in zip(partner, confidence, strict=True):
        matched = np.flatnonzero(of_pair >= 0)
        yield Matches(np.stack((matched, of_pair[matched]), 1).astype(np.int32), how_sure[matched])
