"""Trains the head finder that comes with turtleidx on features of drawn scenes, in minutes on a CPU.

    export PYTHONPATH=scripts:.
    python -m training.detection.scenes /tmp/heads --scenes 0 1600 --heads 0 300
    python -m training.detection.train /tmp/heads retrieval/data/detection/turtle-heads.safetensors

A tenth of the scenes is held out and sets the threshold: the confidence over which at most 5 % of the boxes, enlarged
1.25 times, hold under 90 % of the head. It promises that for drawings only, and the file says "not certified".
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from retrieval.detection import HeadNetwork
from retrieval.training.detector import Example, misses, save_finder, threshold_for, train

HELD_OUT = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, help="folder that `training.detection.scenes` filled")
    parser.add_argument("target", type=Path)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2, help="networks that are trained at a time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scenes, heads = (read(options.features, kind) for kind in ("scenes", "heads"))
    held_out = scenes[::HELD_OUT]
    learnt = [one for number, one in enumerate(scenes) if number % HELD_OUT] + heads
    forked = multiprocessing.get_context("fork")  # the examples stay in memory once
    with forked.Pool(options.processes, initializer=_begin, initargs=(learnt, options.rounds)) as pool:
        states = pool.map(_trained, range(options.networks), chunksize=1)
    networks = [_network(state) for state in states]
    judged = misses(networks, held_out)
    threshold = threshold_for(judged)
    save_finder(options.target, networks, threshold, certified=False)
    accepted = judged.confidence >= threshold
    print(
        json.dumps(
            {
                "examples": len(learnt),
                "threshold": round(threshold, 4),
                "accepted": round(float(accepted.mean()), 4),
                "missed": round(float(judged.missed[accepted].mean()), 4),
                "missed_of_all": round(float(np.mean(judged.missed)), 4),
            }
        )
    )


_learnt: list[Example] = []
_rounds = [0]


def _begin(learnt: Sequence[Example], rounds: int) -> None:
    torch.set_num_threads(1)
    _learnt.extend(learnt)
    _rounds[0] = rounds


def _trained(seed: int) -> dict[str, npt.NDArray[np.float32]]:
    started = time.perf_counter()

    def told(done: int, loss: float) -> None:
        seconds = round(time.perf_counter() - started)
        print(json.dumps({"network": seed, "round": done, "loss": round(loss, 4), "seconds": seconds}), flush=True)

    network = train(_learnt, _rounds[0], seed, told=told)
    return {name: value.numpy() for name, value in network.state_dict().items()}


def _network(state: Mapping[str, npt.NDArray[np.float32]]) -> HeadNetwork:
    network = HeadNetwork()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()


def read(folder: Path, kind: str) -> list[Example]:
    """All examples of a kind."""
    files: Sequence[Path] = sorted(folder.glob(f"{kind}-*.pt"))
    return [Example.of(tensors) for file in files for tensors in torch.load(file, weights_only=True)]


if __name__ == "__main__":
    main()
