"""How long light commands take before they answer, and a cold query, here and in another checkout, turn by turn.

Processor seconds, user and system, of one process a command, since they depend least on what else runs, seconds on the
clock, and its peak of resident memory. The catalogue is an empty one, made here; the other checkout gets one of its
own, made by itself. With `--photos` it holds a manifest's photos, whose first is asked about, without a fitted model;
with `--catalog` it is a copy of one that is there, of which `--photo` is asked. A photo is asked about by the light
recipe and by the default one, each process on all cores, as users run it; the other commands have one core.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.commands import Spent, checkouts, print_medians, spent
from benchmarks.scratch import scratch_folder
from index.exchange import ManifestRow, read_manifest
from retrieval.engine import LIGHT

COMMANDS = (("--help",), ("turtles", "list"), ("info",), ("query", "--help"))
"""The first needs no catalogue; none of them compares photos."""
RECIPES = (("--matcher", LIGHT), ())
"""Options of a query by the light recipe and by the default one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, for example of an earlier version")
    parser.add_argument("--photos", type=Path, help="a manifest of heads that were cut out, for the cold query")
    parser.add_argument("--catalog", type=Path, help="a catalogue to copy, for example one with a fitted model")
    parser.add_argument("--photo", type=Path, help="the photo that is asked of it")
    parser.add_argument("--turns", type=int, default=9, help="processes of each command and checkout")
    parser.add_argument("--quick", action="store_true", help="three turns")
    options = parser.parse_args()
    if (options.catalog is None) != (options.photo is None) or (options.catalog and options.photos):
        parser.error("--catalog goes with --photo, and without --photos")
    if missing := [str(one) for one in (options.catalog, options.photo, options.photos) if one and not one.exists()]:
        parser.error(f"there is no {missing[0]}")
    if options.turns < 1:
        parser.error("--turns: at least one")
    versions = checkouts(options.against)
    asked = options.photo or (_first_photo(options.photos) if options.photos else None)
    queries = [] if asked is None else [("query", *recipe, str(asked.resolve())) for recipe in RECIPES]
    commands = [*COMMANDS, *queries]
    with scratch_folder() as folder:
        for name, checkout in versions.items():
            if options.catalog:
                shutil.copytree(options.catalog, folder / name)
                continue
            spent(checkout, ("init",), folder / name)
            if options.photos:
                manifest = str(options.photos.resolve())
                spent(checkout, ("enroll", "--manifest", manifest, "--no-fit"), folder / name)
        taken = _measured(versions, commands, 3 if options.quick else options.turns, folder)
    print_medians(taken, list(versions))


def _first_photo(manifest: Path) -> Path:
    rows = (row for row in read_manifest(manifest) if isinstance(row, ManifestRow))
    return Path(next(rows).sighting.path)


def _measured(
    versions: dict[str, Path], commands: Sequence[tuple[str, ...]], turns: int, folder: Path
) -> dict[tuple[str, str], list[Spent]]:
    """By command and checkout; each command is run once before it counts."""
    taken: dict[tuple[str, str], list[Spent]] = {}
    for turn in range(turns + 1):
        for command in commands:
            for name, checkout in versions.items():
                cores = 1 if command in COMMANDS else None
                took = spent(checkout, command, folder / name, cores)
                if turn:
                    taken.setdefault((" ".join(part for part in command if "/" not in part), name), []).append(took)
    return taken


if __name__ == "__main__":
    main()
