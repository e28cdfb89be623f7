"""`python -m training.detection.scenes FOLDER`: features of drawn scenes and of drawn cut-out heads, computed once.

With `--backdrops` a third of the turtles is drawn before photographs of that folder, and photographs alone are frames
without a turtle. Any photographs do that show no turtle and whose licence allows it; those of the bundled networks are
named in `retrieval/data/detection/turtle-heads.md`.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from index.types import Pixels
from retrieval.detection import Backbone
from retrieval.training.detector import stored
from synthetic.noise import seeded
from synthetic.photographed import as_taken, photographs, read_photograph
from synthetic.scenes import Head, draw_scene

WIDE, CUT = (672, 448), (608, 480)
"""Sizes of scenes and of cut-out heads; both are read upright too."""
PHOTOGRAPHED = 1 / 3
"""Of the scenes and cut-out heads have a photograph behind them."""
BLOCK = 100
"""Pictures of one file."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, nargs=2, default=(0, 1500), metavar=("FIRST", "END"))
    parser.add_argument("--heads", type=int, nargs=2, default=(0, 300), metavar=("FIRST", "END"))
    parser.add_argument("--backdrops", type=Path, help="a folder of photographs without turtles")
    parser.add_argument(
        "--empty", type=int, nargs=2, default=(0, 300), metavar=("FIRST", "END"), help="frames of --backdrops alone"
    )
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    photos = () if options.backdrops is None else photographs(options.backdrops)
    wanted = {"scenes": options.scenes, "heads": options.heads} | ({"empty": options.empty} if photos else {})
    blocks = [(kind, first) for kind, (start, end) in wanted.items() for first in range(start, end, BLOCK)]
    missing = [(options.folder, *one, photos) for one in blocks if not (options.folder / name_of(*one)).exists()]
    with multiprocessing.Pool(options.processes, initializer=_one_thread) as pool:
        for done in pool.imap_unordered(_keep, missing):
            print(done, flush=True)


def name_of(kind: str, first: int) -> str:
    return f"{kind}-{first:06d}.pt"


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _keep(block: tuple[Path, str, int, Sequence[Path]]) -> str:
    folder, kind, first, photos = block
    backbone = Backbone(torch.device("cpu"))
    pictures = {"scenes": drawn_scenes, "heads": drawn_heads, "empty": empty_frames}[kind](first, photos)
    examples = [stored(backbone, pixels, heads, whole=whole) for pixels, heads, whole in pictures]
    partial = folder / f"{name_of(kind, first)}.part"
    torch.save([one.tensors() for one in examples], partial)
    partial.replace(folder / name_of(kind, first))
    return name_of(kind, first)


Picture = tuple[Pixels, tuple[Head, ...], bool | None]
"""Its pixels, its heads, and whether it is a cut-out head; None where a head is so large that it might be."""


def drawn_scenes(first: int, photos: Sequence[Path] = ()) -> Iterator[Picture]:
    """Scenes of either format, a third of them before photos where there are some."""
    for number in range(first, first + BLOCK):
        size = size_of(number)
        scene = draw_scene(number, size, photo=chosen(number, photos))
        large = max((one.box.w / size[0] for one in scene.heads), default=0.0)
        yield scene.pixels, scene.heads, None if large > 0.6 else False


def drawn_heads(first: int, photos: Sequence[Path] = ()) -> Iterator[Picture]:
    """Heads cut out of scenes as people cut: a little too tight or too loose, and squeezed to one size."""
    for number in range(first, first + BLOCK):
        rng, photo = seeded(25, number), chosen(1_000_000 + number, photos)
        attempt = 1_000_000 + 1000 * number
        scene = draw_scene(attempt, WIDE, turtles=1, share=float(rng.uniform(0.35, 0.8)), photo=photo)
        while not scene.heads or scene.heads[0].box.w < 150:
            attempt += 1
            scene = draw_scene(attempt, WIDE, turtles=1, share=float(rng.uniform(0.35, 0.8)), photo=photo)
        yield cut_out(scene.pixels, scene.heads[0], rng)


def empty_frames(first: int, photos: Sequence[Path]) -> Iterator[Picture]:
    """Photographs without a turtle: half of them as they were taken, half as a scene shows them."""
    for number in range(first, first + BLOCK):
        rng, size = seeded(27, number), size_of(number)
        photo = read_photograph(photos[number % len(photos)])
        if number % 2:
            yield as_taken(rng, photo, size), (), False
        else:
            yield draw_scene(2_000_000 + number, size, turtles=0, photo=photo).pixels, (), False


def size_of(number: int) -> tuple[int, int]:
    """Width and height of a scene."""
    return WIDE if seeded(24, number).random() < 0.85 else WIDE[::-1]


def chosen(number: int, photos: Sequence[Path]) -> Pixels | None:
    """The photograph behind a scene; None where the backdrop is drawn."""
    rng = seeded(26, number)
    if not photos or rng.random() >= PHOTOGRAPHED:
        return None
    return read_photograph(photos[int(rng.integers(len(photos)))])


def cut_out(pixels: Pixels, head: Head, rng: np.random.Generator) -> tuple[Pixels, tuple[Head, ...], bool]:
    """The head alone, at the size of cut-out heads, with its record there."""
    box = head.box
    margin = rng.normal(0.03, 0.07, 4) * (box.w, box.h, box.w, box.h)
    left, top = max(0, round(box.x - margin[0])), max(0, round(box.y - margin[1]))
    right = min(pixels.shape[1], round(box.x + box.w + margin[2]))
    bottom = min(pixels.shape[0], round(box.y + box.h + margin[3]))
    size = CUT if right - left > bottom - top else CUT[::-1]
    part = cv2.resize(pixels[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    across, down = size[0] / (right - left), size[1] / (bottom - top)
    x, y = max(0.0, (box.x - left) * across), max(0.0, (box.y - top) * down)
    inside = type(box)(x, y, min(size[0] - x, box.w * across), min(size[1] - y, box.h * down))
    return np.asarray(part, np.uint8), (Head(inside, head.side, head.profile, head.angle),), True


if __name__ == "__main__":
    main()
