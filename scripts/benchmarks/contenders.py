"""The matchers that are compared on the same photos, and how each of them turns matches into a pair's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.onnx_weights import xfeat_state
from index.types import LocalFeatures, Matches
from retrieval.batching import choose_device
from retrieval.blended import BlendedMatcher, blended
from retrieval.keypoints import Extractor, SiftExtractor
from retrieval.learned import LearnedExtractor
from retrieval.loading import NEAREST, OF_SIFT
from retrieval.matcher import Matcher
from retrieval.nearest import NearestNeighbourMatcher, Verification, on_all_cores
from retrieval.rerank import verified
from retrieval.scoring import MATCH_THRESHOLD, Score
from retrieval.weights import DEFAULT, load_matcher

RATIO = 0.9
"""Distance ratio below which a nearest neighbour counts; its confidence is one minus the ratio."""
RANSAC_SHARE = 0.03
XFEAT_EXTRACTOR, XFEAT_MATCHER = "xfeat_1024_640x360.onnx", "xfeat_lighterglue_l3.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """Keypoints and a matcher; contenders that only verify or score differently share it.

    Attributes
    ----------
    parts : tuple of str
        Names of the ways whose matches the matcher blends, where it does.
    """

    name: str
    extractor: Extractor
    matcher: Matcher
    parts: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One row of the table.

    Attributes
    ----------
    key : str
        Names its figures.
    check : str
        ``none``, ``ransac`` (inliers of OpenCV's affine RANSAC) or ``verified`` (what turtleidx does).
    score : Score
        How a pair's confidences become one number.
    least : float
        Confidence from which a match counts.
    """

    key: str
    title: str
    way: Way
    check: str
    score: Score
    least: float = MATCH_THRESHOLD


def contenders(
    keypoints: int, long_side: int, xfeat: Path | None, aliked: Path | None, folder: Path
) -> list[Contender]:
    """Every contender whose weights are at hand; XFeat's are converted into `folder`."""
    device = choose_device()
    sift = SiftExtractor(keypoints, long_side)
    nearest = Way(NEAREST, sift, NearestNeighbourMatcher())
    network = load_matcher(DEFAULT, device)
    own = Way(DEFAULT, sift, network)
    both = Way(OF_SIFT, sift, BlendedMatcher(network), (own.name, nearest.name))
    found = [
        Contender("a", "SIFT, nearest neighbours, ratio count", nearest, "none", Score.MATCH_COUNT, 1 - RATIO),
        Contender("b", "SIFT, nearest neighbours, affine RANSAC", nearest, "ransac", Score.MATCH_COUNT, 1 - RATIO),
        Contender("b2", "SIFT, nearest neighbours, verified", nearest, "verified", Score.WASSERSTEIN),
        Contender("c", f"{DEFAULT}, match count", own, "none", Score.MATCH_COUNT),
        Contender("d", f"{DEFAULT}, verified, Wasserstein", own, "verified", Score.WASSERSTEIN),
        Contender("d2", f"{OF_SIFT}, verified, Wasserstein", both, "verified", Score.WASSERSTEIN),
    ]
    if xfeat is not None:
        converted = folder / "xfeat.pth"
        torch.save(xfeat_state(xfeat / XFEAT_EXTRACTOR), converted)
        extractor = LearnedExtractor("xfeat", keypoints, weights=converted)
        lighter = Way("xfeat", extractor, load_matcher(str(xfeat / XFEAT_MATCHER), device))
        found.append(Contender("e", "XFeat, LighterGlue of 3 layers, verified", lighter, "verified", Score.WASSERSTEIN))
    if aliked is not None:
        extractor = LearnedExtractor("aliked", keypoints, weights=aliked)
        plain = Way("aliked", extractor, NearestNeighbourMatcher())
        found.append(Contender("f", "ALIKED, nearest neighbours, verified", plain, "verified", Score.WASSERSTEIN))
    return found


def matched(
    way: Way,
    query: LocalFeatures,
    candidates: Sequence[LocalFeatures],
    known: dict[str, list[Matches]] | None = None,
) -> list[Matches]:
    """All matches, unverified; blended from those that are `known` of other ways where these are its parts."""
    if known is not None and way.parts is not None and all(part in known for part in way.parts):
        together = zip(*(known[part] for part in way.parts), candidates, strict=True)
        return [blended(sure, distinct, len(query), len(other)) for sure, distinct, other in together]
    return way.matcher.match(query, candidates)


def checked(
    contender: Contender, query: LocalFeatures, candidates: Sequence[LocalFeatures], found: list[Matches]
) -> list[Matches]:
    """The matches with those rejected that the contender's check rejects."""
    if contender.check == "none":
        return found
    if contender.check == "verified":
        return verified(query, candidates, found, Verification())
    pairs = list(zip(candidates, found, strict=True))
    return on_all_cores(lambda pair: ransac(query, pair[0], pair[1], contender.least), pairs)


def ransac(query: LocalFeatures, candidate: LocalFeatures, matches: Matches, least: float) -> Matches:
    """Matches of at least this confidence that one affine map explains; the others lose theirs."""
    used = np.flatnonzero(matches.confidence > least)
    inliers = np.zeros(len(matches), bool)
    if len(used) >= 3:
        reach = RANSAC_SHARE * max(candidate.size)
        source, target = query.xy[matches.pairs[used, 0]], candidate.xy[matches.pairs[used, 1]]
        _, kept = cv2.estimateAffine2D(source, target, ransacReprojThreshold=reach, maxIters=1000)
        if kept is not None:
            inliers[used] = kept[:, 0] > 0
    return Matches(matches.pairs, np.where(inliers, matches.confidence, np.float32(0)))
