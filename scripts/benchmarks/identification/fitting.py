"""What `turtleidx fit` takes on a manifest's gallery, by the light and the default recipe, against another checkout.

Each fit is a process of its own on a fresh copy of a catalogue in which nothing has been compared yet, and where no
second features are stored: it finds them too. Enrolment is not counted.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from benchmarks.commands import Spent, checkouts, print_medians, spent
from benchmarks.scratch import scratch_folder
from retrieval.engine import LIGHT

RECIPES = {"light": ("--matcher", LIGHT), "default": ()}
"""Options of `fit` by what `--recipes` calls them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="photos with a column role; those of the gallery are enrolled")
    parser.add_argument("--against", type=Path, help="another checkout, for example of an earlier version")
    parser.add_argument("--recipes", nargs="+", choices=[*RECIPES], default=[*RECIPES])
    parser.add_argument("--turns", type=int, default=1, help="fits of each recipe and checkout")
    parser.add_argument("--budget", type=int, help="photo pairs to learn from at most; none: what `fit` takes")
    parser.add_argument("--quick", action="store_true", help="2,000 pairs by the light recipe alone")
    options = parser.parse_args()
    if options.turns < 1:
        parser.error("--turns: at least one")
    recipes, budget = (["light"], 2000) if options.quick else (options.recipes, options.budget)
    versions = checkouts(options.against)
    learning = () if budget is None else ("--budget", str(budget))
    taken: dict[tuple[str, str], list[Spent]] = {}
    with scratch_folder() as folder:
        for name, checkout in versions.items():
            spent(checkout, ("init",), folder / name)
            enrolled = ("enroll", "--manifest", str(options.manifest.resolve()), "--role", "gallery", "--no-fit")
            spent(checkout, enrolled, folder / name)
        for _ in range(options.turns):
            for recipe in recipes:
                for name, checkout in versions.items():
                    fresh = folder / "fitted"
                    shutil.copytree(folder / name, fresh)
                    took = spent(checkout, ("fit", *RECIPES[recipe], *learning), fresh)
                    taken.setdefault((f"fit {recipe}", name), []).append(took)
                    shutil.rmtree(fresh)
    print_medians(taken, list(versions))


if __name__ == "__main__":
    main()
