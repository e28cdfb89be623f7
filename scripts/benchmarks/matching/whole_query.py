"""Re-ranking in use: with cascade and early exit on photos, and whole queries against large galleries."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.indexing.enlarged_catalog import grow
from benchmarks.indexing.visual_words import crowd
from benchmarks.matching.implementations import kornia_of, match_with_kornia
from benchmarks.matching.matchers import extract_all, sample
from index.catalog import Catalog
from index.exchange import ManifestRow, read_manifest
from index.types import GalleryFilter, LocalFeatures, Matches, Side, Sighting
from retrieval.engine import Engine, EngineOptions
from retrieval.engine.matchers import KEEP
from retrieval.features import SiftExtractor
from retrieval.images import from_manifest
from retrieval.matching import RerankRecipe, Verification, choose_first_stage, rerank, verified
from retrieval.matching.device_features import resident_on
from retrieval.matching.lightglue.matcher import LightGlueMatcher, settled
from retrieval.matching.lightglue.network import LightGlue
from retrieval.matching.lightglue.positions import normalise
from retrieval.novelty import CatalogModel, DecisionPolicy
from retrieval.pipeline import enroll
from retrieval.pipeline.identification import identify
from retrieval.scoring import PairConfidences, Score, no_null, pair_confidences, score_pairs
from synthetic.samples import write_samples

NEAR = 1e-5
"""Exit margin under which other matrix shapes may decide otherwise."""
WIDTH = 0.99
"""How sure LightGlue's reference implementation is of keypoints that it prunes."""
SHORTLIST, KEYPOINTS, DRAWN = 100, 512, 12


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query and its shortlist; `turtles` names those that the photos show."""

    query: LocalFeatures
    photos: list[LocalFeatures]
    turtles: list[str]


def questions(manifest: Path, asked: int, seed: int = 0) -> list[Question]:
    """So many known and new queries, half of each, with 100 photos of their side, among them all of their turtle."""
    trial = sample(manifest, None, -(-asked // 2), seed)
    rng, chosen = np.random.default_rng(seed), []
    for query in trial.queries[:asked]:
        rows = rng.permutation(trial.against(query))
        others = np.array([trial.gallery[row].sighting.turtle != query.sighting.turtle for row in rows], bool)
        chosen.append([trial.gallery[row] for row in rows[np.argsort(others, kind="stable")][:SHORTLIST]])
    wanted = {one.sighting.path: one.sighting for one in trial.queries[:asked]}
    wanted |= {one.sighting.path: one.sighting for photos in chosen for one in photos}
    features = extract_all(list(wanted.values()), SiftExtractor())
    found = []
    for query, photos in zip(trial.queries, chosen, strict=False):
        there = [one for one in photos if one.sighting.path in features]
        if there and query.sighting.path in features:
            own, turtles = features[query.sighting.path], [str(one.sighting.turtle) for one in there]
            found.append(Question(own, [features[one.sighting.path] for one in there], turtles))
    return found


def with_everything(
    network: LightGlue, asked: Sequence[Question], batch: int, device: torch.device
) -> dict[str, float | None]:
    """Ours with cascade and the network's own exit rule against kornia on all, `batch` pairs at once, without exit.

    Verdicts are the first turtles by the scores of verified matches, before any fit; verifying is not timed.
    """
    oracle, matcher = kornia_of(network, device), LightGlueMatcher(network, "whole", device)
    ours_s = kornia_s = 0.0
    same, near, prunable_shares = [], 0, []
    recipe, look = RerankRecipe(KEEP, None), choose_first_stage(device)
    rerank(asked[0].query, asked[0].photos[:8], matcher, recipe, look)
    match_with_kornia(oracle, asked[0].query, by_count(asked[0].photos)[0][:2], device)
    for one in asked:
        started = time.perf_counter()
        found = rerank(one.query, one.photos, matcher, recipe, look)
        ours_s += time.perf_counter() - started
        kornias: list[Matches] = []
        started = time.perf_counter()
        for alike in by_count(one.photos):
            for first in range(0, len(alike), batch):
                kornias += match_with_kornia(oracle, one.query, alike[first : first + batch], device)
        kornia_s += time.perf_counter() - started
        order = [row for alike in by_count_rows(one.photos) for row in alike]
        theirs = [matches for _, matches in sorted(zip(order, kornias, strict=True), key=lambda pair: pair[0])]
        seen = [row for row, matches in enumerate(found) if matches is not None]
        ours_first = first_turtle(one, seen, [matches for matches in found if matches is not None])
        same.append(ours_first == first_turtle(one, range(len(theirs)), theirs))
        if network.config.depth_confidence is not None:  # else its confidence heads have not been trained
            near += near_exits(network, one.query, [one.photos[row] for row in seen])
            prunable_shares.append(prunable(network, one.query, [one.photos[row] for row in seen[:5]]))
    return {
        "vs_kornia_full": kornia_s / ours_s,
        "full_queries": len(asked),
        "full_same_first": float(np.mean(same)),
        "exit_margins_under_1e-5": near if prunable_shares else None,
        "prunable_share": float(np.mean(prunable_shares)) if prunable_shares else None,
    }


def by_count_rows(photos: Sequence[LocalFeatures]) -> list[list[int]]:
    counts = [len(photo) for photo in photos]
    return [[row for row, own in enumerate(counts) if own == count] for count in sorted(set(counts))]


def by_count(photos: Sequence[LocalFeatures]) -> list[list[LocalFeatures]]:
    return [[photos[row] for row in rows] for rows in by_count_rows(photos)]


def first_turtle(one: Question, rows: Sequence[int], found: list[Matches]) -> str:
    photos = [one.photos[row] for row in rows]
    kept = verified(one.query, photos, found, Verification())
    confidences = [pair_confidences(m, len(one.query), len(photo)) for m, photo in zip(kept, photos, strict=True)]
    scores = score_pairs(PairConfidences.of(confidences), no_null(), Score.WASSERSTEIN)
    return one.turtles[rows[int(np.argmax(scores))]]


@torch.inference_mode()
def near_exits(network: LightGlue, query: LocalFeatures, photos: Sequence[LocalFeatures]) -> int:
    """Pairs of which the keypoint that decides an exit is within 1e-5 of the threshold, in float32."""
    share = network.config.depth_confidence
    if share is None:
        return 0
    near = 0
    for photo in photos:
        for depth, x0, x1 in _inner_layers(network, query, photo):
            sure = network.token_confidence[depth](torch.cat((x0, x1), 1))[0].sort().values
            last = min(int((1 - share) * len(sure)), len(sure) - 1)
            around = sure[max(0, last - 1) : last + 2]
            if float((around - network.config.confidence_threshold(depth)).abs().min()) < NEAR:
                near += 1
                break
            if bool(settled(network, depth, x0, x1)):
                break
    return near


@torch.inference_mode()
def prunable(network: LightGlue, query: LocalFeatures, photos: Sequence[LocalFeatures]) -> float:
    """Share of keypoints that point pruning would take out after a layer, the mean of all pairs and inner layers.

    Those that are sure to have no counterpart, by the reference's rule: settled, and matchable with 1 % at most.
    """
    shares = []
    for photo in photos:
        for depth, x0, x1 in _inner_layers(network, query, photo):
            both = torch.cat((x0, x1), 1)
            settled_ones = network.token_confidence[depth](both) > network.config.confidence_threshold(depth)
            assigned = network.log_assignment[depth](x0, x1)
            alone = torch.cat((assigned.matchability0, assigned.matchability1), 1).sigmoid() <= 1 - WIDTH
            shares.append(float((settled_ones & alone).float().mean()))
    return float(np.mean(shares))


def _inner_layers(
    network: LightGlue, query: LocalFeatures, photo: LocalFeatures
) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
    """Depth and both photos' keypoints after every layer but the last."""
    (x0, rotary0), (x1, rotary1) = _tokens(network, query), _tokens(network, photo)
    for depth, layer in enumerate(list(network.transformers)[:-1]):
        x0, x1 = layer(x0, x1, rotary0, rotary1)
        yield depth, x0, x1


