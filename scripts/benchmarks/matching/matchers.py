"""Matchers on a manifest with a role column: every query against every gallery photo of its side, the same for all.

Top-1 and top-5 of known turtles, known against new by the best score (AUROC), same turtle against another pair by pair
(pair AUC), precision and recall on drawn pairs, and milliseconds a pair. Scores that need the confidences of different
turtles learn them from gallery pairs. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.matching.matcher_variants import Contender, checked, contenders, matched
from benchmarks.matching.synthetic_pairs import Tally, milliseconds_a_pair, precision_and_recall
from index.errors import PhotoUnreadable
from index.exchange import ManifestRow, read_manifest
from index.types import Float32, Float64, Int64, LocalFeatures, Matches, Sighting
from retrieval.evaluation.metrics import auroc, cumulative_match
from retrieval.features import Extractor, Found, one_core_a_photo
from retrieval.images import load_photo
from retrieval.scoring import ConfidenceNull, PairConfidences, Score, pair_confidences, score_pairs

Features = dict[str, dict[str, LocalFeatures]]
"""By extractor id, then by photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The sampled photos: queries, and for each query the rows of the gallery that show its side."""

    gallery: list[ManifestRow]
    queries: list[ManifestRow]

    def against(self, query: ManifestRow) -> Int64:
        side = query.sighting.side
        return np.array([row for row, one in enumerate(self.gallery) if one.sighting.side == side], np.int64)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="turtleidx-") as folder:
        rows = contenders(
            options.keypoints, options.long_side, options.xfeat_weights, options.aliked_weights, Path(folder)
        )
        figures = run(rows, options)
    print(json.dumps(figures))


def run(rows: Sequence[Contender], options: argparse.Namespace) -> dict[str, object]:
    started = time.perf_counter()
    trial = sample(options.manifest, options.turtles, options.queries, options.seed)
    trial, features = extract(trial, rows)
    _say(f"{len(trial.gallery)} gallery photos, {len(trial.queries)} queries, {time.perf_counter() - started:.0f} s")
    pairs = compare_all(trial, features, rows)
    nulls = learn_nulls(trial, features, rows, options.null_pairs, options.seed)
    figures: dict[str, object] = {
        "gallery_photos": len(trial.gallery),
        "known": sum(one.role == "known" for one in trial.queries),
        "new": sum(one.role == "new" for one in trial.queries),
    }
    for row in rows:
        figures |= _figures(row, trial, pairs[row.key], nulls[row.key])
    drawn = precision_and_recall(rows, options.drawn)
    times = milliseconds_a_pair(rows, options.timed, options.candidates)
    for row in rows:
        figures |= {f"{row.key}_precision": drawn[row.key].precision, f"{row.key}_recall": drawn[row.key].recall}
        figures |= {f"{row.key}_ms_{count}": value for count, value in times[row.key].items()}
    _print(rows, figures, drawn, options.timed)
    return figures | {"seconds": time.perf_counter() - started}


def sample(manifest: Path, turtles: int | None, queries: int | None, seed: int) -> Trial:
    """Gallery of at most so many turtles, and at most so many known and as many new queries, drawn by `seed`."""
    rng = np.random.default_rng(seed)
    rows = [row for row in read_manifest(manifest, ["gallery", "known", "new"]) if isinstance(row, ManifestRow)]
    catalogued = sorted({str(row.sighting.turtle) for row in rows if row.role == "gallery"})
    asked = {str(row.sighting.turtle) for row in rows if row.role == "known"}
    order = sorted(rng.permutation(catalogued).tolist(), key=lambda turtle: turtle not in asked)
    kept = set(order[:turtles])
    gallery = [row for row in rows if row.role == "gallery" and row.sighting.turtle in kept]
    chosen: list[ManifestRow] = []
    for role in ("known", "new"):
        some = [row for row in rows if row.role == role and (role == "new" or row.sighting.turtle in kept)]
        chosen += [some[place] for place in sorted(rng.permutation(len(some))[:queries])]
    return Trial(gallery, chosen)


def extract(trial: Trial, rows: Sequence[Contender]) -> tuple[Trial, Features]:
    """Features of every photo; photos that one extractor cannot use are left out for all."""
    features: Features = {}
    with one_core_a_photo():
        for extractor in {row.way.extractor.id: row.way.extractor for row in rows}.values():
            _say(f"extracting {extractor.id} ...")
            photos = [one.sighting for one in (*trial.gallery, *trial.queries)]
            features[extractor.id] = extract_all(photos, extractor)
    everywhere = set.intersection(*(set(found) for found in features.values()))
    return (
        Trial(
            [one for one in trial.gallery if one.sighting.path in everywhere],
            [one for one in trial.queries if one.sighting.path in everywhere],
        ),
        features,
    )


def extract_all(photos: Sequence[Sighting], extractor: Extractor) -> dict[str, LocalFeatures]:
    """Features by path, of those photos that can be used."""
    found: dict[str, LocalFeatures] = {}
    for start in range(0, len(photos), 64):
        usable: dict[str, npt.NDArray[np.uint8]] = {}
        for one in photos[start : start + 64]:
            try:
                usable[one.path] = load_photo(Path(one.path), extractor.long_side, one.box).pixels
            except PhotoUnreadable as error:
                _say(str(error))
        described: list[Found] = extractor.extract_batch(list(usable.values()))
        together = zip(usable, described, strict=True)
        found.update({path: one for path, one in together if isinstance(one, LocalFeatures)})
    return found


def compare_all(trial: Trial, features: Features, rows: Sequence[Contender]) -> dict[str, list[list[Float32]]]:
    """By contender, for every query the confidences of every pair, in the order of `Trial.against`."""
    confidences: dict[str, list[list[Float32]]] = {row.key: [] for row in rows}
    spent: dict[str, float] = defaultdict(float)
    for number, query in enumerate(trial.queries):
        paths = [trial.gallery[row].sighting.path for row in trial.against(query)]
        raw: dict[str, list[Matches]] = {}
        for row in rows:
            own = features[row.way.extractor.id]
            candidates = [own[path] for path in paths]
            started = time.perf_counter()
            confidences[row.key].append(_confidences(row, own[query.sighting.path], candidates, raw))
            spent[row.way.name] += time.perf_counter() - started
        if number % 20 == 19:
            left = (len(trial.queries) - number - 1) / (number + 1) * sum(spent.values())
            _say(f"query {number + 1} of {len(trial.queries)}, about {left:.0f} s left")
    return confidences


def learn_nulls(
    trial: Trial, features: Features, rows: Sequence[Contender], pairs: int, seed: int
) -> dict[str, ConfidenceNull]:
    """The confidences of different turtles, from about so many gallery pairs."""
    rng = np.random.default_rng(seed)
    each = 8
    first, second = [], []
    found: dict[str, list[Float32]] = {row.key: [] for row in rows}
    for place in rng.permutation(len(trial.gallery))[: -(-pairs // each)]:
        query = trial.gallery[place]
        others = [row for row in trial.against(query) if trial.gallery[row].sighting.turtle != query.sighting.turtle]
        chosen = [int(row) for row in rng.permutation(others)[:each]]
        paths = [trial.gallery[row].sighting.path for row in chosen]
        raw: dict[str, list[Matches]] = {}
        for row in rows:
            own = features[row.way.extractor.id]
            found[row.key] += _confidences(row, own[query.sighting.path], [own[path] for path in paths], raw)
        first += [str(query.sighting.turtle)] * len(chosen)
        second += [str(trial.gallery[row].sighting.turtle) for row in chosen]
    _, codes = np.unique(np.array(first + second), return_inverse=True)
    halves = codes[: len(first)], codes[len(first) :]
    return {row.key: ConfidenceNull.fit(PairConfidences.of(found[row.key]), *halves) for row in rows}


def _confidences(
    row: Contender, query: LocalFeatures, candidates: Sequence[LocalFeatures], raw: dict[str, list[Matches]]
) -> list[Float32]:
    if row.way.name not in raw:
        raw[row.way.name] = matched(row.way, query, candidates, raw)
    found = checked(row, query, candidates, raw[row.way.name])
    return [pair_confidences(one, len(query), len(other)) for one, other in zip(found, candidates, strict=True)]


def _figures(
    row: Contender, trial: Trial, confidences: Sequence[Sequence[Float32]], null: ConfidenceNull
) -> dict[str, object]:
    best, rank, known = [], [], []
    scores, same = [], []
    for query, pairs in zip(trial.queries, confidences, strict=True):
        turtles = np.array([str(trial.gallery[place].sighting.turtle) for place in trial.against(query)])
        if not len(pairs):
            continue
        score = _scores(row, pairs, null)
        own = turtles == str(query.sighting.turtle)
        scores.append(score)
        same.append(own)
        known.append(query.role == "known")
        best.append(float(score.max()))
        by_turtle = {turtle: score[turtles == turtle].max() for turtle in np.unique(turtles)}
        ranked = sorted(by_turtle, key=lambda turtle: -by_turtle[turtle])
        rank.append(ranked.index(str(query.sighting.turtle)) + 1 if own.any() else 0)
    is_known = np.array(known, bool)
    curve = cumulative_match(np.array(rank, np.int64)[is_known], 5)
    return {
        f"{row.key}_top1": float(curve[0]),
        f"{row.key}_top5": float(curve[4]),
        f"{row.key}_auroc": auroc(np.array(best), is_known),
        f"{row.key}_pair_auc": auroc(np.concatenate(scores), np.concatenate(same)),
    }


def _scores(row: Contender, pairs: Sequence[Float32], null: ConfidenceNull) -> Float64:
    """Counts are settled by the sum of confidences where they are equal, so that no order is an accident."""
    if row.score is not Score.MATCH_COUNT:
        return score_pairs(PairConfidences.of(pairs), null, row.score)
    return np.array([(one > row.least).sum() + one.mean(dtype=np.float64) for one in pairs])


def _print(
    rows: Sequence[Contender], figures: dict[str, object], drawn: dict[str, Tally], timed: Sequence[int]
) -> None:
    shown = Table("", "matcher", box=None, padding=(0, 1))
    named = ("top1", "top5", "auroc", "pair_auc", "precision", "recall", *(f"ms_{count}" for count in timed))
    for name in named:
        shown.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        cells = [float(str(figures[f"{row.key}_{name}"])) for name in named]
        shown.add_row(row.key, row.title, *(f"{cell:.1f}" if cell > 2 else f"{cell:.3f}" for cell in cells))
    Console(width=140).print(shown)
    judged = {row.key: drawn[row.key].true for row in rows}
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; true drawn matches: {judged}")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--turtles", type=int, help="gallery turtles; else all")
    parser.add_argument("--queries", type=int, help="known and new queries each; else all")
    parser.add_argument("--keypoints", type=int, default=512)
    parser.add_argument("--long-side", type=int, default=320, help="of SIFT's working images; learned ones have 480")
    parser.add_argument("--xfeat-weights", type=Path, help="folder with the XFeat export and its LighterGlue")
    parser.add_argument("--aliked-weights", type=Path, help="file of ALIKED-n16")
    parser.add_argument("--null-pairs", type=int, default=2000, help="gallery pairs of different turtles")
    parser.add_argument("--drawn", type=int, default=60, help="drawn pairs for precision and recall")
    parser.add_argument(
        "--timed", type=int, nargs="+", default=[256, 512, 1024], help="keypoints that pairs are timed at"
    )
    parser.add_argument("--candidates", type=int, default=16, help="of a timed shortlist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a small sample, under a minute")
    options = parser.parse_args()
    if options.quick:
        options.turtles, options.queries, options.null_pairs = 12, 6, 40
        options.drawn, options.timed, options.candidates = 3, [256], 4
    return options


if __name__ == "__main__":
    main()
