"""Draws training flocks into a folder with many processes; what is there already stays.

PYTHONPATH=scripts python scripts/training/lightglue/draw_pairs.py FOLDER --first 0 --count 500 --processes 8
PYTHONPATH=scripts python scripts/training/lightglue/draw_pairs.py FOLDER --yaw 60 --stretched 0.25 --photographs PHOTOS
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import radians
from pathlib import Path

import cv2

from synthetic.photographed import photographs
from training.lightglue.photograph_pairs import make_photograph_flock
from training.lightglue.synthetic_pairs import FlockPlan, make_flock


def flock_path(folder: Path, seed: int, of_photographs: bool = False) -> Path:
    """Where a flock lies; those of photographs have names of their own, so that one folder holds both kinds."""
    return folder / f"flock-{'photographs-' if of_photographs else ''}{seed:07d}.npz"


def draw_one(seed: int, folder: Path, plan: FlockPlan, photos: Sequence[Path] = ()) -> None:
    """Draw a flock of heads, or of `photos` where there are any, unless it is there."""
    cv2.setNumThreads(1)
    path = flock_path(folder, seed, bool(photos))
    if path.exists():
        return
    flock = make_photograph_flock(seed, plan, photos) if photos else make_flock(seed, plan)
    if flock is not None:
        flock.save(path)


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(words)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    seeds = range(chosen.first, chosen.first + chosen.count)
    plan = planned(chosen)
    photos = photographs(chosen.photographs) if chosen.photographs else ()
    started = time.monotonic()
    with ProcessPoolExecutor(chosen.processes) as pool:
        draw = partial(draw_one, folder=chosen.folder, plan=plan, photos=photos)
        for done, _ in enumerate(pool.map(draw, seeds), start=1):
            if done % 20 == 0:
                print(
                    f"{done} of {chosen.count} flocks, {done / (time.monotonic() - started):.2f} a second", flush=True
                )


def planned(chosen: argparse.Namespace) -> FlockPlan:
    """What the options ask for; without any, flocks as they always were."""
    widest = None if chosen.yaw is None else radians(chosen.yaw)
    return FlockPlan(widest=widest, stretched=chosen.stretched, fewest=chosen.fewest)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0, help="seed of the first flock")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--yaw", type=float, help="degrees up to which every yaw is as likely; without, most are small")
    parser.add_argument(
        "--stretched", type=float, default=0.0, help="share of the photos that are seen in a simulated view"
    )
    parser.add_argument("--fewest", type=int, help="keypoints that a photo must have, where 512 are too many")
    parser.add_argument(
        "--photographs", type=Path, help="folder of photographs of anything that become the heads' skin and background"
    )
    chosen = parser.parse_args(words)
    if chosen.yaw is not None and not 0 <= chosen.yaw <= 90:
        parser.error(f"--yaw {chosen.yaw:g} shows no side of the head: choose 0 to 90 degrees.")
    if not 0 <= chosen.stretched <= 1:
        parser.error(f"--stretched {chosen.stretched:g} is no share: choose 0 to 1.")
    return chosen


if __name__ == "__main__":
    main()
