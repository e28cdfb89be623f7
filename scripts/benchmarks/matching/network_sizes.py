"""LightGlue networks of several sizes on the same real photos: accuracy against time, on a manifest with a role column.

Every query is matched with the strongest of its side by verified nearest neighbours, by each network that is given and
by each cut of it to its first layers (every layer has an assignment of its own).
Top-1, top-5 and AUROC of known against new by the best score, of the verified matches alone and beside nearest
neighbours, without early exit, and milliseconds a pair of the network alone.
Scores are those before any fit. Ends with one line of JSON.

    scripts/benchmark network-sizes photos.csv                                      # the bundled network and its cuts
    scripts/benchmark network-sizes photos.csv --networks five.safetensors wide.safetensors --layers 2 3 4 5
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.matching.cascade import scores_of, some_of
from benchmarks.matching.matchers import Trial, extract_all, sample
from index.exchange import ManifestRow
from index.types import Float64, LocalFeatures, Matches
from retrieval.devices import choose_device
from retrieval.evaluation.metrics import auroc, cumulative_match
from retrieval.features import SiftExtractor, one_core_a_photo
from retrieval.matching import NearestNeighbourMatcher, Verification, first_stage, strength, strongest, verified
from retrieval.matching.fusion import blended
from retrieval.matching.lightglue.checkpoints import read_network
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import BUNDLED, DEFAULT
from training.lightglue.initialization import with_layers

NEIGHBOURS = "nearest neighbours"


@dataclass(frozen=True, slots=True, eq=False)
class Size:
    """A network of some depth, ready to match."""

    name: str
    network: LightGlue
    matcher: LightGlueMatcher


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What one way of scoring gave: every query's best score and the place of its turtle, 0 where that is not there."""

    best: list[float] = field(default_factory=list)
    place: list[int] = field(default_factory=list)

    def add(self, scores: Float64, turtles: Sequence[str], turtle: str | None) -> None:
        """Count a query against photos of `turtles`; `turtle` is its own where it is known."""
        of_turtle: dict[str, float] = defaultdict(lambda: -np.inf)
        for one, score in zip(turtles, scores, strict=True):
            of_turtle[one] = max(of_turtle[one], float(score))
        ranked = sorted(of_turtle, key=lambda one: -of_turtle[one])
        self.best.append(of_turtle[ranked[0]])
        self.place.append(ranked.index(turtle) + 1 if turtle in of_turtle else 0)

    def figures(self, known: Sequence[bool]) -> dict[str, float]:
        """Top-1 and top-5 of the `known`, AUROC of these against the others."""
        is_known = np.array(known, bool)
        curve = cumulative_match(np.array(self.place, np.int64)[is_known], 5)
        return {
            "top1": float(curve[0]),
            "top5": float(curve[4]),
            "auroc": float(auroc(np.array(self.best), is_known)),
        }


def main() -> None:
    options = _options()
    sizes = [size for file in options.networks for size in cuts(file, options.layers)]
    trial = sample(options.manifest, None, None, options.seed)
    trial = Trial(trial.gallery, some_of(trial.queries, options.known, options.new, options.seed))
    with one_core_a_photo():
        photos = [one.sighting for one in (*trial.gallery, *trial.queries)]
        features = extract_all(photos, SiftExtractor(options.keypoints, options.long_side))
    queries = [one for one in trial.queries if one.sighting.path in features]
    tried: dict[tuple[str, str], Tried] = defaultdict(Tried)
    spent: dict[str, float] = defaultdict(float)
    pairs, known = 0, []
    for query in track(queries, "asking", console=Console(stderr=True)):
        side = [trial.gallery[row] for row in trial.against(query)]
        best = promising(query, [one for one in side if one.sighting.path in features], features, options.candidates)
        if best:
            ask(query, best, features, sizes, tried, spent)
            known.append(query.role == "known")
            pairs += len(best)
    rows: dict[str, dict[str, object]] = {NEIGHBOURS: {"alone": tried[NEIGHBOURS, "alone"].figures(known)}}
    for size in sizes:
        rows[size.name] = {
            "parameters": sum(one.numel() for one in size.network.parameters()),
            "layers": size.network.config.n_layers,
            "channels": size.network.config.descriptor_dim,
            "ms": 1000 * spent[size.name] / pairs,
            "alone": tried[size.name, "alone"].figures(known),
            "beside": tried[size.name, "beside"].figures(known),
        }
    _print(rows, f"{sum(known)} queries of known turtles, {len(known) - sum(known)} of new ones")
    print(json.dumps({"known": sum(known), "new": len(known) - sum(known), "pairs": pairs, "sizes": rows}))


