"""Speed of LightGlue re-ranking against other implementations: same weights, same features, same pairs, in one run.

Ways are run in turns, and each for as long as the others. Features are SIFT keypoints of drawn heads. Early exit is
off on all sides. Then ours as a user meets it, with early exit and cascade, against kornia on photos (`--manifest`, one
with a role column), a whole query against 10,000 photos (on a GPU also 100,000), and peak memory by length of the
shortlist, each in a process of its own. transformers takes part where it is installed (the extra `superpoint`). Ends
with one line of JSON; a figure that cannot be had here (no GPU, no manifest) is null.
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
from dataclasses import dataclass, replace
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.glues import FIELD, KORNIA, OURS, Way, transformers_fits, ways_of
from benchmarks.whole_query import against, questions, with_everything
from drawing.heads import draw_head
from index.types import LocalFeatures
from retrieval.batching import LightGlueMatcher, choose_device
from retrieval.keypoints import SiftExtractor
from retrieval.lightglue import LightGlue, LightGlueConfig
from retrieval.loading import OF_SIFT
from retrieval.weights import BUNDLED, DEFAULT, load_network

PUBLISHED_SIZE = LightGlueConfig(depth_confidence=None)
SMALL_SIZE = LightGlueConfig(descriptor_dim=96, n_layers=6, num_heads=2, add_scale_ori=True, depth_confidence=None)
HEADLINE = {"cpu": (512, 100), "cuda": (1024, 1000)}
"""Keypoints and candidates of the headline figures, where they were measured."""

DRAWN = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured combination; `ways` ends with ours, in float32 and where that is fast in bfloat16."""

    network: str
    config: LightGlueConfig
    keypoints: int
    candidates: int
    ways: tuple[Way, ...]

    @property
    def kornia(self) -> Way:
        """Its fastest batches."""
        return max((way for way in self.ways if KORNIA in way.name and way.batch > 1), key=lambda way: way.rate)

    def speedup(self, other: Way | None = None) -> float:
        """Ours against `other`, or against the fastest of all others."""
        return self.ways[-1].rate / (other.rate if other else max(way.rate for way in self.others))

    @property
    def others(self) -> list[Way]:
        return [way for way in self.ways if not way.name.startswith(OURS)]

    def difference(self, ours: Way) -> float:
        """Largest difference of a pair's mean confidence between `ours` and any of the others."""
        mine = [float(one.confidence.mean()) for one in ours.found]
        means = [[float(one.confidence.mean()) for one in way.found] for way in self.others]
        return max(abs(a - b) for other in means for a, b in zip(other, mine, strict=False))

    def operations(self) -> float:
        """Floating-point operations of a pair in the layers, as the plain network needs them."""
        d, n = self.config.descriptor_dim, self.keypoints
        return 2.0 * 2 * n * self.config.n_layers * (19 * d * d + 4 * n * d)


def main() -> None:
    options = _options()
    console, device = Console(stderr=True), choose_device(options.device)
    torch.set_num_threads(options.threads)
    own_name, own = own_network()
    photos = drawn_features(max(options.keypoints))
    cells = []
    for name, network in (("published size", random_network(PUBLISHED_SIZE)), (own_name, own)):
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
    print(json.dumps(headline(cells, rate, device) | in_use(own_name, own, cells, device, options)))


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


def drawn_features(keypoints: int) -> list[LocalFeatures]:
    """SIFT keypoints of drawn heads, the strongest first."""
    extractor = SiftExtractor(keypoints, 800)
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
        torch.cuda.synchronize()