def _tokens(network: LightGlue, photo: LocalFeatures) -> tuple[torch.Tensor, torch.Tensor]:
    config, features = network.config, resident_on(next(network.parameters()).device).collate([photo])
    xy, scale, angle = features.keypoints[..., :2], features.keypoints[..., 2], features.keypoints[..., 3]
    positions = normalise(xy, scale, angle, features.size, config.add_scale_ori, config.frames)
    return network.input_proj(features.comparable()), network.posenc(positions)


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds of a whole query, extraction included: in a warm process, the median, and as a command, the fastest.

    Attributes
    ----------
    first : float
        The first query of the warm process, which opens the catalogue.
    cold : float or None
        None: not measured.
    keypoints, compared : int
        Of the last query.
    """

    warm: float
    first: float
    cold: float | None
    keypoints: int
    compared: int


def against(photos: int, matcher: str, queries: int, folder: Path, device: str | None = None, cold: int = 2) -> Asked:
    """Queries of so many photos, which show those of a few drawn turtles again and again; 100 are shortlisted.

    Parameters
    ----------
    cold : int
        How often the command is run.
    """
    extractor = f"sift-{KEYPOINTS}-480"
    engine = Engine.load(
        options=EngineOptions(extractor=extractor, matcher=matcher, device=device, shortlist=SHORTLIST)
    )
    manifest = write_samples(folder / "drawn", DRAWN, 4, 2).manifest
    catalog = Catalog.create(folder / "turtles.catalog", engine.recipe)
    enroll(catalog, from_manifest(manifest, ["gallery"], Sighting("")), engine, "us")
    enrolled = catalog.photos(GalleryFilter())
    grow(catalog, enrolled, 0, photos, crowd(catalog.vectors(enrolled), photos, seed=0))
    with catalog.writing("rebuild"):
        catalog.searcher.rebuild()
    rows = [row.sighting for row in read_manifest(manifest, ["known", "new"]) if isinstance(row, ManifestRow)]
    asked = [replace(one, side=Side.LEFT) for one in rows[: queries + 1]]
    reader = Catalog.open(catalog.path)
    model, warm = CatalogModel.load(reader, engine.evidence), []
    for one in asked:
        found = identify(reader, one, engine, model, DecisionPolicy())
        warm.append(found.seconds)
    command = [sys.executable, "-m", "retrieval", "--catalog", str(catalog.path)]
    command += [*(["--device", device] if device else []), "query", asked[-1].path]
    command += ["--side", "left", "--matcher", matcher, "--shortlist", str(SHORTLIST), "--json"]
    took = []
    for _ in range(cold):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=os.environ)
        took.append(time.perf_counter() - started)
    keypoints = len(found.query.features) if found.query.features else 0
    return Asked(float(np.median(warm[1:])), warm[0], min(took, default=None), keypoints, found.coverage.photos)
