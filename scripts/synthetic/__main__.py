"""`python -m synthetic FOLDER`: writes sample photos of drawn turtles with a manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from synthetic.samples import write_samples


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m synthetic", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turtles", type=int, default=30, help="enrolled turtles")
    parser.add_argument("--new-turtles", type=int, default=2, help="turtles that are in no gallery")
    parser.add_argument("--photos", type=int, default=6, help="photos of a turtle, two a day")
    options = parser.parse_args()
    written = write_samples(options.folder, options.turtles, options.photos, options.new_turtles)
    print(f"{len(written.samples)} photos and {written.manifest}")


if __name__ == "__main__":
    main()
