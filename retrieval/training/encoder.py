"""Metric learning of a global encoder on a catalogue's own photos, decided by turtles that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from index.catalog import Catalog
from index.errors import InputError
from index.types import Float32, GalleryFilter, Int64
from retrieval.devices import choose_precision
from retrieval.encoders import TimmEncoder
from retrieval.images import decode
from retrieval.training.augmentation import augmentation
from retrieval.training.losses import LossOfPairs, MetricLoss
from retrieval.training.rounds import STATE, RoundTraining, nobody_listens
from retrieval.training.sampling import LabelledPhotos, batches, ranks_of, split


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderTraining:
    """How to train.

    Attributes
    ----------
    model : str
        A timm model, or a short name that `turtleidx weights` lists.
    weights : Path or None
        A local checkpoint to start from; None takes the published ones.
    from_scratch : bool
        Start untrained, which needs far more photos than most catalogues have.
    epochs, patience : int
        At most so many rounds through the photos, and so many without a gain before it stops.
    batch, each : int
        Photos of a batch, and of one side of a turtle in it.
    size : int
        Photos are made this many pixels wide and high.
    held_out : float
        Share of the turtles that decide and are not learnt from.
    """

    model: str = "convnext_small.fb_in22k"
    weights: Path | None = None
    from_scratch: bool = False
    loss: MetricLoss = MetricLoss.CIRCLE
    epochs: int = 40
    patience: int = 6
    batch: int = 64
    each: int = 4
    size: int = 224
    rate: float = 1e-4
    decay: float = 1e-4
    held_out: float = 0.2
    seed: int = 0
    device: str | None = None


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One round.

    Attributes
    ----------
    loss : float
        Mean over the batches.
    top1, reciprocal_rank : float
        Of the held-out turtles' photos, each asked about among those of other occasions.
    """

    epoch: int
    loss: float
    top1: float
    reciprocal_rank: float


@dataclass(frozen=True, slots=True)
class TrainedEncoder:
    """What came of it: the file, the round that it is of, and that of the start, numbered 0."""

    path: Path
    start: EpochReport
    best: EpochReport
    epochs: int
    photos: int
    turtles: int
    held_out: int

    @property
    def gained(self) -> bool:
        """Whether the held-out turtles are found better than before training."""
        return self.best.epoch > 0


def train_encoder(
    catalog: Catalog,
    target: Path,
    options: EncoderTraining | None = None,
    tell: Callable[[str], None] | None = None,
    advance: Callable[[EpochReport], None] | None = None,
) -> TrainedEncoder:
    """Train and write the best round to `target` (safetensors) with a card beside it (`.md`).

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
        Too few turtles, or a name that does not end in .safetensors.
    WeightsUnavailable, WeightsCorrupt, DeviceUnavailable
    """
    options = options or EncoderTraining()
    if target.suffix != ".safetensors":
        raise InputError(f"{target} has to end in .safetensors, by which --encoder knows it.")
    photos = LabelledPhotos.of([photo for photo in catalog.photos(GalleryFilter()) if photo.side is not None])
    learnt, kept = split(photos, options.held_out)
    torch.manual_seed(options.seed)
    encoder = TimmEncoder(options.model, options.weights, options.device, pretrained=not options.from_scratch)
    training = _EncoderRounds(catalog, target, options, encoder, learnt, kept, tell or nobody_listens)
    return training.run(advance or nobody_listens)


