"""Is "known or new?" answered with the promised error rates, and does that last while the catalogue grows?

    scripts/benchmark novelty photos.csv [--keep FOLDER] [--quick]

All rows of the manifest are enrolled. In three random repeats a quarter of the turtles is new, half of the encounters
of half of those that were seen twice are asked about, and the model is fitted on the rest. The alternatives in the same
run: thresholds chosen with the answers in hand (what the scores would allow), and for the growing gallery a fixed
cut-off. Pairs are compared once; with --keep a second run takes a fraction. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.identification.gallery_growth import Growth, measure_growth
from benchmarks.identification.known_answers import Grounds, Searcher
from benchmarks.identification.splits import GALLERY, KNOWN, NEW, most_seen, random_roles
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.errors import CatalogMissing
from index.types import Bool, Float64, GalleryFilter, Int64, Photo, Sighting
from retrieval.defaults import SHORTLIST
from retrieval.engine import Engine, EngineOptions
from retrieval.evaluation import ErrorRate
from retrieval.evaluation.metrics import auroc, error_rate, reliability
from retrieval.fitting import learn, run_trials
from retrieval.images import from_manifest
from retrieval.novelty import Rates, Verdict, decide
from retrieval.pipeline import enroll, look_processes
from retrieval.scoring import Score

RATES = Rates(0.05, 0.05, 0.05)
EVERY_PAIR = 10**9
QUICK_TURTLES = 60
WIDTH = 150
COLUMNS = {
    "known": "photos known",
    "new": "new",
    "top1": "top-1",
    "auroc": "AUROC P(new)",
    "auroc_score": "best score",
    "ece": "ECE",
    "ece_if_calibrated": "if perfect",
    "false_known": "false KNOWN, % (from)",
    "misidentified": "wrong turtle",
    "false_new": "false NEW",
    "called_known": "known ones rightly KNOWN",
    "called_new": "new ones NEW",
    "undecided": "UNDECIDED",
    "ceiling": "by the answers",
}
"""Figures of a repeat, and their heads."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """The figures of one random assignment of roles.

    Attributes
    ----------
    auroc, auroc_score : float
        Known against new, by 1 − P(new) and by the best score alone.
    called_known, called_new : float
        Share of the photos of known turtles that were rightly called KNOWN, and of new ones that were called NEW.
    ceiling : float
        Share left UNDECIDED by thresholds on P(new) that were chosen with the answers in hand.
    """

    known: int
    new: int
    top1: float
    auroc: float
    auroc_score: float
    ece: float
    ece_if_calibrated: float
    false_known: ErrorRate
    misidentified: ErrorRate
    false_new: ErrorRate
    called_known: float
    called_new: float
    undecided: float
    ceiling: float


def main() -> None:
    """Measure, print tables and one line of JSON."""
    options = _options()
    with scratch_folder(kept=options.keep) as folder:
        figures = run(options, folder)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All figures of one recipe."""
    started = time.process_time()
    choices = EngineOptions(
        matcher=options.matcher, verify=options.verify, score=options.score, shortlist=options.shortlist
    )
    try:
        catalog = Catalog.open(folder / "all.catalog")
    except CatalogMissing:
        catalog = Catalog.create(folder / "all.catalog", Engine.load(options=EngineOptions()).recipe)
    engine = Engine.load(catalog.recipe, choices)
    enroll(catalog, from_manifest(options.manifest, [], Sighting("")), engine, "benchmark")
    photos = catalog.photos(GalleryFilter())
    if options.quick:
        photos = most_seen(photos, QUICK_TURTLES)
    seeds = range(1 if options.quick else options.repeats)
    console = Console(stderr=True)
    with catalog.writing("benchmark"), look_processes() as pool, Progress(console=console, transient=True) as bars:
        grounds = Grounds(catalog, photos, engine, pool)
        bar = bars.add_task("repeats", total=2 * len(seeds))
        repeats, growths = [], []
        for seed in seeds:
            repeats.append(_repeat(catalog, photos, grounds, seed))
            console.print(json.dumps(asdict(repeats[-1])))
            bars.advance(bar)
            if seed < options.growths:
                growths.append(measure_growth(catalog, photos, grounds, RATES, seed))
            bars.advance(bar)
    _print(repeats, growths)
    return _figures(repeats, growths) | {"cpu_s": time.process_time() - started, "recipe": engine.evidence}


