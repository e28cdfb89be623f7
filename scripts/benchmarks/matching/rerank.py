"""Speed of LightGlue re-ranking against other implementations: same weights, same features, same pairs, in one run.

Ways are run in turns, and each for as long as the others. The network of the published size is ALIKED's where its
weights are at hand, on ALIKED's keypoints of drawn heads, else one of random weights on SIFT's, which the bundled
network sees too. Early exit is off on all sides. Then ours with cascade and, if it was trained for that, early exit
against kornia on photos (`--manifest`, one with a role column), whole queries against large galleries, and peak memory
by length of the shortlist, each in a process of its own. transformers takes part where it is installed (the extra
`superpoint`). Ends with one line of JSON; a figure that cannot be had here (no GPU, no manifest) is null.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from benchmarks.matching.implementations import FIELD, OURS, Way, transformers_fits, ways_of
from benchmarks.matching.rerank_figures import FIGURES, HEADLINE, Cell, headline, named, table
from benchmarks.matching.whole_query import Question, against, questions, with_everything
from index.types import LocalFeatures
from retrieval.devices import choose_device
from retrieval.engine.options import OF_SIFT
from retrieval.features import LearnedExtractor, SiftExtractor
from retrieval.matching.lightglue.checkpoints import load_network
from retrieval.matching.lightglue.config import LightGlueConfig
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import BUNDLED, DEFAULT
from retrieval.weight_files import has_second_expert
from synthetic.heads import draw_head

PUBLISHED_SIZE = LightGlueConfig(depth_confidence=None)
SMALL_SIZE = LightGlueConfig(descriptor_dim=96, n_layers=6, num_heads=2, add_scale_ori=True, depth_confidence=None)
GALLERIES = {10_000: "10k", 100_000: "100k"}
"""Photos of a large gallery, and how figures name it."""
DRAWN = 4


def main() -> None:
    options = _options()
    console, device = Console(stderr=True), choose_device(options.device)
    torch.set_num_threads(options.threads)
    own_name, own = own_network()
    asked = questions(options.manifest, options.queries) if options.manifest and options.queries else []
    cells = []
    for (name, network), aliked in ((published_network(), has_second_expert()), ((own_name, own), False)):
        photos = drawn_features(max(options.keypoints), aliked=aliked)
        config = network.config
        network.config = replace(config, depth_confidence=None)
        for keypoints in options.keypoints:
            query, *others = (strongest(photo, keypoints) for photo in photos)
            for candidates in options.candidates:
                console.print(f"{name}, {keypoints} keypoints, {candidates} candidates ...")
                shortlist = list(islice(cycle(others), candidates))
                if not transformers_fits(network):
                    console.print("  without transformers: not installed, or its network has no scale and orientation")
                ways = take_turns(ways_of(network, device), query, shortlist, options.seconds, device)
                cells.append(Cell(name, network.config, keypoints, candidates, ways))
        network.config = config
    precision = LightGlueMatcher(own, "", device).precision
    rate = matrix_rate(precision, device)
    Console(width=110).print(table(cells, rate))
    print(f"{description(device)}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f} at the end")
    print(
        f"matrix rate {rate / 1e9:.0f} GFLOP/s in {precision}, which ours uses; peak memory {peak_memory(device)} MiB"
    )
    figures = dict.fromkeys(FIGURES) | headline(cells, rate, device) | in_use(own_name, own, cells, asked, options)
    print(json.dumps(figures))


def take_turns(
    ways: Sequence[Way],
    query: LocalFeatures,
    shortlist: Sequence[LocalFeatures],
    seconds: float,
    device: torch.device,
) -> tuple[Way, ...]:
    """Give the way that has had the least time its next batch, again and again, until all have had theirs.

    So what else the machine does falls on all of them alike. A way goes through the shortlist as often as it can. On a
    GPU it is warm after a whole batch, on a CPU after some pairs.
    """
    ways = tuple(way for way in ways if way.batch <= len(shortlist) or way.name.startswith((FIELD, OURS)))
    for way in ways:
        way.match(query, shortlist[: way.batch if device.type == "cuda" else min(4, way.batch)])
    while waiting := [way for way in ways if way.seconds < seconds]:
        way = min(waiting, key=lambda one: one.seconds)
        at = way.pairs % len(shortlist)
        batch = shortlist[at : at + way.batch]
        started = time.perf_counter()
        found = way.match(query, batch)
        way.seconds += time.perf_counter() - started
        way.pairs += len(batch)
        way.found += found if len(way.found) < len(shortlist) else []
    return ways


def drawn_features(keypoints: int, *, aliked: bool = False) -> list[LocalFeatures]:
    """Keypoints of drawn heads, SIFT's or ALIKED's, the strongest first."""
    extractor = LearnedExtractor("aliked", keypoints, 800) if aliked else SiftExtractor(keypoints, 800)
    return [extractor.extract(draw_head(number // 2, number % 2, size=(800, 640))) for number in range(2 * DRAWN)]


def strongest(photo: LocalFeatures, keypoints: int) -> LocalFeatures:
    return replace(
        photo,
        xy=photo.xy[:keypoints],
        scale=photo.scale[:keypoints],
        orientation=photo.orientation[:keypoints],
        descriptors=photo.descriptors[:keypoints],
    )


def random_network(config: LightGlueConfig) -> LightGlue:
    """Random layers under an assignment that is as decided as a trained one."""
    torch.manual_seed(0)
    network = LightGlue(config)
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("final_proj.weight"):
            value.copy_(4 * torch.eye(len(value)))
        elif name.endswith("matchability.bias"):
            value.fill_(2.0)
    return network.eval()


def published_network() -> tuple[str, LightGlue]:
    """ALIKED's LightGlue, or where that is not at hand a random network of its size."""
    if has_second_expert():
        return "ALIKED's LightGlue", load_network("aliked").network
    return "published size, random weights", random_network(PUBLISHED_SIZE)


