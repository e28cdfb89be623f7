"""Metric learning of a global encoder on a catalogue's own photos, decided by turtles that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from index.catalog import Catalog
from index.errors import InputError
from index.types import Float32, GalleryFilter, Int64
from retrieval.devices import choose_precision
from retrieval.encoders import TimmEncoder
from retrieval.images import decode
from retrieval.training.augmentation import augmentation
from retrieval.training.losses import LossOfPairs, MetricLoss
from retrieval.training.progress import STATE, load_state, named, save_state
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
    return _Training(catalog, target, options, encoder, learnt, kept, tell or _nothing).run(advance or _nothing)


class _Training:
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
        self._catalog, self._target, self._options, self._tell = catalog, target, options, tell
        self._learnt, self._kept = learnt, kept
        self._encoder, self._network = encoder, encoder.network
        self._device, self._dtype = encoder.device, choose_precision(encoder.device)
        self._batch = options.batch
        self._augment = augmentation(options.size, encoder.mean, encoder.std)
        classes = int(learnt.sides.max()) + 1
        self._loss = LossOfPairs(options.loss, classes, encoder.dimension).to(self._device)
        parameters = [*self._network.parameters(), *self._loss.parameters()]
        self._optimizer = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=options.decay)
        self._epoch = 0
        self._reports: list[EpochReport] = []
        self._best: dict[str, Tensor] = {}

    def run(self, advance: Callable[[EpochReport], None]) -> TrainedEncoder:
        if not self._resume():
            self._note(0, float("nan"))
            advance(self._reports[-1])
        while self._epoch < self._options.epochs and self._epoch - self._best_report.epoch < self._options.patience:
            self._note(self._epoch + 1, self._round(self._epoch + 1))
            advance(self._reports[-1])
            self._save_state()
        self._write()
        self._state_file.unlink(missing_ok=True)
        return TrainedEncoder(
            self._target,
            self._reports[0],
            self._best_report,
            self._epoch,
            len(self._learnt),
            len(np.unique(self._learnt.turtles)),
            len(np.unique(self._kept.turtles)),
        )

    @property
    def _best_report(self) -> EpochReport:
        return max(self._reports, key=lambda report: (report.reciprocal_rank, -report.epoch))

    def _note(self, epoch: int, loss: float) -> None:
        top1, reciprocal_rank = self._validate()
        self._epoch = epoch
        self._reports.append(EpochReport(epoch, loss, top1, reciprocal_rank))
        if self._best_report.epoch == epoch:
            self._best = {name: value.detach().cpu().clone() for name, value in self._network.state_dict().items()}

    def _round(self, epoch: int) -> float:
        rng = np.random.default_rng([self._options.seed, epoch])
        torch.manual_seed(int(rng.integers(1 << 31)))
        self._network.train()
        told: list[float] = []
        for rows in batches(self._learnt, self._batch, self._options.each, rng):
            try:
                told.append(self._step(rows))
            except torch.OutOfMemoryError:
                if self._batch <= 2 * self._options.each:
                    raise
                self._batch //= 2
                self._tell(f"The device has too little memory for the batch: going on with {self._batch} photos.")
                return self._round(epoch)
        return float(np.mean(told))

    def _step(self, rows: Int64) -> float:
        images = torch.stack([self._augment(self._pixels(self._learnt, int(row))) for row in rows]).to(self._device)
        codes = [
            torch.from_numpy(code[rows]).to(self._device)
            for code in (self._learnt.sides, self._learnt.turtles, self._learnt.occasions)
        ]
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            embeddings = self._network(images)
        loss: Tensor = self._loss(F.normalize(embeddings.float(), dim=-1), *codes)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._network.parameters(), 10.0)
        self._optimizer.step()
        return float(loss.detach())

    def _pixels(self, photos: LabelledPhotos, row: int) -> Tensor:
        return torch.tensor(decode(self._catalog.thumbnail(photos.photos[row]))).permute(2, 0, 1)

    def _validate(self) -> tuple[float, float]:
        self._network.eval()
        pictures = [decode(self._catalog.thumbnail(photo)) for photo in self._kept.photos]
        return found_again(self._encoder.encode(pictures, ()), self._kept)

    @property
    def _state_file(self) -> Path:
        return self._target.with_name(f"{self._target.name}{STATE}")

    @property
    def _named(self) -> str:
        return named(self._options, [*self._learnt.photos, *self._kept.photos])

    def _save_state(self) -> None:
        state = {
            "epoch": self._epoch,
            "reports": [list(asdict(report).values()) for report in self._reports],
            "batch": self._batch,
            "network": self._network.state_dict(),
            "loss": self._loss.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
        }
        save_state(self._state_file, self._named, state)

    def _resume(self) -> bool:
        state = load_state(self._state_file, self._named, self._device)
        if state is None:
            if self._state_file.exists():
                self._tell(f"{self._state_file} is of another training and is not gone on from.")
            return False
        self._network.load_state_dict(state["network"])
        self._loss.load_state_dict(state["loss"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._reports = [EpochReport(int(epoch), *rest) for epoch, *rest in state["reports"]]
        self._epoch, self._batch, self._best = int(state["epoch"]), int(state["batch"]), state["best"]
        self._tell(f"Going on after round {self._epoch}.")
        return True

    def _write(self) -> None:
        best, options = self._best_report, self._options
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
        save_file({name: value.contiguous() for name, value in self._best.items()}, partial, metadata=header)
        partial.replace(self._target)
        self._target.with_suffix(".md").write_text(_card(header, self._reports[0]), encoding="utf-8")


def found_again(vectors: Float32, photos: LabelledPhotos) -> tuple[float, float]:
    """Top-1 and mean reciprocal rank of photos, each asked about among those of other occasions (`ranks_of`)."""
    ranks = ranks_of(vectors @ vectors.T, photos)
    return float((ranks == 1).mean()), float((1 / ranks).mean())


def _nothing(_: object) -> None:
    """Nobody listens."""


def _card(header: dict[str, str], start: EpochReport) -> str:
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in header.items()]
    return (
        f"# Encoder trained by `turtleidx train encoder`\n\n{chr(10).join(lines)}\n- before training: top-1 "
        f"{start.top1:.4f}, reciprocal rank {start.reciprocal_rank:.4f}\n\nThe held-out turtles decided which round is "
        "kept, so their figures are a little too kind. Trained on photos of one catalogue: it knows these cameras and "
        "this water best, and whoever may see the photos may see it.\n"
    )
