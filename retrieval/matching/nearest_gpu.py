"""The cascade's first look at many candidates at once, on a GPU: what `nearest` and `kernels` do on a CPU.

Pairs that no measure tells apart aside, both give the same matches and confidences. On a CPU compiled loops are the
faster, because a pair costs only as much as it has matches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from index.types import LocalFeatures, Matches
from retrieval.matching.device_features import resident_on
from retrieval.matching.kernels import SAME
from retrieval.matching.verification import Verification, in_order

ALIKE = float(SAME) ** 2 / 2
"""One minus the similarity of vectors that count as the same."""


@dataclass(frozen=True, slots=True)
class PairedFrames:
    """Matches of B pairs as places, scale changes and rotations, k rows each; `weight` 0 fills what a pair lacks.

    Which photo of a pair is the first says `retrieval.matching.verification.in_order`.

    Attributes
    ----------
    source, target : complex64 [B, k]
        Keypoints of the first and the second photo, x + iy.
    zoom, turn, weight : float32 [B, k]
        Logarithm of the scale's ratio, difference of orientations in radians, confidence.
    side : float32 [B, 1]
        The second photo's longer side in pixels.
    """

    source: Tensor
    target: Tensor
    zoom: Tensor
    turn: Tensor
    weight: Tensor
    side: Tensor


@torch.inference_mode()
def first_stage_gpu(
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    device: torch.device,
    memory: int = 1 << 30,
) -> list[Matches]:
    """Mutual nearest neighbours of `query` with each candidate that one affine map explains, as `cascade.first_stage`.

    Parameters
    ----------
    memory : int
        Bytes that the similarities and the votes of one batch may take.
    """
    found = [Matches(np.empty((0, 2), np.int32), np.empty(0, np.float32)) for _ in candidates]
    if not len(query):
        return found
    features, tolerances = resident_on(device), Verification()
    own = features.collate([query])
    described = F.normalize(own.comparable()[0], dim=-1)
    for rows in equal_counts(candidates, lambda n: memory // (64 * len(query) * max(n, len(query)))):
        photos = features.collate([candidates[row] for row in rows])
        partner, distinct = mutual_distinct(F.normalize(photos.comparable(), dim=-1) @ described.T)
        used = max(1, int((distinct > 0).sum(1).max()))
        weight, own_rows = distinct.sort(dim=1, descending=True, stable=True)
        weight, own_rows = weight[:, :used], own_rows[:, :used]
        other_rows = partner.gather(1, own_rows)
        forth = torch.tensor([in_order(query, candidates[row]) for row in rows], device=device)[:, None]
        ends = own.keypoints[0][own_rows], _rows(photos.keypoints, other_rows)
        first, second = (torch.where(forth[..., None], one, other) for one, other in (ends, ends[::-1]))
        frames = _paired(first, second, weight, torch.where(forth, photos.size, own.size))
        kept = torch.where(consistent(frames, tolerances), weight, 0.0)
        for row, mine, theirs, confidence in zip(
            rows, own_rows.cpu().numpy(), other_rows.cpu().numpy(), kept.cpu().numpy(), strict=True
        ):
            there = np.flatnonzero(confidence)
            there = there[np.argsort(mine[there])]
            found[row] = Matches(np.stack((mine[there], theirs[there]), 1).astype(np.int32), confidence[there])
    return found


def consistent(frames: PairedFrames, tolerances: Verification) -> Tensor:
    """Which matches agree on one affine map, bool [B, k]; the rule is that of `verification.verify`."""
    there = frames.weight > 0
    agree = _votes(frames, tolerances) & there[:, None, :]
    support = (agree * frames.weight[:, None, :]).sum(2).masked_fill(~there, -1.0)
    best = support.argmax(1, keepdim=True)
    inliers = agree.gather(1, best[..., None].expand(-1, -1, agree.shape[2]))[:, 0]
    zoom, turn = frames.zoom.gather(1, best), frames.turn.gather(1, best)
    plausible = (inliers | _alike(frames.zoom, frames.turn, zoom, turn, tolerances)) & there
    for _ in range(3):
        enough = inliers.sum(1, keepdim=True) >= tolerances.fewest
        inliers = enough & plausible & (_affine_error(frames, inliers) < tolerances.fine * frames.side)
    return inliers & (inliers.sum(1, keepdim=True) >= tolerances.fewest)


def _paired(first: Tensor, second: Tensor, weight: Tensor, size: Tensor) -> PairedFrames:
    """From keypoints [B, k, 4] of both sides: x, y, scale and orientation."""
    source, target = (torch.complex(one[..., 0], one[..., 1]) for one in (first, second))
    zoom, turn = (second[..., 2] / first[..., 2]).log(), second[..., 3] - first[..., 3]
    return PairedFrames(source, target, zoom, turn, weight, size.amax(1, keepdim=True))


def _rows(keypoints: Tensor, rows: Tensor) -> Tensor:
    return keypoints.gather(1, rows[..., None].expand(-1, -1, keypoints.shape[2]))


def _votes(frames: PairedFrames, tolerances: Verification) -> Tensor:
    """Row i: which matches agree with match i's own similarity; bool [B, k, k]."""
    factor = torch.polar(frames.zoom.exp(), frames.turn)
    apart = (frames.target - factor * frames.source)[..., None] + factor[..., None] * frames.source[:, None]
    near = (apart - frames.target[:, None]).abs() < (tolerances.coarse * frames.side)[..., None]
    zoom, turn = frames.zoom, frames.turn
    return near & _alike(zoom[:, None], turn[:, None], zoom[..., None], turn[..., None], tolerances)