class _EncoderRounds(RoundTraining[EpochReport]):
    """The state of one training."""

    def __init__(
        self,
        catalog: Catalog,
        target: Path,
        options: EncoderTraining,
        encoder: TimmEncoder,
        learnt: LabelledPhotos,
        kept: LabelledPhotos,
        tell: Callable[[str], None],
    ) -> None:
        self._catalog, self._target, self._options = catalog, target, options
        self._learnt, self._kept, self._encoder = learnt, kept, encoder
        self._dtype = choose_precision(encoder.device)
        encoder.see(options.size)  # as the file will, so that held-out turtles judge what is written
        self._batch = options.batch
        self._augment = augmentation(options.size, encoder.mean, encoder.std)
        classes = int(learnt.sides.max()) + 1
        self._loss = LossOfPairs(options.loss, classes, encoder.dimension).to(encoder.device)
        super().__init__(
            {"network": encoder.network, "loss": self._loss},
            options,
            [*learnt.photos, *kept.photos],
            target.with_name(f"{target.name}{STATE}"),
            encoder.device,
            tell,
        )

    def run(self, advance: Callable[[EpochReport], None]) -> TrainedEncoder:
        self.run_rounds(advance)
        self._write()
        self.done()
        return TrainedEncoder(
            self._target,
            self.rounds[0],
            self.best_round,
            self.rounds[-1].epoch,
            len(self._learnt),
            len(np.unique(self._learnt.turtles)),
            len(np.unique(self._kept.turtles)),
        )

    def learn(self, rng: np.random.Generator) -> float:
        seed = int(rng.integers(1 << 31))
        while True:
            try:
                return self._learn(seed)
            except torch.OutOfMemoryError:
                if self._batch <= 2 * self._options.each:
                    raise
                self._batch //= 2
                self.tell(f"The device has too little memory for the batch: going on with {self._batch} photos.")

    def _learn(self, seed: int) -> float:
        torch.manual_seed(seed)
        drawn = batches(self._learnt, self._batch, self._options.each, np.random.default_rng(seed))
        return float(np.mean([self.step(self._loss_of(rows), largest=10.0) for rows in drawn]))

    def _loss_of(self, rows: Int64) -> Tensor:
        images = torch.stack([self._augment(self._pixels(self._learnt, int(row))) for row in rows]).to(self.device)
        codes = [
            torch.from_numpy(code[rows]).to(self.device)
            for code in (self._learnt.sides, self._learnt.turtles, self._learnt.occasions)
        ]
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32):
            embeddings = self.network(images)
        loss: Tensor = self._loss(F.normalize(embeddings.float(), dim=-1), *codes)
        return loss

    def _pixels(self, photos: LabelledPhotos, row: int) -> Tensor:
        return torch.tensor(decode(self._catalog.thumbnail(photos.photos[row]))).permute(2, 0, 1)

    def judge(self, epoch: int, loss: float) -> EpochReport:
        pictures = [decode(self._catalog.thumbnail(photo)) for photo in self._kept.photos]
        return EpochReport(epoch, loss, *found_again(self._encoder.encode(pictures, ()), self._kept))

    def round_of(self, values: Sequence[Any]) -> EpochReport:
        epoch, *rest = values
        return EpochReport(int(epoch), *rest)

    def kept_beside(self) -> dict[str, Any]:
        return {"batch": self._batch}

    def go_on_with(self, beside: Mapping[str, Any]) -> None:
        self._batch = int(beside["batch"])

    def _write(self) -> None:
        best, options = self.best_round, self._options
        start = "untrained" if options.from_scratch else str(options.weights or "published weights")
        header = {
            "model": options.model,
            "size": str(options.size),
            "loss": options.loss.value,
            "start": start,
            "round": str(best.epoch),
            "photos": str(len(self._learnt)),
            "turtles": str(len(np.unique(self._learnt.turtles))),
            "held_out_turtles": str(len(np.unique(self._kept.turtles))),
            "held_out_top1": f"{best.top1:.4f}",
            "held_out_reciprocal_rank": f"{best.reciprocal_rank:.4f}",
        }
        partial = self._target.with_name(f"{self._target.name}.new")
        partial.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.best.items()}, partial, metadata=header)
        partial.replace(self._target)
        self._target.with_suffix(".md").write_text(_card(header, self.rounds[0]), encoding="utf-8")


def found_again(vectors: Float32, photos: LabelledPhotos) -> tuple[float, float]:
    """Top-1 and mean reciprocal rank of photos, each asked about among those of other occasions (`ranks_of`)."""
    ranks = ranks_of(vectors @ vectors.T, photos)
    return float((ranks == 1).mean()), float((1 / ranks).mean())


def _card(header: dict[str, str], start: EpochReport) -> str:
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in header.items()]
    return (
        f"# Encoder trained by `turtleidx train encoder`\n\n{chr(10).join(lines)}\n- before training: top-1 "
        f"{start.top1:.4f}, reciprocal rank {start.reciprocal_rank:.4f}\n\nThe held-out turtles decided which round is "
        "kept, so their figures are a little too kind. Trained on photos of one catalogue: it knows these cameras and "
        "this water best, and whoever may see the photos may see it.\n"
    )