def cuts(file: Path, layers: Sequence[int]) -> Iterator[Size]:
    """The file's network cut to each number of `layers` that it has with an assignment, without early exit."""
    stored = read_network(file)
    for depth in layers:
        # files may have the assignment of the last layer only
        head = stored.network.state_dict().get(f"log_assignment.{depth - 1}.final_proj.weight")
        if head is not None and bool(head.any()):
            network = with_layers(stored.network, depth).eval()
            network.config = replace(network.config, depth_confidence=None)
            name = f"{file.stem}, {depth} layers"
            yield Size(name, network, LightGlueMatcher(network, name, choose_device()))


def promising(
    query: ManifestRow, side: Sequence[ManifestRow], features: dict[str, LocalFeatures], keep: int
) -> list[ManifestRow]:
    """The photos that the cascade would let a network see, in the order of the gallery."""
    first_matches = first_stage(features[query.sighting.path], [features[one.sighting.path] for one in side])
    return [side[row] for row in strongest([strength(one.confidence) for one in first_matches], keep)]


def ask(
    query: ManifestRow,
    gallery: Sequence[ManifestRow],
    features: dict[str, LocalFeatures],
    sizes: Sequence[Size],
    tried: dict[tuple[str, str], Tried],
    spent: dict[str, float],
) -> None:
    """Match a query by every size and by neighbours, and note scores and seconds."""
    own, photos = features[query.sighting.path], [features[one.sighting.path] for one in gallery]
    turtles = [str(one.sighting.turtle) for one in gallery]
    turtle = str(query.sighting.turtle) if query.role == "known" else None

    def note(name: str, way: str, found: list[Matches]) -> None:
        kept = verified(own, photos, found, Verification())
        tried[name, way].add(scores_of(own, photos, kept), turtles, turtle)

    distinct = NearestNeighbourMatcher().match(own, photos)
    first_matches = verified(own, photos, distinct, Verification())
    note(NEIGHBOURS, "alone", distinct)
    for size in sizes:
        started = time.perf_counter()
        sure = size.matcher.match(own, photos, first_matches)
        spent[size.name] += time.perf_counter() - started
        note(size.name, "alone", sure)
        together = zip(sure, distinct, photos, strict=True)
        note(size.name, "beside", [blended(one, two, len(own), len(photo)) for one, two, photo in together])


def _print(rows: dict[str, dict[str, object]], title: str) -> None:
    shown = Table("", "parameters", "top-1", "top-5", "AUROC", "beside", "top-5", "AUROC", "ms", title=title)
    for name, row in rows.items():
        measured = [row.get(way) for way in ("alone", "beside")]
        figures = [value for one in measured if isinstance(one, dict) for value in one.values()]
        cells = [f"{value:.3f}" for value in figures] + [""] * (6 - len(figures))
        shown.add_row(name, str(row.get("parameters", "")), *cells, f"{row['ms']:.1f}" if "ms" in row else "")
    Console(width=140).print(shown)
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument(
        "--networks", type=Path, nargs="+", default=[BUNDLED / f"{DEFAULT}.safetensors"], help="files of weights"
    )
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="depths, of those that there are"
    )
    parser.add_argument("--known", type=int, default=10_000, help="queries of known turtles at most")
    parser.add_argument("--new", type=int, default=10_000, help="queries of new turtles at most")
    parser.add_argument("--candidates", type=int, default=20, help="strongest first looks that are matched")
    parser.add_argument("--keypoints", type=int, default=512)
    parser.add_argument("--long-side", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="four queries")
    options = parser.parse_args()
    if len({file.stem for file in options.networks}) < len(options.networks):
        parser.error("the files are told apart by their names: give each another")
    if options.quick:
        options.known, options.new = 2, 2
    return options


if __name__ == "__main__":
    main()
