"""Speed of LightGlue re-ranking against kornia's: same weights, same features, same pairs, in one run.

Ways are run in turns, a few pairs each, so that whatever else the machine does falls on all of them alike. Features
are SIFT keypoints of drawn heads. Early exit is off on both sides, unless the table says otherwise. Ends with one
line of JSON; a figure that cannot be had here (no GPU, no bundled matcher) is null.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

import numpy as np
import torch
from kornia.feature.lightglue import LightGlue as KorniaLightGlue
from rich.console import Console
from rich.table import Table

from drawing.heads import draw_head
from index.types import LocalFeatures, Matches
from retrieval.batching import LightGlueMatcher, choose_device
from retrieval.keypoints import SiftExtractor
from retrieval.lightglue import LightGlue, LightGlueConfig, normalise
from retrieval.putative import putative_matches
from retrieval.rerank import RerankRecipe, rerank
from retrieval.resident import resident_on
from retrieval.weights import BUNDLED, DEFAULT, load_network

PUBLISHED_SIZE = LightGlueConfig(add_scale_ori=True, depth_confidence=None)
SMALL_SIZE = LightGlueConfig(descriptor_dim=96, n_layers=6, num_heads=2, add_scale_ori=True, depth_confidence=None)
HEADLINE = (512, 100)
"""Keypoints and candidates of the headline figures, where they were measured."""

DRAWN = 4
GALLERY = 10_000


@dataclass(slots=True)
class Way:
    """One way to match a query with candidates: `batch` of them at a time."""

    name: str
    batch: int
    match: Callable[[LocalFeatures, Sequence[LocalFeatures]], list[Matches]]
    found: list[Matches] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.found) / self.seconds


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured combination; `ways` holds kornia's first and ours last."""

    network: str
    config: LightGlueConfig
    keypoints: int
    candidates: int
    ways: tuple[Way, ...]

    @property
    def speedup(self) -> float:
        return self.ways[-1].rate / max(way.rate for way in self.ways[:-1])

    @property
    def difference(self) -> float:
        """Largest difference of a pair's mean confidence between ours and kornia's."""
        means = [[float(one.confidence.mean()) for one in way.found] for way in self.ways]
        return max(abs(a - b) for other in means[:-1] for a, b in zip(other, means[-1], strict=False))

    def operations(self) -> float:
        """Floating-point operations of a pair in the layers, as the plain network needs them."""
        d, n = self.config.descriptor_dim, self.keypoints
        return 2.0 * 2 * n * self.config.n_layers * (19 * d * d + 4 * n * d)


def main() -> None:
    options = _options()
    console, device = Console(stderr=True), choose_device(options.device)
    torch.set_num_threads(options.threads)
    own_name, own = own_network()
    query, *others = drawn_features(max(options.keypoints), device)
    cells = []
    for name, network in (("published size", random_network(PUBLISHED_SIZE)), (own_name, own)):
        config = network.config
        network.config = replace(config, depth_confidence=None)
        for keypoints in options.keypoints:
            for candidates in options.candidates:
                console.print(f"{name}, {keypoints} keypoints, {candidates} candidates ...")
                shortlist = list(islice(cycle(strongest(other, keypoints) for other in others), candidates))
                ways = take_turns(ways_of(network, device), strongest(query, keypoints), shortlist, options.seconds)
                cells.append(Cell(name, network.config, keypoints, candidates, ways))
        network.config = config
    precision = LightGlueMatcher(own, "", device).precision
    rate = matrix_rate(precision, device)
    Console(width=110).print(table(cells, rate))
    print(f"{description(device)}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f} at the end")
    print(
        f"matrix rate {rate / 1e9:.0f} GFLOP/s in {precision}, which ours uses; peak memory {peak_memory(device)} MiB"
    )
    figures = headline(cells, rate, device)
    if own_name == DEFAULT:
        figures |= whole_way(own, device, named(cells, DEFAULT))
    print(json.dumps(figures))


