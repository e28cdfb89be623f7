"""Draws training flocks into a folder with many processes; what is there already stays.

PYTHONPATH=scripts python scripts/training/lightglue/draw_pairs.py FOLDER --first 0 --count 500 --processes 8
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2

from training.lightglue.synthetic_pairs import FlockPlan, make_flock


def flock_path(folder: Path, seed: int) -> Path:
    return folder / f"flock-{seed:07d}.npz"


def draw_one(seed: int, folder: Path, plan: FlockPlan) -> None:
    cv2.setNumThreads(1)
    path = flock_path(folder, seed)
    if not path.exists() and (flock := make_flock(seed, plan)) is not None:
        flock.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0, help="seed of the first flock")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    seeds = range(chosen.first, chosen.first + chosen.count)
    started = time.monotonic()
    with ProcessPoolExecutor(chosen.processes) as pool:
        draw = partial(draw_one, folder=chosen.folder, plan=FlockPlan())
        for done, _ in enumerate(pool.map(draw, seeds), start=1):
            if done % 20 == 0:
                print(
                    f"{done} of {chosen.count} flocks, {done / (time.monotonic() - started):.2f} a second", flush=True
                )


if __name__ == "__main__":
    main()
