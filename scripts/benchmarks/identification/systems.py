"""The systems that people would compare, on the same photos: each enrolls, fits and answers in a process of its own.

Every system sees the working images of the same catalogue recipe. A system whose weights are not at hand, and cannot be
had, is a row that says so. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from retrieval.engine import LIGHT

SCRIPTS = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class System:
    """A system and the figures of the study that came before (top-1/3/5 and novelty, per cent), where it was there."""

    title: str
    matcher: str
    study: str = ""


SYSTEMS = (
    System("turtleidx, two experts", "aliked+views"),
    System("turtleidx, light recipe", LIGHT),
    System("turtleidx, the bundled network behind it", "turtle-sift+views"),
    System("SIFT, nearest neighbours", "nearest"),
    System("ALIKED-LightGlue", "extractor:aliked", "100/100/100, 90 (LightGlue)"),
    System("DISK-LightGlue", "extractor:disk"),
    System("LoFTR", "loftr", "64/80/84"),
    System("LoMa", "loma"),
    System("WildFusion of ALIKED-LightGlue and EfficientNet-Lite0", "wildfusion"),
    System("EfficientNet-Lite0, ImageNet", "encoder:timm:efficientnet-lite0"),
    System("DINOv2 small", "encoder:timm:dinov2-small"),
    System("MegaDescriptor-T", "encoder:timm:megadescriptor"),
    System("MiewID", "encoder:timm:miewid"),
)
TRAINED = "encoder trained on other turtles of the catalogue"
STUDY_OF_TRAINED = "8/12/16, 76 (ConvNeXt-S, circle loss)"
SHOWN = (
    "top1",
    "top3",
    "top5",
    "auroc",
    "auroc_p_new",
    "novelty_accuracy",
    "query_cpu_s",
    "bytes_per_photo",
    "peak_gib",
)


def main() -> None:
    """Measure, print the table and one line of JSON."""
    options = _options()
    systems = [one for one in SYSTEMS if not options.only or one.matcher in options.only]
    systems += [System(f"{TRAINED} ({path.name})", f"encoder:{path}", STUDY_OF_TRAINED) for path in options.encoder]
    figures: dict[str, Mapping[str, object]] = {}
    for system in systems:
        Console(stderr=True).print(f"{system.title} ({system.matcher}) ...")
        figures[system.matcher] = answers_of(system, options)
    Console(width=150).print(table(systems, figures))
    print(json.dumps(figures))


def answers_of(system: System, options: argparse.Namespace) -> Mapping[str, object]:
    """The figures of `scripts/benchmark identification`, or what is missing."""
    command = [sys.executable, "-m", "benchmarks.identification.end_to_end", str(options.manifest), "--no-baseline"]
    command += ["--matcher", system.matcher, "--budget", str(options.budget)]
    command += ["--most", str(options.most)] if options.most else []
    paths = os.pathsep.join(filter(None, (str(SCRIPTS), str(SCRIPTS.parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths})
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with the code {done.returncode}"]
        return {"missing": said[-1].rpartition(": ")[2]}
    answers: Mapping[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answers


def table(systems: Sequence[System], figures: Mapping[str, Mapping[str, object]]) -> Table:
    """A row a system."""
    found = Table("", *SHOWN, "study", box=None, padding=(0, 2))
    for system in systems:
        own = figures[system.matcher]
        if "missing" in own:
            found.add_row(system.title, str(own["missing"]), *[""] * (len(SHOWN) - 1), system.study)
        else:
            found.add_row(system.title, *(_number(own.get(name)) for name in SHOWN), system.study)
    return found


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if isinstance(value, (int, float)) and value > 1000 else f"{value:.3f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--only", nargs="+", choices=[one.matcher for one in SYSTEMS], help="these systems")
    parser.add_argument("--encoder", type=Path, nargs="*", default=[], help="files of `turtleidx train encoder`")
    parser.add_argument("--most", type=int, help="so many queries, evenly drawn")
    parser.add_argument("--budget", type=int, default=200_000, help="photo pairs that each fit may compare")
    return parser.parse_args()


if __name__ == "__main__":
    main()
