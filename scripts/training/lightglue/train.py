"""Trains turtleidx's own LightGlue on stored flocks of drawn turtles.

    export PYTHONPATH=scripts
    python scripts/training/lightglue/draw_pairs.py /tmp/flocks --count 2000 --processes 8
    python scripts/training/lightglue/draw_pairs.py /tmp/held-out --first 9000000 --count 40 --processes 8
    python scripts/training/lightglue/train.py --flocks /tmp/flocks --held-out /tmp/held-out --into /tmp/run
    python scripts/training/lightglue/train.py ... --from /tmp/run/last.pt         # continues
    python scripts/training/lightglue/train.py ... --from retrieval/data/turtle-sift.safetensors  # from shipped weights
    python scripts/training/lightglue/train.py ... --from WEIGHTS --layers 3       # cut (or deepened), then trained on
    torchrun --nproc-per-node 4 scripts/training/lightglue/train.py ...            # several GPUs

`last.pt` is for continuing, `matcher.safetensors` (averaged weights, half precision) is for shipping.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import torch
from torch import Tensor, distributed

from retrieval.devices import choose_precision
from retrieval.matching.lightglue.checkpoints import read_network, save_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.network import LightGlue
from training.lightglue.batches import Batch, PairSource, load_flocks
from training.lightglue.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from training.lightglue.initialization import new_network, with_layers
from training.lightglue.loss import confidence_loss, training_loss
from training.lightglue.validation import validate

NAME = "turtle-sift"
LAYERS = 3
EXIT_SHARE = 0.95
AVERAGED = 0.985
"""Share of the running average of the weights that each step keeps."""


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flocks", type=Path, required=True, help="training flocks, read again at every save")
    parser.add_argument("--held-out", type=Path, required=True, help="flocks of other seeds for validation")
    parser.add_argument("--into", type=Path, required=True, help="folder for checkpoints and log.jsonl")
    parser.add_argument("--from", dest="start", type=Path, help="checkpoint, or weights alone, to continue from")
    parser.add_argument("--stage", choices=("matching", "confidence"), default="matching")
    parser.add_argument("--dim", type=int, default=96)
    parser.add_argument("--layers", type=int, help=f"of a new network ({LAYERS}), or to cut or deepen one to")
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=16, help="pairs a step and process")
    parser.add_argument("--keypoints", type=int, default=256)
    parser.add_argument("--ranking", type=float, default=0.0, help="weight of true before false pairs")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--cool-down", type=float, default=0.3, help="last share of the steps, falling to a fiftieth")
    parser.add_argument("--save-every", type=float, default=180.0, help="seconds")
    parser.add_argument("--check-batches", type=int, default=12)
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


class Trainer:
    """One process of a training run; rank 0 saves, validates and logs."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.rank, self.world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if self.world > 1:
            distributed.init_process_group("nccl" if cuda else "gloo")
        self.half_precision = choose_precision(self.device) == torch.bfloat16
        self.flocks = load_flocks(chosen.flocks)
        self.held_out = load_flocks(chosen.held_out)
        checkpoint = _continued(chosen.start, chosen.layers) if chosen.start else self._fresh()
        # early exit needs the second stage
        depth = EXIT_SHARE if chosen.stage == "confidence" else None
        config = replace(checkpoint.config, depth_confidence=depth)
        self.network = _network(config, checkpoint.network).to(self.device)
        self.average = _network(config, checkpoint.average).to(self.device)
        self.optimiser = self._optimiser()
        if checkpoint.optimiser is not None and chosen.stage == "matching":
            self.optimiser.load_state_dict(checkpoint.optimiser)
        self.done, self.pairs = checkpoint.steps, checkpoint.pairs

    def _fresh(self) -> Checkpoint:
        chosen = self.chosen
        config = LightGlueConfig(
            128, chosen.dim, chosen.layers or LAYERS, chosen.heads, add_scale_ori=True, depth_confidence=None
        )
        state = new_network(config, self.flocks, chosen.seed).state_dict()
        return Checkpoint(config, state, copy.deepcopy(state), None, 0, 0)

    def _optimiser(self) -> torch.optim.AdamW:
        learned = self.network.named_parameters()
        confidence = self.chosen.stage == "confidence"
        wanted = [p for name, p in learned if name.startswith("token_confidence") == confidence]
        return torch.optim.AdamW(wanted, lr=self.chosen.rate, weight_decay=0.01, betas=(0.9, 0.98))

    def run(self) -> None:
        chosen = self.chosen
        stream = self._stream()
        started = saved = time.monotonic()
        total = 0.0
        since = 0
        for step in range(chosen.steps):
            total += self._step(step, next(stream))
            since += 1
            now = time.monotonic()
            if now - saved > chosen.save_every or step + 1 == chosen.steps:
                self._save(total / since, now - started)
                self.flocks = load_flocks(chosen.flocks)
                stream = self._stream()
                saved, total, since = time.monotonic(), 0.0, 0

    def _stream(self) -> Iterator[Batch]:
        source = PairSource(self.flocks, self.chosen.batch, self.chosen.keypoints)
        return source.batches(self.chosen.seed * self.world + self.rank, self.done)

    def _step(self, step: int, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(step)
        batch = batch.to(self.device)
        layers = self.network.config.n_layers
        # the inner layer cycles, so that every layer's heads learn without every step paying for all
        inner = self.done % (layers - 1) if layers > 1 else None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half_precision):
            confidence = self.chosen.stage == "confidence"
            loss = (
                confidence_loss(self.network, batch)
                if confidence
                else training_loss(self.network, batch, inner, self.chosen.ranking)
            )
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self._share_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.done += 1
        self.pairs += self.world * self.chosen.batch
        kept = min(AVERAGED, self.done / (self.done + 9))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, 1 - kept)
        return float(loss.detach())

    def _rate(self, step: int) -> float:
        chosen = self.chosen
        left = (chosen.steps - step) / max(1.0, chosen.cool_down * chosen.steps)
        return float(chosen.rate * min(1.0, (step + 1) / chosen.warm_up, max(0.02, left)))

    def _share_gradients(self) -> None:
        if self.world == 1:
            return
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                distributed.all_reduce(parameter.grad, op=distributed.ReduceOp.SUM)
                parameter.grad.div_(self.world)

    def _save(self, loss: float, seconds: float) -> None:
        if self.rank:
            return
        folder: Path = self.chosen.into
        states = self.network.state_dict(), self.average.state_dict()
        config = self.network.config
        save_checkpoint(
            Checkpoint(config, *states, self.optimiser.state_dict(), self.done, self.pairs), folder / "last.pt"
        )
        save_network(folder / "matcher.safetensors", self.average, NAME, str(self.done))
        figures = validate(self.average, self.held_out, self.chosen.check_batches)
        line = {
            "stage": self.chosen.stage,
            "steps": self.done,
            "pairs": self.pairs,
            "seconds": round(seconds),
            "flocks": len(self.flocks),
            "training_loss": round(loss, 4),
            **{name: round(value, 4) for name, value in asdict(figures).items()},
        }
        with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def _continued(path: Path, layers: int | None) -> Checkpoint:
    """A checkpoint, or weights without an optimiser's state, which a network of another depth has not either."""
    if path.suffix == ".safetensors":
        network = read_network(path).network
        state = network.state_dict()
        checkpoint = Checkpoint(network.config, state, copy.deepcopy(state), None, 0, 0)
    else:
        checkpoint = load_checkpoint(path)
    if layers in (None, checkpoint.config.n_layers):
        return checkpoint
    now, average = (
        with_layers(_network(checkpoint.config, state), layers) for state in (checkpoint.network, checkpoint.average)
    )
    return replace(
        checkpoint, config=now.config, network=now.state_dict(), average=average.state_dict(), optimiser=None
    )


def _network(config: LightGlueConfig, state: Mapping[str, Tensor]) -> LightGlue:
    network = LightGlue(config)
    network.load_state_dict(dict(state))
    return network


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(words)
    chosen.into.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    Trainer(chosen).run()
    if distributed.is_initialized():
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
