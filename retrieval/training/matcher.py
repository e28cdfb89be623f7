"""Adapting a LightGlue network to a catalogue's own photos, decided by turtles that it did not learn from.

Only the matching network learns; keypoints stay as they are. A positive pair shows one turtle's one side on two
occasions, negative pairs show two turtles from one side: the hardest of some that were drawn, and others at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
from retrieval.pipeline import PairPool
from retrieval.training.pairs import ComparedPhotos, correspondence_loss, triplet_loss
from retrieval.training.rounds import STATE, RoundTraining, nobody_listens
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
    pool: PairPool | None = None,
) -> TrainedMatcher:
    """Train, and keep the best round in the catalogue's `models` if it finds held-out turtles better than the start.

    An interrupted call goes on where it was when it is made again with the same options.

    Parameters
    ----------
    tell : callable
        Hears a sentence when something is done otherwise than asked for.
    advance : callable
        Hears of each round.
    pool : PairPool or None
        Where pairs are looked at, of which the hardest are learnt from; None looks at them on this machine.

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
    training = _MatcherRounds(catalog, options, trained.network, learnt, kept, tell or nobody_listens, pool)
    return training.run(advance or nobody_listens)


class _MatcherRounds(RoundTraining[MatcherRound]):
    """The state of one training."""

    def __init__(
        self,
        catalog: Catalog,
        options: MatcherTraining,
        network: LightGlue,
        learnt: LabelledPhotos,
        kept: LabelledPhotos,
        tell: Callable[[str], None],
        pool: PairPool | None,
    ) -> None:
        self._catalog, self._options = catalog, options
        device = choose_device(options.device)
        self._matcher = network.to(device)
        self._learnt, self._kept = ComparedPhotos(catalog.features(learnt.photos), learnt, pool), kept
        every = LabelledPhotos.of([*kept.photos, *learnt.photos])
        self._every = ComparedPhotos(catalog.features(every.photos), every, pool)
        self._asked = self._every.anchors[self._every.anchors < len(kept)]
        state_file = catalog.path / MODELS / f"matcher{STATE}"
        super().__init__({"network": self._matcher}, options, every.photos, state_file, device, tell)

    def run(self, advance: Callable[[MatcherRound], None]) -> TrainedMatcher:
        self.run_rounds(advance)
        gain, error = gained(self.rounds[0], self.best_round, self._kept.turtles[self._asked])
        path = self._keep() if gain > error else None
        self.done()
        turtles = (len(np.unique(one.turtles)) for one in (self._learnt.photos, self._kept))
        start, epochs = self.rounds[0], self.rounds[-1].epoch
        return TrainedMatcher(path, start, self.best_round, epochs, gain, error, len(self._learnt.photos), *turtles)

    def learn(self, rng: np.random.Generator) -> float:
        anchors = [int(anchor) for anchor in rng.permutation(self._learnt.anchors)]
        drawn = [(anchor, self._learnt.drawn(anchor, self._options.negatives, rng)) for anchor in anchors]
        self._learnt.plan(drawn)
        return float(np.mean([self.step(self._loss_of(*one), largest=1.0) for one in drawn]))

    def judge(self, epoch: int, loss: float) -> MatcherRound:
        ranks = self._every.ranks(self._matcher, self.device, self._asked)
        return MatcherRound(epoch, loss, tuple(ranks.tolist()))

    def round_of(self, values: Sequence[Any]) -> MatcherRound:
        epoch, loss, ranks = values
        return MatcherRound(int(epoch), loss, tuple(ranks))

    def _loss_of(self, anchor: int, drawn: Sequence[int]) -> Tensor:
        rows = self._learnt.beside(anchor, drawn, self._options.negatives)
        looks = self._learnt.looks(anchor, rows)
        query, others = self._learnt.features[anchor], [self._learnt.features[row] for row in rows]
        assigned = assign_pairs(self._matcher, query, others, looks, self.device)
        if self._options.loss is PairLoss.TRIPLET:
            return triplet_loss(assigned)
        return correspondence_loss(assigned, looks[0])

    def _keep(self) -> Path:
        self._matcher.load_state_dict(self.best)
        best, options = self.best_round, self._options
        name = f"matcher-{Path(options.start).stem}"
        content = network_bytes(self._matcher, name, f"{best.epoch}-{len(self._learnt.photos)}")
        card = _card(options, self.rounds[0], best, self._learnt.photos)
        return keep_network(self._catalog.path, name, content, card)


def gained(start: MatcherRound, best: MatcherRound, turtles: Int64) -> tuple[float, float]:
    """Mean gain in reciprocal rank over held-out turtles, int64 [asked], and its standard error."""
    _, code = np.unique(turtles, return_inverse=True)
    change = 1 / np.array(best.ranks) - 1 / np.array(start.ranks)
    by_turtle = np.bincount(code, change) / np.bincount(code)
    several = len(by_turtle) > 1
    error = float(by_turtle.std(ddof=1) / math.sqrt(len(by_turtle))) if several else math.inf
    return float(by_turtle.mean()), error


def _card(options: MatcherTraining, start: MatcherRound, best: MatcherRound, learnt: LabelledPhotos) -> str:
    return (
        "# Matcher trained by `turtleidx train matcher`\n\n"
        f"- start: {options.start}\n- loss: {options.loss}\n- round: {best.epoch}\n- photos: {len(learnt)} of "
        f"{len(np.unique(learnt.turtles))} turtles\n- held-out turtles' photos: top-1 {best.top1:.4f}, reciprocal rank "
        f"{best.reciprocal_rank:.4f} ({start.top1:.4f}, {start.reciprocal_rank:.4f} before)\n\n"
        "The held-out turtles decided which round is kept, so their figures are a little too kind. Trained on photos "
        "of one catalogue: it knows these cameras and this water best, and whoever may see the photos may see it.\n"
    )
