"""The matchers that are compared on the same photos, and how each of them turns matches into a pair's score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from index.types import MATCH_THRESHOLD, LocalFeatures, Matches
from retrieval.devices import choose_device
from retrieval.engine import NEAREST
from retrieval.engine.options import OF_SIFT
from retrieval.features import Extractor, LearnedExtractor, SiftExtractor
from retrieval.matching import BlendedMatcher, Matcher, NearestNeighbourMatcher, Verification, verified
from retrieval.matching.fusion import blended
from retrieval.matching.lightglue import load_matcher
from retrieval.matching.lightglue.published import DEFAULT
from retrieval.parallel import on_all_cores
from retrieval.scoring import Score

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


GRAPH, NODES, INITIALISERS = 7, 1, 5
NODE_INPUTS, NODE_OUTPUTS, NODE_TYPE = 1, 2, 4
TENSOR_SIZES, TENSOR_NAME, TENSOR_BYTES = 1, 8, 9


def xfeat_state(path: Path) -> dict[str, Tensor]:
    """Parameters as kornia's XFeat names them; what the export does not hold (its fine matcher) is left out.

    A folded bias b becomes the statistics of the batch normalisation behind the convolution: mean -b, variance 1.
    """
    [graph] = _all(path.read_bytes(), GRAPH)
    messages = {_text(tensor, TENSOR_NAME): tensor for tensor in _all(graph, INITIALISERS)}
    state: dict[str, Tensor] = {}
    for node in _all(graph, NODES):
        if _text(node, NODE_TYPE) != "Conv":
            continue
        weight, bias = (_tensor(messages[name.decode()]) for name in _all(node, NODE_INPUTS)[1:])
        # /net/block1/block1.0/layer/layer.0/Conv_output_0 is the module block1.0.layer.0
        parts = _text(node, NODE_OUTPUTS).split("/")[2:-1]
        name = ".".join([parts[-1]] if len(parts) < 3 else [parts[1], parts[-1]])
        state[f"{name}.weight"] = weight
        if ".layer." in name:
            normalisation = name.removesuffix("0") + "1"
            state[f"{normalisation}.running_mean"] = -bias
            state[f"{normalisation}.running_var"] = torch.full_like(bias, 1 - 1e-5)
            state[f"{normalisation}.num_batches_tracked"] = torch.tensor(0)
        else:
            state[f"{name}.bias"] = bias
    return state


def _tensor(message: bytes) -> Tensor:
    sizes = [size for number, size in _fields(message) if number == TENSOR_SIZES and isinstance(size, int)]
    [raw] = _all(message, TENSOR_BYTES)
    return torch.from_numpy(np.frombuffer(raw, np.float32).reshape(sizes).copy())


def _text(message: bytes, wanted: int) -> str:
    return _all(message, wanted)[0].decode()


def _all(message: bytes, wanted: int) -> list[bytes]:
    return [value for number, value in _fields(message) if number == wanted and isinstance(value, bytes)]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values: varints as int, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            length, at = _varint(message, at)
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