def peak_memory(device: torch.device) -> int:
    """MiB that this process held at most."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() >> 20
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would begin with the peak of the process that started this one
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def description(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU with {torch.backends.cpu.get_cpu_capability()}"


def table(cells: Sequence[Cell], rate: float) -> Table:
    shown = Table("network", "keypoints", "candidates", "way", "pairs measured", "pairs/s", "share of the limit")
    for cell in cells:
        for way in cell.ways:
            numbers = (way.pairs, way.rate, way.rate * cell.operations() / rate)
            shown.add_row(
                cell.network,
                str(cell.keypoints),
                str(cell.candidates),
                way.name,
                f"{numbers[0]}",
                f"{numbers[1]:.2f}",
                f"{numbers[2]:.0%}",
            )
    return shown


def named(cells: Sequence[Cell], network: str, device: torch.device) -> Cell:
    own = [cell for cell in cells if cell.network == network]
    return next((cell for cell in own if (cell.keypoints, cell.candidates) == HEADLINE[device.type]), own[0])


def headline(cells: Sequence[Cell], rate: float, device: torch.device) -> dict[str, float | None]:
    cell = named(cells, "published size", device)
    figures: dict[str, float | None] = {
        "cpu_vs_kornia_no_exit": cell.speedup(cell.kornia),
        "cpu_vs_fastest_no_exit": cell.speedup(),
        "max_score_difference": max(cell.difference(cell.ways[len(cell.others)]) for cell in cells),
        "max_score_difference_as_used": max(cell.difference(cell.ways[-1]) for cell in cells),
    }
    if device.type == "cuda":
        figures |= {
            "cpu_vs_kornia_no_exit": None,
            "cpu_vs_fastest_no_exit": None,
            "gpu_vs_field": cell.speedup(next(way for way in cell.ways if way.name == FIELD)),
            "gpu_matrix_share": cell.ways[-1].rate * cell.operations() / rate,
        }
    return figures


def in_use(
    name: str, own: LightGlue, cells: Sequence[Cell], device: torch.device, options: argparse.Namespace
) -> dict[str, float | None]:
    """With early exit and cascade on photos, against a large gallery, and in how much memory."""
    figures: dict[str, float | None] = {"cpu_vs_kornia_full": None, "query_10k_warm_s": None, "query_10k_cold_s": None}
    if options.manifest and options.queries and name == DEFAULT:
        batch = named(cells, name, device).kornia.batch
        on_photos = with_everything(own, questions(options.manifest, options.queries), batch, device)
        if device.type == "cuda":
            on_photos["gpu_vs_kornia_full"] = on_photos.pop("cpu_vs_kornia_full")
        figures |= on_photos
    if name == DEFAULT and options.queries and not options.quick:
        figures |= in_large_galleries(options.queries, options.device, device.type == "cuda")
    for candidates in options.memory:
        with get_context("spawn").Pool(1) as process:
            figures[f"peak_mib_{candidates}"] = process.apply(
                peak_alone, (HEADLINE[device.type][0], candidates, options.device)
            )
    return figures


def in_large_galleries(queries: int, name: str | None, on_gpu: bool) -> dict[str, float | None]:
    """A whole query against 10,000 photos, and on a GPU against 100,000."""
    with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
        asked = against(10_000, OF_SIFT, queries, Path(folder), name)
    figures = {
        "query_10k_warm_s": asked.warm,
        "query_10k_cold_s": asked.cold,
        "query_10k_keypoints": float(asked.keypoints),
        "query_10k_compared": float(asked.compared),
    }
    if on_gpu:
        with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
            asked = against(100_000, OF_SIFT, queries, Path(folder), name, cold=0)
        figures |= {"query_100k_s": asked.warm, "query_100k_first_s": asked.first}
    return figures


def peak_alone(keypoints: int, candidates: int, name: str | None) -> int:
    """MiB that a query of the published size takes at most, in a process that has done nothing else."""
    device = choose_device(name)
    query, *others = drawn_features(keypoints)
    LightGlueMatcher(random_network(PUBLISHED_SIZE), "", device).match(query, list(islice(cycle(others), candidates)))
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
    parser.add_argument("--memory", type=int, nargs="*", default=[20, 1000], help="candidates to measure memory with")
    parser.add_argument("--device", help="cpu or cuda; the GPU if there is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if min(*options.keypoints, *options.candidates, options.seconds) <= 0:
        parser.error("--keypoints, --candidates and --seconds must be above 0, or there is nothing to measure.")
    if options.quick:
        options.keypoints, options.candidates, options.seconds = [256], [8], 3.0
        options.memory = []
    return options


if __name__ == "__main__":
    main()