def _repeat(catalog: Catalog, photos: list[Photo], grounds: Grounds, seed: int) -> Repeat:
    role = random_roles(photos, seed)
    gallery = np.flatnonzero(role == GALLERY)
    chosen = [photos[row] for row in gallery]
    trial_scores = run_trials(catalog, chosen, grounds.engine, EVERY_PAIR, seed, pool=grounds.pool)
    model = learn(trial_scores, grounds.engine.score, seed)
    if model.novelty is None:
        sys.exit(model.missing)
    searcher, turtle = Searcher(grounds, model), grounds.table.turtle
    asked = np.flatnonzero((role == KNOWN) | (role == NEW))
    grounds.plan(asked, gallery)
    searched = [(row, searcher.search(int(row), gallery)) for row in asked]
    found = [one for _, one in searched if one is not None]
    rows = np.array([row for row, one in searched if one is not None], np.int64)
    new, individual = role[rows] == NEW, turtle[rows]
    posteriors = [searcher.posterior(one, float(new.mean())) for one in found]
    p_new, best = np.array([one.p_new for one in posteriors]), np.array([one.best for one in found])
    right = np.array([one.first for one in found]) == individual
    decisions = [decide(one, model.novelty.thresholds(RATES)) for one in posteriors]
    known = np.array([one.verdict is Verdict.KNOWN for one in decisions])
    called_new = np.array([one.verdict is Verdict.NEW for one in decisions])
    said = reliability(p_new, new)
    return Repeat(
        known=int((~new).sum()),
        new=int(new.sum()),
        top1=float(right[~new].mean()),
        auroc=auroc(1 - p_new, ~new),
        auroc_score=auroc(best, ~new),
        ece=said.error,
        ece_if_calibrated=said.error_if_calibrated,
        false_known=error_rate(known[new], individual[new], RATES.false_known),
        misidentified=error_rate((known & ~right)[~new], individual[~new], RATES.misidentified),
        false_new=error_rate(called_new[~new], individual[~new], RATES.false_new),
        called_known=float((known & right)[~new].mean()),
        called_new=float(called_new[new].mean()),
        undecided=float(1 - (known | called_new).mean()),
        ceiling=ceiling(1 - p_new, new, right, individual),
    )


def ceiling(sureness: Float64, new: Bool, right: Bool, individual: Int64) -> float:
    """Share left UNDECIDED by the two best thresholds that keep the rates on these very photos."""
    weight = np.zeros(len(new))
    for group in (new, ~new):
        _, code, count = np.unique(individual[group], return_inverse=True, return_counts=True)
        weight[group] = 1 / count[code.ravel()] / len(count)
    order = np.argsort(-sureness, kind="stable")
    wrong_known = np.maximum(
        np.cumsum((weight * new)[order]) / RATES.false_known,
        np.cumsum((weight * (~new & ~right))[order]) / RATES.misidentified,
    )
    wrong_new = np.cumsum((weight * ~new)[order[::-1]]) / RATES.false_new
    decided = (wrong_known <= 1 + 1e-9).sum() + (wrong_new <= 1 + 1e-9).sum()
    return float(max(0.0, 1 - decided / len(new)))


def _figures(repeats: list[Repeat], growths: list[Growth]) -> dict[str, object]:
    rates = ("false_known", "misidentified", "false_new")
    return {
        "auroc": float(np.mean([one.auroc for one in repeats])),
        "called_known": float(np.mean([one.called_known for one in repeats])),
        "called_new": float(np.mean([one.called_new for one in repeats])),
        "ece_kept": sum(one.ece <= one.ece_if_calibrated for one in repeats),
        "rates_contradicted": sum(getattr(one, rate).contradicts for one in repeats for rate in rates),
        **{f"{rate}_mean": float(np.mean([getattr(one, rate).rate for one in repeats])) for rate in rates},
        "undecided": float(np.mean([one.undecided for one in repeats])),
        "undecided_ceiling": float(np.mean([one.ceiling for one in repeats])),
        "repeats": [asdict(one) for one in repeats],
        "growth": [asdict(one) for one in growths],
    }


def _print(repeats: list[Repeat], growths: list[Growth]) -> None:
    console = Console(width=WIDTH)
    console.print(table_of(repeats))
    if not growths:
        return
    grown = Table("turtles", "false KNOWN", "by a fixed cut-off", box=None, padding=(0, 2))
    for place, size in enumerate(growths[0].turtles):
        shown = [np.mean([getattr(one, name)[place].rate for one in growths]) for name in ("model", "fixed")]
        grown.add_row(str(size), *(f"{share:.3f}" for share in shown))
    console.print(f"Fitted at {growths[0].turtles[0]} turtles, with 5 % false KNOWN promised:")
    console.print(grown)


def table_of(repeats: Sequence[Repeat]) -> Table:
    """A row for each repeat, and one for their mean; at most `WIDTH` wide."""
    table = Table("repeat", *COLUMNS.values(), box=None, padding=(0, 1, 0, 0))
    columns = [_cells([getattr(one, name) for one in repeats]) for name in COLUMNS]
    for place, row in enumerate(zip(*columns, strict=True), start=1):
        table.add_row(str(place) if place <= len(repeats) else "mean", *row)
    return table


def _cells(values: Sequence[float | ErrorRate]) -> list[str]:
    rates = [one for one in values if isinstance(one, ErrorRate)]
    if rates:
        mean = np.mean([one.rate for one in rates])
        return [*(f"{100 * one.rate:.1f} ({100 * one.low:.1f})" for one in rates), f"{100 * mean:.1f}"]
    numbers = [one for one in values if not isinstance(one, ErrorRate)]
    digits = 0 if isinstance(numbers[0], int) else 3
    return [f"{one:.{digits}f}" for one in (*numbers, float(np.mean(numbers)))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the catalogue and its compared pairs here")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growths", type=int, default=3, help="in how many of them the gallery is let grow, too")
    parser.add_argument("--matcher")
    parser.add_argument("--no-verify", dest="verify", action="store_false")
    parser.add_argument("--score", type=Score, default=Score.WASSERSTEIN)
    parser.add_argument("--shortlist", type=int, default=SHORTLIST)
    parser.add_argument("--quick", action="store_true", help="one repeat of sixty turtles, a photo an encounter")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats: at least one")
    return options


if __name__ == "__main__":
    main()
