"""What turned photos lose: top-1 of the same known photos, turned by several angles, on a manifest with a role column.

The head is cut out as the manifest says, turned at full resolution, and asked about among the gallery's photos of its
side. A photo turned by half a right angle needs a larger canvas, whose corners mirror the photo: on it the head is
smaller and shares its keypoints with the corners. So all angles are asked about once more on the square canvas that
half a right angle needs, which shows what turning alone costs. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import Sighting
from retrieval.engine import Engine, EngineOptions
from retrieval.images import from_manifest, load_photo
from retrieval.novelty import CatalogModel, DecisionPolicy
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify

ANGLES = (0, 45, 90, 135, 180)
OWN, SQUARE = "own", "square"
FULL = 4096
"""Longest side that is turned."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--photos", type=int, default=100, help="known photos, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="ten photos")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with scratch_folder() as folder:
        top1, asked = run(options.manifest, 10 if options.quick else options.photos, options.seed, folder)
    shown = Table("canvas", *(f"{angle}°" for angle in ANGLES), title=f"{asked} known photos, turned")
    figures: dict[str, object] = {"photos": asked}
    for canvas, shares in top1.items():
        shown.add_row(canvas, *(f"{share:.3f}" for share in shares.values()))
        figures[canvas] = {"top1_by_angle": shares, "most_lost": shares[0] - min(shares.values())}
    Console().print(shown)
    print(json.dumps(figures))


def run(manifest: Path, photos: int, seed: int, folder: Path) -> tuple[dict[str, dict[int, float]], int]:
    """Share of right first turtles by canvas and angle, and how many photos were asked about."""
    engine = Engine.load(options=EngineOptions())
    catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
    enroll(catalog, from_manifest(manifest, ["gallery"], Sighting("")), engine, "benchmark")
    rows = [row.sighting for row in read_manifest(manifest, ["known"]) if isinstance(row, ManifestRow)]
    chosen = np.random.default_rng(seed).permutation(len(rows))[:photos]
    model = CatalogModel.load(catalog, engine.evidence)
    right = {canvas: dict.fromkeys(ANGLES, 0) for canvas in (OWN, SQUARE)}
    for row in track(sorted(chosen), "asking"):
        head = load_photo(Path(rows[row].path), FULL, rows[row].box).pixels
        for canvas, angle in product(right, ANGLES):
            path = folder / "turned.png"
            image = turned(head, angle, square=canvas == SQUARE)
            cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            found = identify(catalog, replace(rows[row], path=str(path), box=None), engine, model, DecisionPolicy())
            right[canvas][angle] += bool(found.candidates) and found.candidates[0].turtle == rows[row].turtle
    asked = len(chosen)
    return {canvas: {angle: n / asked for angle, n in counts.items()} for canvas, counts in right.items()}, asked


def turned(pixels: np.ndarray, degrees: int, square: bool = False) -> np.ndarray:
    """An image turned counter-clockwise, whole; on its own canvas, or on the `square` that 45 degrees need."""
    if degrees % 90 == 0 and not square:
        return np.ascontiguousarray(np.rot90(pixels, degrees // 90))
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cos, sin = (np.sqrt(0.5),) * 2 if square else abs(turn[0, :2])
    size = round(height * sin + width * cos), round(height * cos + width * sin)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(pixels, turn, size, borderMode=cv2.BORDER_REFLECT))


if __name__ == "__main__":
    main()
