"""Precision and recall of matches on drawn heads that no network was trained on, and the time that a pair takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.matching.matcher_variants import Contender, checked, matched
from index.types import Float32, LocalFeatures, Matches, Side
from retrieval.features import Extractor, LearnedExtractor, SiftExtractor
from synthetic.heads import PHOTOS_PER_DAY, Drawing, draw_head, draw_photograph
from training.lightglue.correspondence import CLEAR, NEAR, places

HELD_OUT = 9_500_000
"""Species from here on are in no training set and were not looked at while training."""
SIZE = (320, 256)
LARGE = 800
"""Longest side in pixels of the heads that pairs are timed on, large enough for the most keypoints."""


@dataclass(slots=True)
class Tally:
    """Counted matches of one contender: found, right among them, and keypoints that have a counterpart."""

    found: int = 0
    right: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.found)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.true)


def precision_and_recall(rows: Sequence[Contender], pairs: int) -> dict[str, Tally]:
    """Two photographs of one individual on different days, `pairs` times; the same drawings for all contenders."""
    tallies = {row.key: Tally() for row in rows}
    for number in range(pairs):
        first, second = (
            draw_photograph(0, day * PHOTOS_PER_DAY, Side.LEFT, SIZE, HELD_OUT + number) for day in (0, 1 + number % 5)
        )
        features = {
            row.way.extractor.id: (row.way.extractor.extract(first.pixels), row.way.extractor.extract(second.pixels))
            for row in {row.way.extractor.id: row for row in rows}.values()
        }
        raw: dict[str, list[Matches]] = {}
        for row in rows:
            query, candidate = features[row.way.extractor.id]
            if row.way.name not in raw:
                raw[row.way.name] = matched(row.way, query, [candidate])
            [matches] = checked(row, query, [candidate], raw[row.way.name])
            count(tallies[row.key], row, matches, query, candidate, (first, second))
    return tallies


def count(
    tally: Tally,
    row: Contender,
    matches: Matches,
    query: LocalFeatures,
    candidate: LocalFeatures,
    drawings: tuple[Drawing, Drawing],
) -> None:
    """A match is right within NEAR pixels of the truth, wrong beyond CLEAR, and not judged between."""
    truth = places(query, drawings[0].texels, drawings[1].texels)
    there = _distance(truth, candidate.xy)
    tally.true += int((there.min(axis=1) < NEAR).sum())
    counted = matches.pairs[matches.confidence > row.least]
    gap = there[counted[:, 0], counted[:, 1]]
    tally.right += int((gap < NEAR).sum())
    tally.found += int((gap < NEAR).sum() + (gap > CLEAR).sum())


def _distance(first: Float32, second: Float32) -> Float32:
    gap = np.linalg.norm(first[:, None] - second[None], axis=-1)
    return np.asarray(np.where(np.isnan(gap), np.inf, gap), np.float32)


def milliseconds_a_pair(
    rows: Sequence[Contender], keypoints: Sequence[int], candidates: int
) -> dict[str, dict[int, float]]:
    """Wall-clock time of matching and checking one query against a shortlist, on all cores, the best of three."""
    pixels = [draw_head(number // 2, number % 2, size=(LARGE, 640)) for number in range(1 + min(4, candidates))]
    features: dict[str, list[LocalFeatures]] = {}
    times: dict[str, dict[int, float]] = {row.key: {} for row in rows}
    for row in rows:
        name = row.way.extractor.id
        if name not in features:
            wide = _with_room(row.way.extractor, max(keypoints))
            features[name] = [wide.extract(one) for one in pixels]
        for count in keypoints:
            query, *others = (_strongest(one, count) for one in features[name])
            shortlist = [others[number % len(others)] for number in range(candidates)]
            best = float("inf")
            for _ in range(3):
                started = time.perf_counter()
                checked(row, query, shortlist, matched(row.way, query, shortlist))
                best = min(best, time.perf_counter() - started)
            times[row.key][count] = 1000 * best / candidates
    return times


def _with_room(extractor: Extractor, keypoints: int) -> Extractor:
    if isinstance(extractor, LearnedExtractor):
        return LearnedExtractor(extractor.name, keypoints, LARGE, extractor.weights)
    return SiftExtractor(keypoints, LARGE)


def _strongest(photo: LocalFeatures, keypoints: int) -> LocalFeatures:
    return replace(
        photo,
        xy=photo.xy[:keypoints],
        scale=photo.scale[:keypoints],
        orientation=photo.orientation[:keypoints],
        descriptors=photo.descriptors[:keypoints],
    )