def _alike(zoom: Tensor, turn: Tensor, other_zoom: Tensor, other_turn: Tensor, tolerances: Verification) -> Tensor:
    near = (zoom - other_zoom).abs() < float(np.log(tolerances.zoom))
    return near & ((turn - other_turn).cos() > float(np.cos(tolerances.turn)))


def _affine_error(frames: PairedFrames, inliers: Tensor) -> Tensor:
    """Distance [B, k] of each match from the affine map that fits the inliers best, by weighted least squares."""
    points = torch.view_as_real(frames.source).double()
    source = torch.cat((points, torch.ones_like(points[..., :1])), -1)
    target = torch.view_as_real(frames.target).double()
    weighted = source * (frames.weight * inliers).double()[..., None]
    # the pseudo-inverse, because matches on one line leave the map undetermined
    affine = torch.linalg.pinv(weighted.mT @ source, rtol=1e-12, hermitian=True) @ (weighted.mT @ target)
    error: Tensor = torch.linalg.vector_norm(source @ affine - target, dim=-1)
    return error


def equal_counts(photos: Sequence[LocalFeatures], most: Callable[[int], int], threads: int = 1) -> list[list[int]]:
    """Row numbers of photos in batches of one keypoint count; `most` says how many of a count go together.

    Where there are enough photos of a count, they make as many batches for each of the `threads`.
    """
    by_count = defaultdict(list)
    for row, photo in enumerate(photos):
        by_count[len(photo)].append(row)
    by_count.pop(0, None)
    batches: list[list[int]] = []
    for count, rows in by_count.items():
        needed = -(-len(rows) // max(1, most(count)))
        even = min(-(-needed // threads) * threads, len(rows))
        # batches of nearly one size, not full ones and a small rest
        batches += (batch.tolist() for batch in np.array_split(np.array(rows), even))
    return batches


def mutual_distinct(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """For `similarity` [B, n, m] of unit vectors, which it overwrites: each query keypoint's nearest and how distinct.

    Both [B, m]; distinctness is 0 where the match is not mutual.
    """
    best, partner = similarity.max(1)
    back = similarity.max(2).indices  # faster than argmax
    mutual = back.gather(1, partner) == torch.arange(similarity.shape[2], device=similarity.device)
    # without the mutual ones, which share no row or column, what is left of each is its second best
    rest = similarity.scatter_(1, partner[:, None], torch.where(mutual, -1.0, best)[:, None])
    second = torch.maximum(rest.amax(1), rest.amax(2).gather(1, partner))
    far = 1 - second  # half of the squared distance
    ratio = ((1 - best) / far.clamp(min=ALIKE)).clamp(0, 1).sqrt()
    return partner, torch.where(mutual & (far > ALIKE), 1 - ratio, 0.0)
