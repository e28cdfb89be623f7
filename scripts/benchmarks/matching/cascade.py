"""What the cascade loses against LightGlue on everything, on a manifest with a role column.

Every query is matched with every gallery photo of its side; then the cascade's best by first look are taken out of the
same matches. Top-1 of known turtles and AUROC of known against new by the best score, for several numbers kept. Where
the matcher computes in bfloat16, part of the pairs is matched in float32 too: how far that moves scores, in spreads of
the scores of different turtles, and how often the first turtle changes. Scores are those before any fit, of verified
matches. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.matching.matchers import Trial, extract_all, sample
from index.exchange import ManifestRow
from index.types import Float64, LocalFeatures, Matches
from retrieval.engine.matchers import KEEP
from retrieval.evaluation.metrics import auroc
from retrieval.features import SiftExtractor
from retrieval.matching import Verification, compare, first_stage, strength, strongest
from retrieval.matching.lightglue import load_matcher
from retrieval.matching.lightglue.matcher import LightGlueMatcher
from retrieval.matching.lightglue.published import DEFAULT
from retrieval.scoring import PairConfidences, Score, no_null, pair_confidences, score_pairs

KEPT = (1, 3, 5, 10, 20, 30, 50, 100)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query against its side of the gallery, n photos.

    Attributes
    ----------
    turtle : str or None
        Its turtle where that is in the gallery.
    turtles : str [n]
    first_matches, scores : float64 [n]
        Strength of the first look, and score of LightGlue's verified matches.
    exact : float64 [k] or None
        The scores in float32 of the `k` strongest, where they were computed.
    """

    turtle: str | None
    turtles: npt.NDArray[np.str_]
    first_matches: Float64
    scores: Float64
    exact: Float64 | None

    def first(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> int:
        """Row of the best score among `rows`."""
        return int(rows[int(np.argmax(self.scores[rows]))])


def main() -> None:
    options = _options()
    trial = sample(options.manifest, None, None, options.seed)
    trial = Trial(trial.gallery, some_of(trial.queries, options.known, options.new, options.seed))
    extractor = SiftExtractor(options.keypoints, options.long_side)
    features = extract_all([one.sighting for one in (*trial.gallery, *trial.queries)], extractor)
    matcher = load_matcher(options.matcher, torch.device("cpu"))
    assert isinstance(matcher, LightGlueMatcher)
    exact = LightGlueMatcher(matcher.network, "exact", torch.device("cpu"), torch.float32)
    asked = []
    console = Console(stderr=True)
    for number, query in enumerate(track(trial.queries, "asking", console=console)):
        if query.sighting.path not in features:
            continue
        rows = [row for row in trial.against(query) if trial.gallery[row].sighting.path in features]
        rechecked = exact if matcher.precision != torch.float32 and number % options.every == 0 else None
        asked.append(ask(query, [trial.gallery[row] for row in rows], features, matcher, rechecked))
    figures = summary(asked) | reduced_precision(asked)
    shown = Table("kept", "top-1", "AUROC", title=f"{len(asked)} queries, {options.matcher} in {matcher.precision}")
    for kept in (*KEPT, "all"):
        shown.add_row(str(kept), f"{figures[f'top1_{kept}']:.3f}", f"{figures[f'auroc_{kept}']:.3f}")
    Console().print(shown)
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(json.dumps(figures))


def some_of(queries: Sequence[ManifestRow], known: int, new: int, seed: int) -> list[ManifestRow]:
    rng = np.random.default_rng(seed)
    chosen: list[ManifestRow] = []
    for role, most in (("known", known), ("new", new)):
        rows = [one for one in queries if one.role == role]
        chosen += [rows[place] for place in sorted(rng.permutation(len(rows))[:most])]
    return chosen


def ask(
    query: ManifestRow,
    gallery: Sequence[ManifestRow],
    features: dict[str, LocalFeatures],
    matcher: LightGlueMatcher,
    exact: LightGlueMatcher | None,
) -> Asked:
    own, photos = features[query.sighting.path], [features[one.sighting.path] for one in gallery]
    first_matches = np.array([strength(look.confidence) for look in first_stage(own, photos)])
    scores = scores_of(own, photos, compare(own, photos, matcher, Verification()))
    again = None
    if exact is not None:
        best = [photos[row] for row in strongest(first_matches.tolist(), KEEP)]
        again = scores_of(own, best, compare(own, best, exact, Verification()))
    turtle = str(query.sighting.turtle) if query.role == "known" else None
    return Asked(turtle, np.array([str(one.sighting.turtle) for one in gallery]), first_matches, scores, again)


def scores_of(query: LocalFeatures, photos: Sequence[LocalFeatures], found: Sequence[Matches]) -> Float64:
    confidences = [pair_confidences(one, len(query), len(photo)) for one, photo in zip(found, photos, strict=True)]
    return score_pairs(PairConfidences.of(confidences), no_null(), Score.WASSERSTEIN)


def summary(asked: Sequence[Asked]) -> dict[str, float]:
    """Top-1 and AUROC with each number kept, and with all."""
    is_known = np.array([one.turtle is not None for one in asked])
    figures: dict[str, float] = {"known": float(is_known.sum()), "new": float((~is_known).sum())}
    for kept in (*KEPT, None):
        first = [one.first(strongest(one.first_matches.tolist(), kept or len(one.first_matches))) for one in asked]
        right = [one.turtles[row] == one.turtle for one, row in zip(asked, first, strict=True) if one.turtle]
        best = np.array([one.scores[row] for one, row in zip(asked, first, strict=True)])
        figures[f"top1_{kept or 'all'}"] = float(np.mean(right))
        figures[f"auroc_{kept or 'all'}"] = auroc(best, is_known)
    return figures


def reduced_precision(asked: Sequence[Asked]) -> dict[str, float | None]:
    """What the reduced precision moves: scores of different turtles in their spreads, and first turtles."""
    moved, other, first = [], [], []
    for one in asked:
        if one.exact is not None:
            rows = strongest(one.first_matches.tolist(), KEEP)
            moved += (one.scores[rows] - one.exact).tolist()
            other += one.exact[one.turtles[rows] != one.turtle].tolist()
            first.append(one.turtles[one.first(rows)] == one.turtles[rows[int(np.argmax(one.exact))]])
    if not moved:
        return {"reduced_shift": None, "reduced_shift_95": None, "reduced_same_first": None}
    shift = np.abs(moved) / np.std(other)
    return {
        "reduced_shift": float(shift.mean()),
        "reduced_shift_95": float(np.quantile(shift, 0.95)),
        "reduced_same_first": float(np.mean(first)),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--matcher", default=DEFAULT, help="name or file of a LightGlue network")
    parser.add_argument("--known", type=int, default=60, help="queries of known turtles")
    parser.add_argument("--new", type=int, default=30, help="queries of new turtles")
    parser.add_argument("--every", type=int, default=3, help="one in so many queries is matched in float32 too")
    parser.add_argument("--keypoints", type=int, default=512)
    parser.add_argument("--long-side", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two queries")
    options = parser.parse_args()
    if options.quick:
        options.known, options.new, options.every = 1, 1, 1
    return options


if __name__ == "__main__":
    main()
