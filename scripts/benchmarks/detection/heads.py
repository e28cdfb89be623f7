"""How surely heads are found in whole photographs: boxes, sides, cut-out heads left alone, and time.

Drawn scenes that no training saw, and a table of real frames (photo, x, y, w, h, side) where one is given. A frame
is accepted when exactly one head is over the finder's threshold, as `enroll --heads auto` takes it; a box is found when
its intersection with the true one is more than half of their union. Intervals are Wilson's, of 95 %; photos are not
independent where they show one turtle. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.detection.figures import Frame, Share, alone, in_empty, measured, share
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.types import HeadBox, Pixels, Side, Sighting
from retrieval.defaults import Heads
from retrieval.detection import (
    LOOKED_AT,
    Finding,
    HeadFinder,
    Locator,
    SmallHeadFinder,
)
from retrieval.engine import Engine, EngineOptions
from retrieval.images import load_photo
from retrieval.novelty import CatalogModel
from retrieval.pipeline import enroll, identify
from synthetic.photographed import photographs
from synthetic.scenes import draw_scene

FIRST = 5_000_000
"""Scenes from here on are never trained on."""
Row = TypeVar("Row")


def main() -> None:
    """Measure, print the table and one line of JSON."""
    options = _options()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    finder = SmallHeadFinder.load(options.finder, options.device)
    scenes = 30 if options.quick else options.scenes
    sets = {"drawn": drawn(scenes)}
    if options.frames is not None:
        sets["frames"] = from_table(options.frames, options.most)
    figures: dict[str, object] = {"finder": finder.id, "threshold": finder.threshold, "certified": finder.certified}
    table = Table("", "drawn scenes", "frames of the table" if options.frames else "", box=None, padding=(0, 2))
    shares = {name: measured(finder, frames) for name, frames in sets.items()}
    for figure in next(iter(shares.values())):
        table.add_row(figure, *(_told(one[figure]) for one in shares.values()))
    for name, found in shares.items():
        figures[name] = {figure: _plain(value) for figure, value in found.items()}
    if options.cut_out is not None:
        left = alone(finder, _photos_of(options.cut_out, 40 if options.quick else options.most))
        table.add_row("cut-out heads left alone", "", str(left))
        figures["left_alone"] = _plain(left)
    if options.empty is not None:
        nothing, asked = in_empty(finder, _photos_in(options.empty, 40 if options.quick else options.most))
        table.add_row("photos without turtles: nothing sure", "", str(nothing))
        table.add_row("the same, and not taken for a cut-out head", "", str(asked))
        figures["empty"] = {"nothing_sure": _plain(nothing), "waits": _plain(asked)}
    if options.top1:
        top1, true, only_found, only_true = end_to_end(finder, options.frames, options.matcher)
        table.add_row("top-1 with found boxes", "", str(top1))
        table.add_row(
            "top-1 with true boxes", "", f"{true}; {only_found} right with found boxes only, {only_true} less"
        )
        figures["top1"] = {"found": _plain(top1), "true": _plain(true), "difference": top1.hits - true.hits}
    Console(width=130).print(table)
    print(json.dumps(figures))


def drawn(number: int) -> Iterator[Frame]:
    """Scenes that were never trained on."""
    for one in range(FIRST, FIRST + number):
        scene = draw_scene(one, (1008, 672))
        sides = tuple(head.side if head.profile > 0.5 else None for head in scene.heads)
        yield Frame(scene.pixels, tuple(head.box for head in scene.heads), sides)


def from_table(table: Path, most: int | None) -> Iterator[Frame]:
    """Frames of a table, as `enroll` shows them to the finder; boxes are scaled with them."""
    for row in _rows(table, most):
        photo = load_photo(table.parent / row["photo"], LOOKED_AT)
        scale = photo.pixels.shape[1] / photo.original_size[0]
        box = HeadBox(*(float(row[name]) * scale for name in ("x", "y", "w", "h")))
        yield Frame(photo.pixels, (box,), (Side(row["side"]) if row.get("side") in ("left", "right") else None,))


def end_to_end(finder: HeadFinder, table: Path, matcher: str | None) -> tuple[Share, Share, int, int]:
    """Top-1 of each frame among the others of its side, all cut to found boxes and all to true ones.

    Every frame is cut to its surest box, also where a person would have been asked. Frames of turtles that no other
    frame shows from that side are in the gallery and not asked about.
    """
    rows = _rows(table, None)
    counts = Counter((row["turtle"], row["side"]) for row in rows)
    right: list[list[bool]] = []
    for boxes in (_found_boxes(finder, table, rows), _true_boxes(rows)):
        engine = Engine.load(options=EngineOptions(matcher=matcher))
        with scratch_folder() as folder:
            catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
            sightings = [
                Sighting(
                    str(table.parent / row["photo"]), row["turtle"], Side(row["side"]), encounter=str(number), box=box
                )
                for number, (row, box) in enumerate(zip(rows, boxes, strict=True))
            ]
            enroll(catalog, sightings, engine, "benchmark")
            model = CatalogModel.load(catalog, engine.evidence)
            asked = [one for one in sightings if counts[str(one.turtle), str(one.side)] > 1]
            answers = [identify(catalog, one, engine, model) for one in asked]
            right.append(
                [
                    bool(found.candidates) and found.candidates[0].turtle == one.turtle
                    for one, found in zip(asked, answers, strict=True)
                ]
            )
    found, true = right
    pairs = Counter(zip(found, true, strict=True))
    return share(found), share(true), pairs[True, False], pairs[False, True]


def _true_boxes(rows: Sequence[Mapping[str, str]]) -> list[HeadBox]:
    return [HeadBox(*(float(row[name]) for name in ("x", "y", "w", "h"))) for row in rows]


def _found_boxes(finder: HeadFinder, table: Path, rows: Sequence[Mapping[str, str]]) -> list[HeadBox | None]:
    """The surest box of each frame as `enroll` would take it, whatever its confidence."""
    always = Surest(finder)
    located = Locator(Heads.AUTO, always).locate([Sighting(str(table.parent / row["photo"])) for row in rows])
    return [one.box if isinstance(one, Sighting) else None for one in located]


@dataclass(frozen=True, slots=True)
class Surest:
    """A finder that speaks of the surest head alone and is always sure of it."""

    finder: HeadFinder
    threshold: float = 0.0
    certified: bool = False
    id: str = "surest"

    def find(self, photos: Sequence[Pixels]) -> list[Finding]:
        """As the finder itself."""
        return [Finding(one.heads[:1]) for one in self.finder.find(photos)]


def _rows(table: Path, most: int | None) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return _evenly(list(csv.DictReader(file)), most)


def _photos_of(table: Path, most: int | None) -> Iterator[Pixels]:
    return (load_photo(table.parent / row["photo"], LOOKED_AT).pixels for row in _rows(table, most))


def _photos_in(folder: Path, most: int | None) -> Iterator[Pixels]:
    return (load_photo(path, LOOKED_AT).pixels for path in _evenly(photographs(folder), most))


def _evenly(rows: Sequence[Row], most: int | None) -> list[Row]:
    if most is None or most >= len(rows):
        return [*rows]
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _told(value: Share | float) -> str:
    return str(value) if isinstance(value, Share) else f"{value:.3f}"


def _plain(value: Share | float) -> object:
    if isinstance(value, Share):
        return {"share": value.value, "interval": value.interval, "of": value.of}
    return value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, nargs="?", help="a table with columns photo, x, y, w, h and side")
    parser.add_argument("--cut-out", type=Path, help="a table of photos that are heads which were cut out")
    parser.add_argument("--empty", type=Path, help="a folder of photographs without turtles")
    parser.add_argument("--scenes", type=int, default=300, help="drawn scenes")
    parser.add_argument("--finder", type=Path, help="weights of `turtleidx train detector`; else the bundled ones")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--top1", action="store_true", help="also identify the table's turtles (column turtle)")
    parser.add_argument("--matcher", help="for --top1; else the default")
    parser.add_argument("--most", type=int, help="so many rows of a table, evenly drawn")
    parser.add_argument("--quick", action="store_true", help="30 scenes, 40 heads")
    options = parser.parse_args()
    if options.top1 and options.frames is None:
        parser.error("--top1 needs a table of frames")
    return options


if __name__ == "__main__":
    main()
