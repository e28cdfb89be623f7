"""Training of the small network that finds heads, on features that the frozen backbone gave once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from index.types import HeadBox, Pixels, Side
from retrieval.detection import (
    CELL,
    MARGIN,
    Backbone,
    HeadFinder,
    HeadNetwork,
    Levels,
    Predictions,
    coverage,
    mirrored,
)

BATCH = 16
RATE = 3e-3
ENOUGH = 0.9
"""Of a head that its enlarged box has to hold."""


class Labelled(Protocol):
    """A head in a photograph: side and angle are None where nobody told them."""

    @property
    def box(self) -> HeadBox: ...
    @property
    def side(self) -> Side | None: ...
    @property
    def profile(self) -> float: ...
    @property
    def angle(self) -> float | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A photograph as training sees it.

    Attributes
    ----------
    fine, middle, coarse : float16
        Of one photo (`Levels`).
    heads : float32 [n, 8]
        Left, top, right, bottom in cells; 1 for right, 0 for left; weight of the side; angle of the snout in the
        picture and its weight.
    cut_out : float
        1 for a head that was cut out, 0 for a photo that was not; -1 where it is both.
    """

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    heads: Tensor
    cut_out: float

    def tensors(self) -> dict[str, Tensor]:
        """For a file."""
        return {
            "fine": self.fine,
            "middle": self.middle,
            "coarse": self.coarse,
            "heads": self.heads,
            "cut_out": torch.tensor(self.cut_out),
        }

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> Example:
        """What `tensors` gave."""
        fine, middle, coarse, heads = (tensors[name] for name in ("fine", "middle", "coarse", "heads"))
        return cls(fine, middle, coarse, heads, float(tensors["cut_out"]))


def stored(backbone: Backbone, pixels: Pixels, heads: Sequence[Labelled], *, whole: bool | None) -> Example:
    """Features and labels of RGB uint8 [h, w, 3] with both sides multiples of the backbone's stride."""
    levels = backbone.levels([pixels])
    rows = []
    for one in heads:
        x, y, w, h = (value / CELL for value in (one.box.x, one.box.y, one.box.w, one.box.h))
        right = float(one.side is Side.RIGHT)
        known = one.profile if one.side in (Side.LEFT, Side.RIGHT) else 0.0
        snout = 0.0 if one.angle is None else (0.0 if right else np.pi) - one.angle
        rows.append([x, y, x + w, y + h, right, known, snout, float(one.angle is not None)])
    fine, middle, coarse = (level[0].half().clone() for level in (levels.fine, levels.middle, levels.coarse))
    cut_out = -1.0 if whole is None else float(whole)
    return Example(fine, middle, coarse, torch.tensor(rows, dtype=torch.float32).reshape(-1, 8), cut_out)


