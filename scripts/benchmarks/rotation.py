"""What turned photos lose: top-1 of the same known photos, turned by several angles, on a manifest with a role column.

The head is cut out as the manifest says, turned at full resolution (the canvas grows, its corners mirror the photo),
and asked about among the gallery's photos of its side. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from index.catalog import Catalog
from index.manifest import ManifestRow, read_manifest
from index.types import Sighting
from retrieval.images import load_photo
from retrieval.intake import from_manifest
from retrieval.judgement import Judge
from retrieval.loading import Choices, load_instruments
from retrieval.pipeline import Terms, enroll, identify

ANGLES = (0, 45, 90, 135, 180)
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
    folder = Path(tempfile.mkdtemp(prefix="turtleidx-"))
    try:
        top1, asked = run(options.manifest, 10 if options.quick else options.photos, options.seed, folder)
    finally:
        shutil.rmtree(folder)
    shown = Table(title=f"{asked} known photos, turned")
    for angle in top1:
        shown.add_column(f"{angle}°")
    shown.add_row(*(f"{share:.3f}" for share in top1.values()))
    Console().print(shown)
    print(json.dumps({"top1_by_angle": top1, "most_lost": top1[0] - min(top1.values())}))


def run(manifest: Path, photos: int, seed: int, folder: Path) -> tuple[dict[int, float], int]:
    """Share of right first turtles by angle, and how many photos were asked about."""
    instruments = load_instruments(Choices())
    catalog = Catalog.create(folder / "turtles.catalog", instruments.recipe)
    enroll(catalog, from_manifest(manifest, ["gallery"], Sighting("")), instruments, "benchmark")
    rows = [row.sighting for row in read_manifest(manifest, ["known"]) if isinstance(row, ManifestRow)]
    chosen = np.random.default_rng(seed).permutation(len(rows))[:photos]
    judge = Judge.of(catalog, instruments)
    right = dict.fromkeys(ANGLES, 0)
    for row in track(sorted(chosen), "asking"):
        head = load_photo(Path(rows[row].path), FULL, rows[row].box).pixels
        for angle in ANGLES:
            path = folder / "turned.png"
            cv2.imwrite(str(path), cv2.cvtColor(turned(head, angle), cv2.COLOR_RGB2BGR))
            found = identify(catalog, replace(rows[row], path=str(path), box=None), instruments, judge, Terms())
            right[angle] += bool(found.candidates) and found.candidates[0].turtle == rows[row].turtle
    return {angle: count / len(chosen) for angle, count in right.items()}, len(chosen)


def turned(pixels: np.ndarray, degrees: int) -> np.ndarray:
    """An image turned counter-clockwise, whole."""
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(pixels, degrees // 90))
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    size = round(height * sin + width * cos), round(height * cos + width * sin)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return np.asarray(cv2.warpAffine(pixels, turn, size, borderMode=cv2.BORDER_REFLECT))


if __name__ == "__main__":
    main()