def ways_of(network: LightGlue, device: torch.device) -> list[Way]:
    oracle = kornia_of(network, device)

    def kornia(query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        return match_with_kornia(oracle, query, candidates, device)

    ours = LightGlueMatcher(network, "benchmark", device)
    return [
        Way("kornia, pair by pair", 1, kornia),
        Way("kornia, batches of 4", 4, kornia),
        Way("kornia, batches of 16", 16, kornia),
        Way("kornia, batches of 128", 128, kornia),
        Way("ours", 4 if device.type == "cpu" else 20, ours.match),
    ]


def kornia_of(network: LightGlue, device: torch.device) -> KorniaLightGlue:
    config = network.config
    oracle = KorniaLightGlue(
        None,
        input_dim=config.input_dim,
        descriptor_dim=config.descriptor_dim,
        n_layers=config.n_layers,
        num_heads=config.num_heads,
        add_scale_ori=config.add_scale_ori,
        depth_confidence=-1,
        width_confidence=-1,
        filter_threshold=-1.0,
        # not False, which would switch fused attention off for everyone in the process
        flash=True,
    )
    oracle.load_state_dict(network.state_dict(), strict=False)
    return oracle.to(device).eval()


def match_with_kornia(
    oracle: KorniaLightGlue, query: LocalFeatures, candidates: Sequence[LocalFeatures], device: torch.device
) -> list[Matches]:
    def image(photos: Sequence[LocalFeatures]) -> dict[str, torch.Tensor]:
        features = resident_on(device).collate(photos)
        xy, scale, ori = features.keypoints[..., :2], features.keypoints[..., 2], features.keypoints[..., 3]
        positions = normalise(xy, scale, ori, features.size, with_scale_ori=True)
        return {
            "keypoints": xy,
            "scales": positions[..., 2],
            "oris": positions[..., 3],
            "descriptors": features.comparable(),
            "image_size": features.size,
        }

    with torch.inference_mode():
        answer = oracle({"image0": image([query] * len(candidates)), "image1": image(candidates)})
    return [
        Matches(pairs.cpu().numpy().astype(np.int32), scores.cpu().numpy())
        for pairs, scores in zip(answer["matches"], answer["scores"], strict=True)
    ]


def take_turns(
    ways: Sequence[Way], query: LocalFeatures, shortlist: Sequence[LocalFeatures], seconds: float
) -> tuple[Way, ...]:
    """Give every way its next batch in turn until the shortlist or its time is used up, after one batch of warming."""
    ways = tuple(way for way in ways if way.batch <= len(shortlist))
    for way in ways:
        way.match(query, shortlist[: min(4, way.batch)])
    while waiting := [way for way in ways if len(way.found) < len(shortlist) and way.seconds < seconds]:
        for way in waiting:
            batch = shortlist[len(way.found) : len(way.found) + way.batch]
            started = time.perf_counter()
            way.found += way.match(query, batch)
            way.seconds += time.perf_counter() - started
    return ways


def drawn_features(keypoints: int, device: torch.device) -> list[LocalFeatures]:
    """SIFT keypoints of drawn heads, none of which is turned against the first, which is the query."""
    extractor = SiftExtractor(keypoints, 800)
    photos = [extractor.extract(draw_head(number // 2, number % 2, size=(800, 640))) for number in range(2 * DRAWN)]
    turn = putative_matches(photos[0], photos, device).turn
    return [photo for photo, eighths in zip(photos, turn, strict=True) if eighths == 0]


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
    """Operations a second of the product that the layers spend most time in, the best of half a second."""
    rows = 8192 if device.type == "cpu" else 1 << 17
    a, b = (torch.rand(shape, device=device).to(precision) for shape in ((rows, 512), (512, 512)))
    best, until = float("inf"), time.perf_counter() + 0.5
    while time.perf_counter() < until:
        synchronise(device)
        started = time.perf_counter()
        a @ b
        synchronise(device)
        best = min(best, time.perf_counter() - started)
    return 2 * rows * 512 * 512 / best


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def description(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU with {torch.backends.cpu.get_cpu_capability()}"


def table(cells: Sequence[Cell], rate: float) -> Table:
    shown = Table("network", "keypoints", "candidates", "way", "pairs measured", "pairs/s", "share of the limit")
    for cell in cells:
        for way in cell.ways:
            numbers = (len(way.found), way.rate, way.rate * cell.operations() / rate)
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


def named(cells: Sequence[Cell], network: str) -> Cell:
    own = [cell for cell in cells if cell.network == network]
    return next((cell for cell in own if (cell.keypoints, cell.candidates) == HEADLINE), own[0])


def headline(cells: Sequence[Cell], rate: float, device: torch.device) -> dict[str, float | None]:
    cell = named(cells, "published size")
    figures: dict[str, float | None] = {
        "cpu_vs_kornia_no_exit": cell.speedup,
        "cpu_vs_kornia_full": None,
        "query_10k_warm_s": None,
        "max_score_difference": max(cell.difference for cell in cells),
    }
    if device.type == "cuda":
        figures |= {
            "cpu_vs_kornia_no_exit": None,
            "gpu_vs_field": cell.speedup,
            "gpu_matrix_share": cell.ways[-1].rate * cell.operations() / rate,
        }
    return figures


def whole_way(network: LightGlue, device: torch.device, plain: Cell) -> dict[str, float | None]:
    """With early exit and cascade against `plain` kornia: a query of a drawn photo and its shortlist of 100.

    The gallery is searched exactly, over random vectors: how long that takes does not depend on what they are.
    """
    matcher = LightGlueMatcher(network, DEFAULT, device)
    extractor = SiftExtractor(plain.keypoints, 480)
    shortlist = list(islice(cycle(drawn_features(plain.keypoints, device)), HEADLINE[1]))
    vectors = np.random.default_rng(0).standard_normal((GALLERY, 256), dtype=np.float32)
    pixels = draw_head(0, 5)
    extractor.extract(pixels)
    started = time.perf_counter()
    query = extractor.extract(pixels)
    np.argsort(-(vectors @ vectors[0]))
    rerank(query, shortlist, matcher, RerankRecipe(keep=30))
    whole = time.perf_counter() - started
    started = time.perf_counter()
    rerank(query, shortlist, matcher, RerankRecipe(keep=30, verification=None))
    rate = len(shortlist) / (time.perf_counter() - started)
    return {
        "cpu_vs_kornia_full": rate / max(way.rate for way in plain.ways[:-1]),
        "query_10k_warm_s": whole,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="256 keypoints, 8 candidates, within a minute")
    parser.add_argument("--keypoints", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--candidates", type=int, nargs="+", default=[20, 100, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="most time of one way in one row of the table")
    parser.add_argument("--device", help="cpu or cuda; the GPU if there is one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.quick:
        options.keypoints, options.candidates, options.seconds = [256], [8], 3.0
    return options


if __name__ == "__main__":
    main()