def train(
    examples: Sequence[Example],
    rounds: int,
    seed: int,
    network: HeadNetwork | None = None,
    rate: float = RATE,
    told: Callable[[int, float], None] | None = None,
) -> HeadNetwork:
    """A network trained on examples, from `network` on if it is given; `told` hears of each round and its mean loss."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    if network is None:
        network = HeadNetwork()
        network.standardise(*_statistics(examples))
    network = network.to(memory_format=torch.channels_last)  # CPUs compute it in half of the time
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    batches = [batch for _ in range(rounds) for batch in batched(examples, rng)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=len(batches) + 1, pct_start=0.15)
    network.train()
    losses = []
    per_round = max(1, len(batches) // rounds)
    for step, batch in enumerate(batches, 1):
        levels, heads, cut_out = _collated([examples[i] for i in batch], rng)
        loss = loss_of(network(levels), heads, cut_out)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if told is not None and step % per_round == 0:
            told(step // per_round, float(np.mean(losses[-per_round:])))
    return network.eval()


def batched(examples: Sequence[Example], rng: np.random.Generator) -> list[list[int]]:
    """Every example once, in batches of equal size, in random order."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i in rng.permutation(len(examples)):
        by_size.setdefault(tuple(examples[i].middle.shape), []).append(int(i))
    batches = [group[k : k + BATCH] for group in by_size.values() for k in range(0, len(group), BATCH)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _statistics(examples: Sequence[Example]) -> tuple[list[Tensor], list[Tensor]]:
    means, spreads = [], []
    for name in ("fine", "middle", "coarse"):
        every = torch.cat([getattr(one, name).float().flatten(1) for one in examples[::5]], 1)
        means.append(every.mean(1))
        spreads.append(every.std(1) + 1e-3)
    return means, spreads


def _collated(chosen: Sequence[Example], rng: np.random.Generator) -> tuple[Levels, list[Tensor], Tensor]:
    """A batch, half of the time mirrored, its photos' styles exchanged in part (MixStyle; Zhou et al., ICLR 2021)."""
    levels = Levels(
        *(torch.stack([getattr(one, name) for one in chosen]).float() for name in ("fine", "middle", "coarse"))
    )
    heads = [one.heads for one in chosen]
    if rng.random() < 0.5:
        width = levels.middle.shape[-1]
        levels, heads = mirrored(levels), [_mirrored_heads(one, width) for one in heads]
    if rng.random() < 0.5 and len(chosen) > 1:
        order = torch.from_numpy(rng.permutation(len(chosen)))
        share = torch.from_numpy(rng.beta(0.3, 0.3, len(chosen)).astype(np.float32))[:, None, None, None]
        levels = Levels(*(_restyled(one, order, share) for one in (levels.fine, levels.middle, levels.coarse)))
    last = (one.contiguous(memory_format=torch.channels_last) for one in (levels.fine, levels.middle, levels.coarse))
    levels = Levels(*last)
    return levels, heads, torch.tensor([one.cut_out for one in chosen])


def _restyled(level: Tensor, order: Tensor, share: Tensor) -> Tensor:
    mean, spread = level.mean((-2, -1), keepdim=True), level.std((-2, -1), keepdim=True) + 1e-4
    other_mean, other_spread = mean[order], spread[order]
    mixed = (level - mean) / spread * (share * spread + (1 - share) * other_spread)
    return mixed + share * mean + (1 - share) * other_mean


def _mirrored_heads(heads: Tensor, width: int) -> Tensor:
    if not len(heads):
        return heads
    left, top, right, bottom, side, known, snout, told = heads.unbind(1)
    return torch.stack([width - right, top, width - left, bottom, 1 - side, known, np.pi - snout, told], 1)


def loss_of(seen: Predictions, heads: Sequence[Tensor], cut_out: Tensor) -> Tensor:
    """Focal loss of the heat, generalised IoU of boxes, logistic losses of side and cut-out, cosine of the snout."""
    b, h, w = seen.heat.shape
    heat, owner = torch.zeros(b, h, w), torch.full((b, h, w), -1, dtype=torch.long)
    rows, columns = torch.arange(h) + 0.5, torch.arange(w) + 0.5
    labels = torch.cat([*heads, torch.zeros(0, 8)])
    number = 0
    for i, those in enumerate(heads):
        for left, top, right, bottom in those[:, :4].tolist():
            x, y = (left + right) / 2, (top + bottom) / 2
            wide, high = max(right - left, 1.0), max(bottom - top, 1.0)
            across, down = ((columns - x) / wide) ** 2, ((rows - y) / high) ** 2
            bell = torch.exp(-0.5 * (across[None] + down[:, None]) / 0.17**2)
            bell[min(h - 1, max(0, int(y))), min(w - 1, max(0, int(x)))] = 1.0
            near = (across[None] + down[:, None] < 0.28**2) | (bell == 1)
            owner[i][near] = number
            heat[i] = torch.maximum(heat[i], bell)
            number += 1
    loss = _focal(seen.heat, heat) / max(1, number)
    chosen = owner >= 0
    if chosen.any():
        loss = loss + _of_heads(seen, chosen, labels[owner[chosen]])
    told = cut_out >= 0
    if told.any():
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(seen.cut_out[told], cut_out[told])
    return loss


def _of_heads(seen: Predictions, chosen: Tensor, labels: Tensor) -> Tensor:
    where = chosen.nonzero()
    y, x = where[:, 1] + 0.5, where[:, 2] + 0.5
    reach = seen.reach.permute(0, 2, 3, 1)[chosen].exp()
    boxes = torch.stack([x - reach[:, 0], y - reach[:, 1], x + reach[:, 2], y + reach[:, 3]], 1)
    # every head counts the same, however many cells it has
    area = ((labels[:, 2] - labels[:, 0]) * (labels[:, 3] - labels[:, 1])).clamp(min=4)
    weight = (1 / area) / (1 / area).sum()
    boxed = (_giou_loss(boxes, labels[:, :4]) * weight).sum()
    sided = F.binary_cross_entropy_with_logits(seen.right[chosen], labels[:, 4], reduction="none")
    sided = (sided * weight * labels[:, 5]).sum()
    snout = F.normalize(seen.snout.permute(0, 2, 3, 1)[chosen], dim=-1)
    along = torch.stack([labels[:, 6].cos(), labels[:, 6].sin()], 1)
    turned = ((1 - (snout * along).sum(1)) * weight * labels[:, 7]).sum()
    return 2 * boxed + 0.7 * sided + 0.5 * turned


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Penalty-reduced pixelwise logistic loss of CornerNet (Law and Deng, 2018)."""
    p = logits.sigmoid()
    middle = heat == 1
    hit = F.logsigmoid(logits) * (1 - p) ** 2 * middle
    miss = F.logsigmoid(-logits) * p**2 * (1 - heat) ** 4 * ~middle
    return -(hit + miss).sum()


def _giou_loss(found: Tensor, true: Tensor) -> Tensor:
    """1 - generalised IoU (Rezatofighi et al., 2019) of boxes [n, 4]."""
    overlap = (torch.minimum(found[:, 2:], true[:, 2:]) - torch.maximum(found[:, :2], true[:, :2])).clamp(min=0).prod(1)
    union = (found[:, 2:] - found[:, :2]).prod(1) + (true[:, 2:] - true[:, :2]).prod(1) - overlap
    hull = (torch.maximum(found[:, 2:], true[:, 2:]) - torch.minimum(found[:, :2], true[:, :2])).prod(1)
    return 1 - overlap / union + (hull - union) / hull


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The surest head of each photo that has one: confidence float64 [n], and whether it missed, bool [n].

    A box misses that holds under 90 % of the true head when it is enlarged 1.25 times.
    """

    confidence: npt.NDArray[np.float64]
    missed: npt.NDArray[np.bool_]


def misses(finder: HeadFinder, photos: Iterable[tuple[Pixels, Sequence[HeadBox]]]) -> Judged:
    """How sure a finder is of each photo with a head, as it will be asked, and whether it is right."""
    confidence, missed = [], []
    for pixels, boxes in photos:
        if not boxes:
            continue
        [finding] = finder.find([pixels])
        best = finding.heads[0] if finding.heads else None
        confidence.append(best.confidence if best else 0.0)
        missed.append(best is None or max(coverage(best.box, box, MARGIN) for box in boxes) < ENOUGH)
    return Judged(np.array(confidence), np.array(missed, bool))


def threshold_for(judged: Judged, most: float = 0.05) -> float:
    """The lowest confidence over which at most this share misses; above all of them where there is none."""
    order = np.argsort(-judged.confidence, kind="stable")
    share = np.cumsum(judged.missed[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero(share <= most)
    return float(judged.confidence[order[kept[-1]]]) if len(kept) else 1.0


def save_finder(path: Path, networks: Sequence[HeadNetwork], threshold: float, *, certified: bool) -> None:
    """Write networks and threshold as `SmallHeadFinder.load` reads them, in half precision."""
    state = {
        f"{number}.{name}": one.half().contiguous()
        for number, network in enumerate(networks)
        for name, one in network.state_dict().items()
    }
    header = {
        "networks": str(len(networks)),
        "threshold": repr(threshold),
        "certified": "yes" if certified else "no",
    }
    save_file(state, str(path), header)
