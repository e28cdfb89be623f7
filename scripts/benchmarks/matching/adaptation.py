"""What a matcher gains that is trained on other turtles' photos: one random half of them learns, the other is asked.

The first half's photos, gallery and later ones, are enrolled and `turtleidx train matcher` learns from them. Then the
second half's later photos are asked about in the second half's gallery, by the bundled network and by the trained one,
whether or not training was content with it. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import Sighting
from retrieval.engine import Engine, EngineOptions
from retrieval.novelty import CatalogModel
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify
from retrieval.training import MatcherTraining, PairLoss, TrainedMatcher, train_matcher

BUNDLED = "turtle-sift+views"


@dataclass(frozen=True, slots=True)
class Repeat:
    """One split: what training said, the top-1 and top-5 of both networks on the same photos, and what it cost."""

    trained: TrainedMatcher
    before: tuple[float, float]
    after: tuple[float, float] | None
    better: int
    worse: int
    asked: int
    cpu_s: float


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    rows = [row for row in read_manifest(options.manifest) if isinstance(row, ManifestRow)]
    repeats = []
    for seed in range(options.repeats):
        with scratch_folder(options.scratch) as folder:
            repeats.append(run(rows, seed, options, folder))
    _print(repeats)


def run(rows: Sequence[ManifestRow], seed: int, options: argparse.Namespace, folder: Path) -> Repeat:
    """Train on half of the turtles and ask about the other half."""
    rng = np.random.default_rng(seed)
    turtles = sorted({str(row.sighting.turtle) for row in rows if row.columns.get("role") == "gallery"})
    learnt = set(rng.permutation(turtles)[: len(turtles) // 2])
    engine = Engine.load(options=EngineOptions(matcher="nearest"))
    own, others = ([row for row in rows if (row.sighting.turtle in learnt) is mine] for mine in (True, False))
    first = _catalog(folder / "learnt.catalog", own, ("gallery", "known"), engine)
    begun = time.process_time()
    chosen = MatcherTraining(loss=options.loss, epochs=options.epochs, seed=seed)
    trained = train_matcher(first, chosen, advance=lambda one: print(one.epoch, one.loss, one.reciprocal_rank))
    spent = time.process_time() - begun
    second = _catalog(folder / "asked.catalog", others, ("gallery",), engine)
    asked = [row.sighting for row in others if row.columns.get("role") == "known"]
    asked = [asked[row] for row in sorted(rng.permutation(len(asked))[: options.most])]
    before = _ranks(second, asked, BUNDLED)
    after = None if trained.path is None else _ranks(second, asked, f"{trained.path}+views")
    better, worse = (0, 0) if after is None else (int((after < before).sum()), int((after > before).sum()))
    return Repeat(trained, _tops(before), None if after is None else _tops(after), better, worse, len(asked), spent)


def _catalog(path: Path, rows: Sequence[ManifestRow], roles: tuple[str, ...], engine: Engine) -> Catalog:
    catalog = Catalog.create(path, engine.recipe)
    wanted = [row.sighting for row in rows if row.columns.get("role") in roles]
    enroll(catalog, wanted, engine, "benchmark")
    return catalog


def _ranks(catalog: Catalog, asked: Sequence[Sighting], matcher: str) -> np.ndarray:
    """At which place each photo's turtle stands; a large number where it is not among the candidates."""
    engine = Engine.load(catalog.recipe, EngineOptions(matcher=matcher))
    model = CatalogModel.load(catalog, engine.evidence)
    places = []
    for one in asked:
        found = [
            candidate.turtle for candidate in identify(catalog, replace(one, turtle=None), engine, model).candidates
        ]
        places.append(found.index(str(one.turtle)) + 1 if str(one.turtle) in found else 10_000)
    return np.array(places, np.int64)


def _tops(ranks: np.ndarray) -> tuple[float, float]:
    return float((ranks == 1).mean()), float((ranks <= 5).mean())


def _print(repeats: Sequence[Repeat]) -> None:
    table = Table(
        "half", "held-out gain (error)", "bundled top-1, top-5", "trained top-1, top-5", "better, worse", "asked"
    )
    for number, one in enumerate(repeats):
        table.add_row(
            str(number),
            f"{one.trained.gain:+.3f} ({one.trained.error:.3f})",
            "{:.3f}, {:.3f}".format(*one.before),
            "not kept" if one.after is None else "{:.3f}, {:.3f}".format(*one.after),
            f"{one.better}, {one.worse}",
            str(one.asked),
        )
    Console(width=120).print(table)
    figures = {
        "gain": [round(one.trained.gain, 4) for one in repeats],
        "error": [round(one.trained.error, 4) for one in repeats],
        "top1_before": [one.before[0] for one in repeats],
        "top1_after": [None if one.after is None else one.after[0] for one in repeats],
        "training_cpu_s": [round(one.cpu_s) for one in repeats],
        "rounds": [one.trained.epochs for one in repeats],
    }
    print(json.dumps(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--repeats", type=int, default=3, help="random halves of the turtles")
    parser.add_argument("--loss", type=PairLoss, default=PairLoss.TRIPLET)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--most", type=int, default=10_000, help="photos that are asked about in each half")
    parser.add_argument("--scratch", type=Path, help="where the catalogues are made")
    parser.add_argument("--quick", action="store_true", help="one half, one round, twenty photos")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.epochs, options.most = 1, 1, 20
    return options


if __name__ == "__main__":
    main()
