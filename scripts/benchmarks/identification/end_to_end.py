"""Identification on any manifest with a role column: enroll role gallery, fit, query roles known and new by side.

The same shortlists are also ranked the classical way, by counting the inliers of an affine RANSAC over
nearest-neighbour matches that pass the ratio test. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.identification.encounter_figures import encounter_figures
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import GalleryFilter, LocalFeatures, Sighting
from retrieval.defaults import SHORTLIST
from retrieval.engine import Engine, EngineOptions
from retrieval.evaluation.metrics import auroc, cumulative_match, reliability
from retrieval.fitting import calibrated, fit
from retrieval.images import from_manifest
from retrieval.matching.nearest import comparable, mutual_nearest
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.parallel import on_all_cores, peak_memory_gib
from retrieval.pipeline import Identification, enroll, look_processes
from retrieval.pipeline.identification import identify
from retrieval.scoring import Score

RATIO = 0.9
RANSAC_SHARE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """One query: its manifest row, the answer, and what the baseline says about the same shortlist."""

    row: ManifestRow
    found: Identification
    baseline: dict[str, float]


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    with scratch_folder() as folder:
        figures = run(options, folder)
    print(json.dumps(figures))


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    choices = EngineOptions(
        extractor=options.extractor,
        encoder=options.encoder,
        matcher=options.matcher,
        verify=options.verify,
        score=options.score,
        shortlist=options.shortlist,
    )
    engine = Engine.load(options=choices)
    catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
    enrolled = enroll(catalog, from_manifest(options.manifest, ["gallery"], Sighting("")), engine, "benchmark")
    with catalog.writing("calibrate"):
        engine = calibrated(catalog, engine)
    with look_processes() as pool:  # as the command does
        fitted = fit(catalog, engine, "benchmark", budget=options.budget, pool=pool)
    rows = [row for row in read_manifest(options.manifest, ["known", "new"]) if isinstance(row, ManifestRow)]
    most = 40 if options.quick else options.most
    if most:
        rows = rows[:: max(1, len(rows) // most)]
    spent = time.process_time()
    answered, seconds = _query(catalog, rows, engine, options.prior_new, options.baseline)
    spent = time.process_time() - spent
    figures = _figures(answered, options.prior_new)
    model = CatalogModel.load(catalog, engine.evidence)
    figures |= encounter_figures(catalog, [(one.row, one.found) for one in answered], model, options.prior_new)
    figures |= {
        "enroll_photos_per_s": len(enrolled.enrolled) / enrolled.seconds,
        "query_s": seconds / max(1, len(rows)),
        "query_cpu_s": spent / max(1, len(rows)),
        "bytes_per_photo": _size_of(catalog.path) / max(1, len(enrolled.enrolled)),
        "fit_s": fitted.seconds,
        "fit_pairs": fitted.pairs,
        "peak_gib": peak_memory_gib(),
        "refused": len(enrolled.refused),
        "recipe": engine.evidence,
    }
    _print(figures, fitted.reason)
    return figures


def _query(
    catalog: Catalog, rows: list[ManifestRow], engine: Engine, prior_new: float, compare: bool
) -> tuple[list[Answered], float]:
    model = CatalogModel.load(catalog, engine.evidence)
    answered, seconds = [], 0.0
    for row in rows:
        found = identify(catalog, row.sighting, engine, model, DecisionPolicy(prior_new))
        seconds += found.seconds
        answered.append(Answered(row, found, _baseline(catalog, row.sighting, found, engine) if compare else {}))
    return answered, seconds


def _baseline(catalog: Catalog, sighting: Sighting, found: Identification, engine: Engine) -> dict[str, float]:
    """RANSAC inliers of the best photo of every shortlisted turtle."""
    query = found.query.prepared
    if query is None:
        return {}
    where = GalleryFilter(side=sighting.side)
    probe = engine.encoder.probe(query.features, query.vector)
    photos = catalog.shortlist(probe, engine.shortlist, where, engine.per_turtle).photos
    counted = on_all_cores(lambda features: ransac_inliers(query.features, features), catalog.features(photos))
    best: dict[str, float] = {}
    for photo, inliers in zip(photos, counted, strict=True):
        best[str(photo.turtle)] = max(best.get(str(photo.turtle), 0.0), inliers)
    return best


def ransac_inliers(query: LocalFeatures, candidate: LocalFeatures) -> float:
    """Mutual nearest neighbours that pass the ratio test and one affine map (RANSAC)."""
    matches = mutual_nearest(comparable(query), comparable(candidate))
    pairs = matches.pairs[matches.confidence > 1 - RATIO]
    if len(pairs) < 3:
        return 0.0
    threshold = RANSAC_SHARE * max(candidate.size)
    _, inliers = cv2.estimateAffine2D(
        query.xy[pairs[:, 0]], candidate.xy[pairs[:, 1]], ransacReprojThreshold=threshold, maxIters=1000
    )
    return 0.0 if inliers is None else float(inliers.sum())


def _figures(answered: list[Answered], prior_new: float) -> dict[str, object]:
    known = np.array([one.row.role == "known" for one in answered])
    truth = [one.row.sighting.turtle for one in answered]
    ranks = {
        "": [_rank([c.turtle for c in one.found.candidates], who) for one, who in zip(answered, truth, strict=True)],
        "baseline_": [_rank(_by_score(one.baseline), who) for one, who in zip(answered, truth, strict=True)],
    }
    best = {
        "": [one.found.candidates[0].score if one.found.candidates else 0.0 for one in answered],
        "baseline_": [max(one.baseline.values(), default=0.0) for one in answered],
    }
    figures: dict[str, object] = {"known": int(known.sum()), "new": int((~known).sum())}
    for name, rank in ranks.items():
        if name and not any(one.baseline for one in answered):
            continue
        curve = cumulative_match(np.array(rank, np.int64)[known], 5)
        figures |= {f"{name}top{k}": float(curve[k - 1]) for k in (1, 3, 5)}
        figures[f"{name}auroc"] = auroc(np.array(best[name]), known)
    figures["shortlisted"] = float((np.array(ranks[""])[known] > 0).mean())
    p_new = np.array([np.nan if one.found.p_new is None else one.found.p_new for one in answered])
    if not np.isnan(p_new).any():
        calibration = reliability(p_new, ~known)
        figures |= {"auroc_p_new": auroc(p_new, ~known), "ece": calibration.error}
        figures["ece_if_calibrated"] = calibration.error_if_calibrated
        figures["novelty_accuracy"] = float(((p_new > 0.5) == ~known).mean())
        figures["ece_at_share"] = reliability(at_prior(p_new, prior_new, float((~known).mean())), ~known).error
    return figures | _verdicts(answered, known, truth)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def at_prior(p_new: np.ndarray, prior: float, other: float) -> np.ndarray:
    """P(new) as it would be with another prior: the odds change as those before looking do (Bayes)."""
    new, known = p_new * other / prior, (1 - p_new) * (1 - other) / (1 - prior)
    return new / (new + known)


def _verdicts(answered: list[Answered], known: np.ndarray, truth: list[str | None]) -> dict[str, object]:
    verdicts = [one.found.verdict for one in answered]
    right = [one.found.turtle == who for one, who in zip(answered, truth, strict=True)]
    said_known = np.array([verdict is Verdict.KNOWN for verdict in verdicts])
    return {
        "verdicts_known": dict(Counter(str(v) for v, k in zip(verdicts, known, strict=True) if k)),
        "verdicts_new": dict(Counter(str(v) for v, k in zip(verdicts, known, strict=True) if not k)),
        "false_known": float(said_known[~known].mean()) if (~known).any() else None,
        "misidentified": float((said_known & ~np.array(right))[known].mean()) if known.any() else None,
    }


def _rank(ranked: list[str], truth: str | None) -> int:
    return ranked.index(truth) + 1 if truth in ranked else 0


def _by_score(scores: dict[str, float]) -> list[str]:
    return sorted(scores, key=lambda turtle: -scores[turtle])


def _print(figures: dict[str, object], reason: str) -> None:
    console = Console()
    table = Table("", "turtleidx", "SIFT, ratio test, affine RANSAC inliers", box=None, padding=(0, 2))
    for name in ("top1", "top5", "auroc"):
        other = figures.get(f"baseline_{name}")
        table.add_row(name, f"{figures[name]:.3f}", "not run" if other is None else f"{other:.3f}")
    console.print(table)
    rest = Table(box=None, show_header=False, padding=(0, 2))
    for name, value in figures.items():
        if not name.endswith(("top1", "top5")) and name not in ("auroc", "baseline_auroc"):
            rest.add_row(name, f"{value:.3f}" if isinstance(value, float) else str(value))
    console.print(rest)
    if reason:
        console.print(reason)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--extractor")
    parser.add_argument("--encoder")
    parser.add_argument("--matcher")
    parser.add_argument("--no-verify", dest="verify", action="store_false")
    parser.add_argument("--score", type=Score, default=Score.WASSERSTEIN)
    parser.add_argument("--shortlist", type=int, default=SHORTLIST)
    parser.add_argument("--budget", type=int, default=200_000, help="photo pairs that the fit may compare")
    parser.add_argument("--prior-new", type=float, default=0.5)
    parser.add_argument("--no-baseline", dest="baseline", action="store_false", help="half the time, no comparison")
    parser.add_argument("--most", type=int, help="so many queries, evenly drawn")
    parser.add_argument("--quick", action="store_true", help="some forty queries")
    return parser.parse_args()


if __name__ == "__main__":
    main()
