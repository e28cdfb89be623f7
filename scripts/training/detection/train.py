"""Trains the head finder that comes with turtleidx on features of drawn scenes, in minutes on a CPU.

    export PYTHONPATH=scripts:.
    python -m training.detection.scenes /tmp/heads --scenes 0 1100 --heads 0 200 --backdrops PHOTOS --empty 0 200
    python -m training.detection.train /tmp/heads /tmp/first.safetensors --rounds 9
    python -m training.detection.train /tmp/heads retrieval/data/detection/turtle-heads.safetensors \
        --from /tmp/first.safetensors --rounds 6 --rate 0.002

Further scenes set the threshold: the confidence over which at most 5 % of the boxes, enlarged 1.25 times, hold under
90 % of the head. It promises that for drawings only, and the file says "not certified".
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from index.types import HeadBox, Pixels
from retrieval.detection import Backbone, HeadNetwork, SmallHeadFinder, read_finder
from retrieval.training.detector import RATE, Example, misses, save_finder, threshold_for, train
from synthetic.photographed import photographs
from synthetic.scenes import draw_scene
from training.detection.scenes import chosen

HELD_OUT = range(3_000_000, 3_000_110)
"""Scenes that no network learns from."""
SEEN = (1008, 672)
"""The finder itself brings pictures to its size."""
MISSED = 0.05
"""Share of the accepted held-out drawings that may miss, as is the aim for photographs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, help="folder that `training.detection.scenes` filled")
    parser.add_argument("target", type=Path)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--from", dest="start", type=Path, help="networks to continue from, for another cycle")
    parser.add_argument("--rate", type=float, default=RATE, help="the highest of the cycle")
    parser.add_argument(
        "--backdrops", type=Path, help="photographs behind a third of the scenes that set the threshold"
    )
    parser.add_argument("--processes", type=int, default=2, help="networks that are trained at a time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scenes, heads, empty = (read(options.features, kind) for kind in ("scenes", "heads", "empty"))
    learnt = scenes + heads + empty
    start = [] if options.start is None else read_finder(options.start).networks
    number = len(start) or options.networks
    forked = multiprocessing.get_context("fork")  # the examples stay in memory once
    with forked.Pool(options.processes, _begin, (_Sitting(learnt, options.rounds, options.rate, start),)) as pool:
        states = pool.map(_trained, range(number), chunksize=1)
    networks = [_network(state) for state in states]
    photos = () if options.backdrops is None else photographs(options.backdrops)
    judged = misses(SmallHeadFinder(Backbone(torch.device("cpu")), networks, "new", 0.0), held_out(photos))
    threshold = threshold_for(judged, MISSED)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Sitting:
    """What all networks of a run have in common; `start` is empty where they begin untrained."""

    learnt: Sequence[Example]
    rounds: int
    rate: float
    start: Sequence[HeadNetwork]


_sitting: list[_Sitting] = []


def _begin(sitting: _Sitting) -> None:
    torch.set_num_threads(1)
    _sitting.append(sitting)


def _trained(seed: int) -> dict[str, npt.NDArray[np.float32]]:
    started = time.perf_counter()

    def told(done: int, loss: float) -> None:
        seconds = round(time.perf_counter() - started)
        print(json.dumps({"network": seed, "round": done, "loss": round(loss, 4), "seconds": seconds}), flush=True)

    [sitting] = _sitting
    start = sitting.start[seed] if sitting.start else None
    again = 100 if sitting.start else 0  # other batches than before
    network = train(sitting.learnt, sitting.rounds, seed + again, start, sitting.rate, told)
    return {name: value.numpy() for name, value in network.state_dict().items()}


def _network(state: Mapping[str, npt.NDArray[np.float32]]) -> HeadNetwork:
    network = HeadNetwork()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return network.eval()


def held_out(photos: Sequence[Path]) -> Iterator[tuple[Pixels, list[HeadBox]]]:
    """Scenes, drawn as those that were learnt, and the boxes of their heads."""
    for number in HELD_OUT:
        scene = draw_scene(number, SEEN, photo=chosen(number, photos))
        yield scene.pixels, [one.box for one in scene.heads]


def read(folder: Path, kind: str) -> list[Example]:
    """All examples of a kind; none where there are no such files."""
    files: Sequence[Path] = sorted(folder.glob(f"{kind}-*.pt"))
    return [Example.of(tensors) for file in files for tensors in torch.load(file, weights_only=True)]


if __name__ == "__main__":
    main()
