"""A sheet to look at before training: true pairs with their matches, and hard pairs of two individuals.

PYTHONPATH=scripts python -m training.lightglue.preview sheet.png --rows 5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from index.types import Pixels, Side
from retrieval.features import SiftExtractor
from synthetic.heads import Drawing, draw_photograph
from training.lightglue.correspondence import Int16, true_matches

SIZE = (320, 240)
MATCHED, UNMATCHED, IGNORED = (60, 220, 60), (60, 60, 230), (230, 230, 230)


def preview(species: int) -> Pixels:
    """One row, BGR: a true pair with its matches; the first photo beside another individual of the species."""
    first = draw_photograph(0, 0, Side.LEFT, SIZE, species)
    later = draw_photograph(0, 4, Side.LEFT, SIZE, species)
    other = draw_photograph(1, 2, Side.LEFT, SIZE, species)
    return np.hstack(
        [_with_truth(first, later), np.ascontiguousarray(np.hstack([first.pixels, other.pixels])[..., ::-1])]
    )


def _with_truth(first: Drawing, second: Drawing) -> Pixels:
    extractor = SiftExtractor(256, max(SIZE))
    one, two = extractor.extract(first.pixels), extractor.extract(second.pixels)
    truth = true_matches(one, first.texels, two, second.texels)
    sheet: Pixels = np.ascontiguousarray(np.hstack([first.pixels, second.pixels])[..., ::-1])
    for features, answers, shift in ((one, truth.first, 0), (two, truth.second, SIZE[0])):
        for (x, y), answer in zip(features.xy, answers, strict=True):
            cv2.circle(sheet, (round(float(x)) + shift, round(float(y))), 2, _colour(answer), 1, cv2.LINE_AA)
    for row in np.flatnonzero(truth.first >= 0):
        (x0, y0), (x1, y1) = one.xy[row], two.xy[truth.first[row]]
        ends = (round(float(x0)), round(float(y0))), (round(float(x1)) + SIZE[0], round(float(y1)))
        cv2.line(sheet, *ends, MATCHED, 1, cv2.LINE_AA)
    return sheet


def _colour(answer: Int16) -> tuple[int, int, int]:
    return MATCHED if answer >= 0 else UNMATCHED if answer == -1 else IGNORED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--rows", type=int, default=5)
    options = parser.parse_args()
    cv2.imwrite(str(options.sheet), np.vstack([preview(species) for species in range(options.rows)]))


if __name__ == "__main__":
    main()
