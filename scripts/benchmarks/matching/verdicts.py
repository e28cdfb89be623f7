"""What the cascade changes about answers: the same queries with it and with the matcher on the whole shortlist.

A manifest's gallery is enrolled, and a novelty model fitted for each of the two; then the same photos of known and new
turtles are asked about. How often verdict, verdict with its turtle, and first turtle are the same, what both get right,
and seconds a query. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.matching.cascade import some_of
from benchmarks.scratch import scratch_folder
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import Sighting
from retrieval.engine import Engine, EngineOptions
from retrieval.evaluation.metrics import auroc
from retrieval.fitting import fit
from retrieval.images import from_manifest
from retrieval.novelty import CatalogModel, DecisionPolicy, Verdict
from retrieval.pipeline import Identification, enroll
from retrieval.pipeline.identification import identify

PART, WHOLE = "cascade", "everything"


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    cascade = Engine.load(options=EngineOptions(matcher=options.matcher))
    ways = {WHOLE: replace(cascade, reranking=replace(cascade.reranking, keep=None)), PART: cascade}
    rows = [row for row in read_manifest(options.manifest, ["known", "new"]) if isinstance(row, ManifestRow)]
    asked = some_of(rows, options.known, options.new, options.seed)
    with scratch_folder() as folder:
        catalog = Catalog.create(folder / "turtles.catalog", cascade.recipe)
        enroll(catalog, from_manifest(options.manifest, ["gallery"], Sighting("")), cascade, "benchmark")
        answers = {name: answered(catalog, asked, way, options, name) for name, way in ways.items()}
    figures = compared(asked, {name: found for name, (found, _) in answers.items()})
    figures |= {f"{name}_query_s": seconds / len(asked) for name, (_, seconds) in answers.items()}
    figures["faster"] = answers[WHOLE][1] / answers[PART][1]
    _print(figures)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(json.dumps(figures))


def answered(
    catalog: Catalog, asked: Sequence[ManifestRow], way: Engine, options: argparse.Namespace, name: str
) -> tuple[list[Identification], float]:
    """Answers by a model of this way's own, and seconds of all of them."""
    if not fit(catalog, way, "benchmark", budget=options.budget).fitted:
        raise SystemExit(
            "no model could be fitted, and without one no verdict is given: more photos, or a larger --budget"
        )
    model = CatalogModel.load(catalog, way.evidence)
    started = time.perf_counter()
    rows = track(asked, name, console=Console(stderr=True))
    found = [identify(catalog, row.sighting, way, model, DecisionPolicy(options.prior_new)) for row in rows]
    return found, time.perf_counter() - started


def compared(asked: Sequence[ManifestRow], answers: dict[str, list[Identification]]) -> dict[str, object]:
    """Shares of queries that both ways answer alike, and what each gets right."""
    judged = [n for n, two in enumerate(zip(answers[PART], answers[WHOLE], strict=True)) if not _unread(two)]
    refused, asked = len(asked) - len(judged), [asked[n] for n in judged]
    answers = {name: [found[n] for n in judged] for name, found in answers.items()}
    together = list(zip(answers[PART], answers[WHOLE], strict=True))
    known = np.array([row.role == "known" for row in asked])
    figures: dict[str, object] = {
        "refused": refused,
        "known": int(known.sum()),
        "new": int((~known).sum()),
        "same_verdict": float(np.mean([a.verdict is b.verdict for a, b in together])),
        "same_answer": float(np.mean([(a.verdict, a.turtle) == (b.verdict, b.turtle) for a, b in together])),
        "same_first": float(np.mean([_first(a) == _first(b) for a, b in together])),
        "contradictions": sum(_contradict(a, b) for a, b in together),
    }
    for name, found in answers.items():
        right = [_first(one) == row.sighting.turtle for one, row in zip(found, asked, strict=True)]
        figures[f"{name}_top1"] = float(np.mean(np.array(right)[known]))
        p_new = np.array([np.nan if one.p_new is None else one.p_new for one in found])
        figures[f"{name}_auroc_p_new"] = None if np.isnan(p_new).any() else auroc(p_new, ~known)
        for role, those in (("known", known), ("new", ~known)):
            verdicts = Counter(str(one.verdict) for one, there in zip(found, those, strict=True) if there)
            figures[f"{name}_verdicts_{role}"] = dict(verdicts)
    return figures


def _unread(answers: Sequence[Identification]) -> bool:
    return any(one.verdict in (Verdict.REFUSED, Verdict.NOT_COMPARABLE) for one in answers)


def _first(one: Identification) -> str | None:
    return one.candidates[0].turtle if one.candidates else None


def _contradict(one: Identification, other: Identification) -> bool:
    """Two turtles, or one known and one new: what is left undecided contradicts nothing."""
    decided = {one.verdict, other.verdict} <= {Verdict.KNOWN, Verdict.NEW}
    return decided and (one.verdict, one.turtle) != (other.verdict, other.turtle)


def _print(figures: dict[str, object]) -> None:
    shown = Table("", PART, WHOLE)
    for name in ("top1", "auroc_p_new", "verdicts_known", "verdicts_new", "query_s"):
        cells = [figures[f"{way}_{name}"] for way in (PART, WHOLE)]
        shown.add_row(name, *(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells))
    Console(width=140).print(shown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--matcher", help="of a network; the default one where nothing is given")
    parser.add_argument("--known", type=int, default=70, help="queries of known turtles")
    parser.add_argument("--new", type=int, default=30, help="queries of new turtles")
    parser.add_argument("--budget", type=int, default=200_000, help="photo pairs that each fit may compare")
    parser.add_argument("--prior-new", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="four queries, small fits")
    options = parser.parse_args()
    if options.quick:
        options.known, options.new, options.budget = 2, 2, 2_000
    return options


if __name__ == "__main__":
    main()
