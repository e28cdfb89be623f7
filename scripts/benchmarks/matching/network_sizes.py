"""LightGlue networks of several sizes on the same real photos: accuracy against time, on a manifest with a role column.

Every query is matched with the strongest of its side by verified nearest neighbours, by each network that is given and
by each cut of it to its first layers (every layer has an assignment of its own).
Top-1, top-5 and AUROC of known against new by the best score, of the verified matches alone and beside nearest
neighbours, without early exit, and milliseconds a pair of the network alone.
With `--in-use`, also the light recipe as it is used: simulated views of the query, the whole side, the cascade.
Scores are those before any fit; against the first network, how many queries of known turtles only one of the two has
first. Ends with one line of JSON.

    scripts/benchmark network-sizes photos.csv                                      # the bundled network and its cuts
    scripts/benchmark network-sizes photos.csv --networks five.safetensors wide.safetensors --layers 2 3 4 5
    scripts/benchmark network-sizes photos.csv --networks now.safetensors new.safetensors --layers 3 --in-use
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
from index.types import Float64, LocalFeatures, Matches, Sighting
from retrieval.devices import choose_device
from retrieval.engine.engine import ReadPhoto
from retrieval.engine.matchers import reranking_of
from retrieval.evaluation.metrics import auroc, cumulative_match
from retrieval.features import SiftExtractor, one_core_a_photo
from retrieval.images import jpeg, load_photo
from retrieval.matching import (
    BlendedMatcher,
    NearestNeighbourMatcher,
    Verification,
    ViewedFirstStage,
    ViewedMatcher,
    first_stage,
    rerank,
    strength,
    strongest,
    verified,
)
from retrieval.matching.fusion import blended
from retrieval.matching.lightglue.checkpoints import read_network
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.published import BUNDLED, DEFAULT
from training.lightglue.initialization import with_layers

NEIGHBOURS = "nearest neighbours"
IN_USE = f"{DEFAULT}+views"
HEADS = ("top-1", "top-5", "AUROC", "won/lost")
WAYS = ("alone", "beside", "in use")


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

    def against(self, other: Tried) -> dict[str, int]:
        """How many turtles only this way has first, and how many only the other."""
        mine, theirs = np.array(self.place) == 1, np.array(other.place) == 1
        return {"gained": int((mine & ~theirs).sum()), "lost": int((theirs & ~mine).sum())}


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
        usable = [one for one in side if one.sighting.path in features]
        best = promising(query, usable, features, options.candidates)
        if best:
            ask(query, best, features, sizes, tried, spent)
            if options.in_use:
                ask_as_used(query, usable, features, options.long_side, sizes, tried)
            known.append(query.role == "known")
            pairs += len(best)
    rows: dict[str, dict[str, object]] = {NEIGHBOURS: {"alone": tried[NEIGHBOURS, "alone"].figures(known)}}
    for size in sizes:
        rows[size.name] = {
            "parameters": sum(one.numel() for one in size.network.parameters()),
            "layers": size.network.config.n_layers,
            "channels": size.network.config.descriptor_dim,
            "ms": 1000 * spent[size.name] / pairs,
            **{
                way: tried[size.name, way].figures(known) | tried[size.name, way].against(tried[sizes[0].name, way])
                for way in WAYS
                if (size.name, way) in tried
            },
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


def ask_as_used(
    query: ManifestRow,
    side: Sequence[ManifestRow],
    features: dict[str, LocalFeatures],
    long_side: int,
    sizes: Sequence[Size],
    tried: dict[tuple[str, str], Tried],
) -> None:
    """Search a query's side as the light recipe does, once with every size in the place of its network."""
    own, photos = features[query.sighting.path], [features[one.sighting.path] for one in side]
    own = replace(own, source=ReadPhoto(working_image(query.sighting, long_side)))
    turtle = str(query.sighting.turtle) if query.role == "known" else None
    look, recipe = ViewedFirstStage(), reranking_of(IN_USE, verify=True)
    looks = look(own, photos)
    for size in sizes:
        matcher = ViewedMatcher(BlendedMatcher(size.matcher), look)
        found = rerank(own, photos, matcher, recipe, lambda *_: looks)
        compared = [(one, row, photo) for one, row, photo in zip(found, side, photos, strict=True) if one is not None]
        scores = scores_of(own, [photo for _, _, photo in compared], [one for one, _, _ in compared])
        tried[size.name, "in use"].add(scores, [str(row.sighting.turtle) for _, row, _ in compared], turtle)


def working_image(photo: Sighting, long_side: int) -> bytes:
    """What a catalogue keeps of a photo, of which its simulated views are made."""
    return jpeg(load_photo(Path(photo.path), long_side, photo.box).pixels)


def _print(rows: dict[str, dict[str, object]], title: str) -> None:
    shown = Table("", "parameters", *(f"{way}: {head}" for way in WAYS for head in HEADS), "ms", title=title)
    for name, row in rows.items():
        cells = [cell for way in WAYS for cell in _cells(row.get(way))]
        shown.add_row(name, str(row.get("parameters", "")), *cells, f"{row['ms']:.1f}" if "ms" in row else "")
    Console(width=200).print(shown)
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")


def _cells(figures: object) -> list[str]:
    if not isinstance(figures, dict):
        return [""] * len(HEADS)
    turns = f"{figures['gained']}/{figures['lost']}" if "gained" in figures else ""
    return [*(f"{figures[name]:.3f}" for name in ("top1", "top5", "auroc")), turns]


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
    parser.add_argument("--in-use", action="store_true", help=f"also {IN_USE}, which takes two seconds a query more")
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
