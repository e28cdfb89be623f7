"""Adapting a LightGlue network to a catalogue's own photos, decided by turtles that it did not learn from.

Only the matching network learns; keypoints stay as they are. A positive pair shows one turtle's one side on two
occasions, negative pairs show two turtles from one side: the hardest of some that were drawn, and others at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from index.catalog import MODELS, Catalog, keep_network
from index.errors import InputError
from index.types import GalleryFilter, Int64
from retrieval.devices import choose_device
from retrieval.matching.lightglue import (
    DEFAULT,
    LightGlue,
    assign_pairs,
    load_network,
    network_bytes,
)
from retrieval.training.pairs import ComparedPhotos, correspondence_loss, triplet_loss
from retrieval.training.progress import STATE, load_state, named, save_state
from retrieval.training.sampling import LabelledPhotos, split


class PairLoss(StrEnum):
    """Triplets of relaxed scores (WildMatch: the expected number of matches), or verified matches as labels."""

    TRIPLET = "triplet"
    CORRESPONDENCE = "correspondence"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherTraining:
    """How to train.

    Attributes
    ----------
    start : str
        LightGlue weights to start from: a bundled or published name, or a file.
    negatives : int
        Pairs of two turtles beside each pair of one.
    epochs, patience : int
        At most so many rounds through the photos, and so many without a gain before it stops.
    held_out : float
        Share of the turtles that decide and are not learnt from.
    """

    start: str = DEFAULT
    loss: PairLoss = PairLoss.TRIPLET
    negatives: int = 3
    epochs: int = 12
    patience: int = 3
    rate: float = 5e-5
    decay: float = 1e-4
    held_out: float = 0.3
    seed: int = 0
    device: str | None = None


@dataclass(frozen=True, slots=True)
class MatcherRound:
    """One round; its ranks are those of the held-out turtles' photos, each asked about among all of other occasions.

    Attributes
    ----------
    loss : float
        Mean over the anchors.
    """

    epoch: int
    loss: float
    ranks: tuple[int, ...]

    @property
    def top1(self) -> float:
        """Share that find their turtle first."""
        return float(np.mean([rank == 1 for rank in self.ranks]))

    @property
    def reciprocal_rank(self) -> float:
        """Mean of 1 / rank."""
        return float(np.mean([1 / rank for rank in self.ranks]))


@dataclass(frozen=True, slots=True)
class TrainedMatcher:
    """What came of it.

    Attributes
    ----------
    path : Path or None
        The network, in the catalogue's folder; None where it gained no more than its standard error.
    gain, error : float
        In mean reciprocal rank over the start, and its standard error over held-out turtles.
    """

    path: Path | None
    start: MatcherRound
    best: MatcherRound
    epochs: int
    gain: float
    error: float
    photos: int
    turtles: int
    held_out: int


def train_matcher(
    catalog: Catalog,
    options: MatcherTraining | None = None,
    tell: Callable[[str], None] | None = None,
    advance: Callable[[MatcherRound], None] | None = None,
) -> TrainedMatcher:
    """Train, and keep the best round in the catalogue's `models` if it finds held-out turtles better than the start.

    An interrupted call goes on where it was when it is made again with the same options.

    Parameters
    ----------
    tell : callable
        Hears a sentence when something is done otherwise than asked for.
    advance : callable
        Hears of each round.

    Raises
    ------
    InputError
        Too few turtles, or a network for other descriptors than the catalogue's.
    WeightsUnavailable, WeightsCorrupt, DeviceUnavailable, StorageFull
    """
    options = options or MatcherTraining()
    photos = LabelledPhotos.of([photo for photo in catalog.photos(GalleryFilter()) if photo.side is not None])
    learnt, kept = split(photos, options.held_out)
    trained = load_network(options.start)
    width = catalog.features(kept.photos[:1])[0].descriptors.shape[1]
    if trained.network.config.input_dim != width:
        raise InputError(
            f"{options.start} compares descriptors of {trained.network.config.input_dim} values, and those of this "
            f"catalogue have {width}: choose the LightGlue of its extractor with --start."
        )
    torch.manual_seed(options.seed)
    return _Training(catalog, options, trained.network, learnt, kept, tell or _nothing).run(advance or _nothing)


class _Training:
    """The state of one training."""

    def __init__(
        self,
        catalog: Catalog,
        options: MatcherTraining,
        network: LightGlue,
        learnt: LabelledPhotos,
        kept: LabelledPhotos,
        tell: Callable[[str], None],
    ) -> None:
        self._catalog, self._options, self._tell = catalog, options, tell
        self._device = choose_device(options.device)
        self._network = network.to(self._device)
        self._learnt, self._kept = ComparedPhotos(catalog.features(learnt.photos), learnt), kept
        every = LabelledPhotos.of([*kept.photos, *learnt.photos])
        self._every = ComparedPhotos(catalog.features(every.photos), every)
        self._asked = self._every.anchors[self._every.anchors < len(kept)]
        self._optimizer = torch.optim.AdamW(self._network.parameters(), lr=options.rate, weight_decay=options.decay)
        self._rounds: list[MatcherRound] = []
        self._best: dict[str, Tensor] = {}

    def run(self, advance: Callable[[MatcherRound], None]) -> TrainedMatcher:
        if not self._resume():
            self._note(0, math.nan)
            advance(self._rounds[-1])
        while self._epoch < self._options.epochs and self._epoch - self._best_round.epoch < self._options.patience:
            self._note(self._epoch + 1, self._round(self._epoch + 1))
            self._save()
            advance(self._rounds[-1])
        gain, error = gained(self._rounds[0], self._best_round, self._kept.turtles[self._asked])
        path = self._keep() if gain > error else None
        self._state_file.unlink(missing_ok=True)
        turtles = (len(np.unique(one.turtles)) for one in (self._learnt.photos, self._kept))
        return TrainedMatcher(
            path, self._rounds[0], self._best_round, self._epoch, gain, error, len(self._learnt.photos), *turtles
        )

    @property
    def _epoch(self) -> int:
        return self._rounds[-1].epoch

    @property
    def _best_round(self) -> MatcherRound:
        return max(self._rounds, key=lambda one: (one.reciprocal_rank, -one.epoch))

    def _note(self, epoch: int, loss: float) -> None:
        ranks = self._every.ranks(self._network, self._device, self._asked)
        self._rounds.append(MatcherRound(epoch, loss, tuple(ranks.tolist())))
        if self._best_round.epoch == epoch:
            self._best = {name: value.detach().cpu().clone() for name, value in self._network.state_dict().items()}

    def _round(self, epoch: int) -> float:
        rng = np.random.default_rng([self._options.seed, epoch])
        self._network.train()
        told = [self._step(int(anchor), rng) for anchor in rng.permutation(self._learnt.anchors)]
        self._network.eval()
        return float(np.mean(told))

    def _step(self, anchor: int, rng: np.random.Generator) -> float:
        rows = self._learnt.beside(anchor, self._options.negatives, rng)
        looks = self._learnt.looks(anchor, rows)
        query, others = self._learnt.features[anchor], [self._learnt.features[row] for row in rows]
        assigned = assign_pairs(self._network, query, others, looks, self._device)
        if self._options.loss is PairLoss.TRIPLET:
            loss = triplet_loss(assigned)
        else:
            loss = correspondence_loss(assigned, looks[0])
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())

    @property
    def _state_file(self) -> Path:
        return self._catalog.path / MODELS / f"matcher{STATE}"

    @property
    def _named(self) -> str:
        return named(self._options, [*self._learnt.photos.photos, *self._kept.photos])

    def _save(self) -> None:
        state = {
            "rounds": [list(asdict(one).values()) for one in self._rounds],
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
        }
        save_state(self._state_file, self._named, state)

    def _resume(self) -> bool:
        state = load_state(self._state_file, self._named, self._device)
        if state is None:
            return False
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._rounds = [MatcherRound(int(epoch), loss, tuple(ranks)) for epoch, loss, ranks in state["rounds"]]
        self._best = state["best"]
        self._tell(f"Going on after round {self._epoch}.")
        return True

    def _keep(self) -> Path:
        self._network.load_state_dict(self._best)
        best, options = self._best_round, self._options
        name = f"matcher-{Path(options.start).stem}"
        content = network_bytes(self._network, name, f"{best.epoch}-{len(self._learnt.photos)}")
        card = _card(options, self._rounds[0], best, self._learnt.photos)
        return keep_network(self._catalog.path, name, content, card)


def gained(start: MatcherRound, best: MatcherRound, turtles: Int64) -> tuple[float, float]:
    """Mean gain in reciprocal rank over held-out turtles, int64 [asked], and its standard error."""
    _, code = np.unique(turtles, return_inverse=True)
    change = 1 / np.array(best.ranks) - 1 / np.array(start.ranks)
    by_turtle = np.bincount(code, change) / np.bincount(code)
    several = len(by_turtle) > 1
    error = float(by_turtle.std(ddof=1) / math.sqrt(len(by_turtle))) if several else math.inf
    return float(by_turtle.mean()), error


def _nothing(_: object) -> None:
    """Nobody listens."""


def _card(options: MatcherTraining, start: MatcherRound, best: MatcherRound, learnt: LabelledPhotos) -> str:
    return (
        "# Matcher trained by `turtleidx train matcher`\n\n"
        f"- start: {options.start}\n- loss: {options.loss}\n- round: {best.epoch}\n- photos: {len(learnt)} of "
        f"{len(np.unique(learnt.turtles))} turtles\n- held-out turtles' photos: top-1 {best.top1:.4f}, reciprocal rank "
        f"{best.reciprocal_rank:.4f} ({start.top1:.4f}, {start.reciprocal_rank:.4f} before)\n\n"
        "The held-out turtles decided which round is kept, so their figures are a little too kind. Trained on photos "
        "of one catalogue: it knows these cameras and this water best, and whoever may see the photos may see it.\n"
    )