def own_network() -> tuple[str, LightGlue]:
    if (BUNDLED / f"{DEFAULT}.safetensors").exists():
        return DEFAULT, load_network(DEFAULT).network
    return "small size", random_network(SMALL_SIZE)


def matrix_rate(precision: torch.dtype, device: torch.device) -> float:
    """Operations a second of the product that the layers spend most time in, the best of half a second.

    On a GPU at least those of a large square one, which is faster there.
    """
    shapes = [(8192, 512)] if device.type == "cpu" else [(1 << 17, 512), (8192, 8192)]
    return max(_product_rate(rows, width, precision, device) for rows, width in shapes)


def _product_rate(rows: int, width: int, precision: torch.dtype, device: torch.device) -> float:
    a, b = (torch.rand(shape, device=device).to(precision) for shape in ((rows, width), (width, width)))
    best, until = float("inf"), time.perf_counter() + 0.5
    while time.perf_counter() < until:
        synchronise(device)
        started = time.perf_counter()
        a @ b
        synchronise(device)
        best = min(best, time.perf_counter() - started)
    return 2 * rows * width * width / best


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """MiB that this process held at most."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would begin with the peak of the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def description(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU with {torch.backends.cpu.get_cpu_capability()}"


def in_use(
    name: str, own: LightGlue, cells: Sequence[Cell], asked: Sequence[Question], options: argparse.Namespace
) -> dict[str, float | None]:
    """With cascade on photos, against large galleries, and in how much memory."""
    figures: dict[str, float | None] = {}
    device = choose_device(options.device)
    if asked and name == DEFAULT:
        on_photos = with_everything(own, asked, named(cells, name, device).kornia.batch, device)
        figures[f"{'cpu' if device.type == 'cpu' else 'gpu'}_vs_kornia_full"] = on_photos.pop("vs_kornia_full")
        figures |= on_photos
    if options.queries and name == DEFAULT:
        for photos in options.galleries:
            figures |= in_large_gallery(photos, options.queries, options.device)
    for candidates in options.memory:
        with get_context("spawn").Pool(1) as process:
            figures[f"peak_mib_{candidates}"] = process.apply(
                peak_alone, (HEADLINE[device.type][0], candidates, options.device)
            )
    return figures


def in_large_gallery(photos: int, queries: int, name: str | None) -> dict[str, float | None]:
    """A whole query against so many photos; the command, which is slow by its start, only against the smallest."""
    label, smallest = GALLERIES[photos], photos == min(GALLERIES)
    with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
        asked = against(photos, OF_SIFT, queries, Path(folder), name, cold=2 if smallest else 0)
    figures: dict[str, float | None] = {
        f"query_{label}_keypoints": float(asked.keypoints),
        f"query_{label}_compared": float(asked.compared),
    }
    if smallest:
        return figures | {f"query_{label}_warm_s": asked.warm, f"query_{label}_cold_s": asked.cold}
    return figures | {f"query_{label}_s": asked.warm, f"query_{label}_first_s": asked.first}


def peak_alone(keypoints: int, candidates: int, name: str | None) -> int:
    """MiB that a query of the published size takes at most, in a process that has done nothing else."""
    device = choose_device(name)
    query, *others = drawn_features(keypoints, aliked=has_second_expert())
    # as many photos as candidates, because a GPU keeps the features of each
    shortlist = [
        replace(one, xy=one.xy + np.float32(1e-3 * row)) for row, one in enumerate(islice(cycle(others), candidates))
    ]
    LightGlueMatcher(published_network()[1], "", device).match(query, shortlist)
    return peak_memory(device)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="256 keypoints, 8 candidates, within a minute")
    parser.add_argument("--keypoints", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--candidates", type=int, nargs="+", default=[20, 100, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="time of one way in one row of the table")
    parser.add_argument("--manifest", type=Path, help="CSV of photos with a role column, for early exit and cascade")
    parser.add_argument(
        "--queries", type=int, default=6, help="queries of the manifest, and of each large gallery; 0: none"
    )
    parser.add_argument(
        "--galleries",
        type=int,
        nargs="*",
        choices=GALLERIES,
        help="photos of large galleries; 10000 unless said otherwise, and on a GPU 100000 too",
    )
    parser.add_argument("--memory", type=int, nargs="*", default=[20, 1000], help="candidates to measure memory with")
    parser.add_argument("--device", help="cpu or cuda; the GPU if there is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if min(*options.keypoints, *options.candidates, options.seconds) <= 0:
        parser.error("--keypoints, --candidates and --seconds must be above 0, or there is nothing to measure.")
    if options.galleries is None:
        options.galleries = list(GALLERIES)[: 1 if choose_device(options.device).type == "cpu" else None]
    if options.quick:
        options.keypoints, options.candidates, options.seconds = [256], [8], 3.0
        options.memory = options.galleries = []
    return options


if __name__ == "__main__":
    main()
