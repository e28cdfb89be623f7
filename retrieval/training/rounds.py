"""Rounds through the photos until held-out turtles gain no more; an interrupted training goes on where it was."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from index.types import Photo

STATE = ".partial"
"""Ending of the file that an interrupted training goes on from."""
VERSION = 2
"""Of what that file holds."""


class Round(Protocol):
    """What a round came to; it is a dataclass of values that JSON knows."""

    @property
    def epoch(self) -> int:
        """From 1 on; 0 is the network as it began."""

    @property
    def reciprocal_rank(self) -> float:
        """Mean over the held-out turtles' photos, which decides."""


class Terms(Protocol):
    """What the options of every training say; they are a dataclass."""

    @property
    def epochs(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def decay(self) -> float: ...
    @property
    def seed(self) -> int: ...


AnyRound = TypeVar("AnyRound", bound=Round)


class RoundTraining(ABC, Generic[AnyRound]):
    """The state of one training.

    Parameters
    ----------
    modules : mapping of str to Module
        All that learns; what is called `network` is the result, the rest only helps it to learn.
    options : dataclass with `Terms`
        Together with the photos they name the training, so that none goes on from another one's state.
    tell : callable
        Hears a sentence when something is done otherwise than asked for.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        options: Terms,
        photos: Sequence[Photo],
        state_file: Path,
        device: torch.device,
        tell: Callable[[str], None],
    ) -> None:
        self.network, self.device, self.tell = modules["network"], device, tell
        self._modules, self._terms, self._state_file = modules, options, state_file
        self._name = named(options, photos)
        parameters = [one for module in modules.values() for one in module.parameters()]
        self._optimizer = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=options.decay)
        self.rounds: list[AnyRound] = []
        self.best: dict[str, Tensor] = {}
        """The network's values after the best round."""

    @abstractmethod
    def learn(self, rng: np.random.Generator) -> float:
        """Go through the photos once; the mean loss."""

    @abstractmethod
    def judge(self, epoch: int, loss: float) -> AnyRound:
        """Look for the held-out turtles."""

    @abstractmethod
    def round_of(self, values: Sequence[Any]) -> AnyRound:
        """A round from the values of its fields."""

    def kept_beside(self) -> dict[str, Any]:
        """What else has to be known to go on."""
        return {}

    def go_on_with(self, beside: Mapping[str, Any]) -> None:
        """Take what `kept_beside` gave."""

    @property
    def best_round(self) -> AnyRound:
        """The earliest of those in which held-out turtles were found best."""
        return max(self.rounds, key=lambda one: (one.reciprocal_rank, -one.epoch))

    def run_rounds(self, advance: Callable[[AnyRound], None]) -> None:
        """Until the rounds or the patience are used up; `advance` hears of each."""
        if not self._resume():
            self._note(0, float("nan"))
            advance(self.rounds[-1])
        while (epoch := self.rounds[-1].epoch) < self._terms.epochs and (
            epoch - self.best_round.epoch < self._terms.patience
        ):
            self.network.train()
            loss = self.learn(np.random.default_rng([self._terms.seed, epoch + 1]))
            self._note(epoch + 1, loss)
            self._save()
            advance(self.rounds[-1])

    def step(self, loss: Tensor, largest: float) -> float:
        """One step down the slope of a loss, of a norm of `largest` at most; the loss."""
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), largest)
        self._optimizer.step()
        return float(loss.detach())

    def done(self) -> None:
        """The result is written: nothing has to be gone on with."""
        self._state_file.unlink(missing_ok=True)

    def _note(self, epoch: int, loss: float) -> None:
        self.network.eval()
        self.rounds.append(self.judge(epoch, loss))
        if self.best_round.epoch == epoch:
            self.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}

    def _save(self) -> None:
        state = {
            "named": self._name,
            "rounds": [list(asdict(one).values()) for one in self.rounds],  # type: ignore[call-overload]
            "modules": {name: module.state_dict() for name, module in self._modules.items()},
            "optimizer": self._optimizer.state_dict(),
            "best": self.best,
            "beside": self.kept_beside(),
        }
        partial = self._state_file.with_name(f"{self._state_file.name}.new")
        partial.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, partial)
        partial.replace(self._state_file)

    def _resume(self) -> bool:
        if not self._state_file.exists():
            return False
        state: dict[str, Any] = torch.load(self._state_file, map_location=self.device, weights_only=True)
        if state["named"] != self._name:
            self.tell(f"{self._state_file} is of another training and is not gone on from.")
            return False
        for name, module in self._modules.items():
            module.load_state_dict(state["modules"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self.rounds = [self.round_of(values) for values in state["rounds"]]
        self.best = state["best"]
        self.go_on_with(state["beside"])
        self.tell(f"Going on after round {self.rounds[-1].epoch}.")
        return True


def named(options: Terms, photos: Sequence[Photo]) -> str:
    """Names options and photos."""
    chosen = {name: str(value) for name, value in asdict(options).items()}  # type: ignore[call-overload]
    return hashlib.sha256(json.dumps([VERSION, chosen, sorted(photo.key for photo in photos)]).encode()).hexdigest()


def nobody_listens(_: object) -> None:
    """For whoever wants to hear nothing."""
