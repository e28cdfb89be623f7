"""From the names that a user gives, or a catalogue remembers, to loaded instruments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from index.errors import RecipeMismatch
from index.types import Recipe
from retrieval.descriptor import load_encoder
from retrieval.instruments import PER_TURTLE, SHORTLIST, Instruments
from retrieval.keypoints import Extractor, SiftExtractor
from retrieval.matcher import Matcher
from retrieval.nearest import NearestNeighbourMatcher, Verification
from retrieval.rerank import RerankRecipe
from retrieval.scoring import Score

NEAREST = "nearest"

KEEP = 30
"""Candidates that a network sees of a shortlist."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user may choose; None takes the best that is at hand.

    Attributes
    ----------
    extractor, encoder : str or None
        None takes the catalogue's own.
    encoder_weights : Path or None
        Local checkpoint of a timm encoder.
    matcher : str or None
        ``nearest`` (also for None), the name of bundled or published LightGlue weights, or a local file.
    verify : bool
        Whether geometrically inconsistent matches lose their confidence.
    device : str or None
        ``cpu``, ``cuda``, ``cuda:1``; None takes a GPU where there is one.
    """

    extractor: str | None = None
    encoder: str | None = None
    encoder_weights: Path | None = None
    matcher: str | None = None
    verify: bool = True
    device: str | None = None
    score: Score = Score.WASSERSTEIN
    shortlist: int = SHORTLIST


def load_instruments(choices: Choices, recipe: Recipe | None = None) -> Instruments:
    """Load what `choices` name, and what the catalogue's `recipe` was made with where they name nothing.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt, DeviceUnavailable, RecipeMismatch
    """
    extractor = load_extractor(choices.extractor or (recipe.extractor if recipe else SiftExtractor().id))
    encoder = choices.encoder or (recipe.encoder if recipe else "vlad")
    return Instruments(
        extractor=extractor,
        encoder=load_encoder(encoder, choices.encoder_weights, choices.device or "cpu"),
        matcher=load_matcher(choices.matcher, choices.device),
        reranking=_reranking(choices),
        score=choices.score,
        shortlist=choices.shortlist,
        per_turtle=PER_TURTLE,
    )


def _reranking(choices: Choices) -> RerankRecipe:
    """A network looks closer at the most promising only; nearest neighbours are the first look themselves."""
    nearest = choices.matcher in (None, NEAREST)
    return RerankRecipe(None if nearest else KEEP, Verification() if choices.verify else None)


def load_extractor(name: str) -> Extractor:
    """The extractor of an id such as ``sift-512-320``: SIFT, keypoints at most, longest side in pixels."""
    if found := re.fullmatch(r"sift-(\d+)-(\d+)", name):
        keypoints, long_side = map(int, found.groups())
        return SiftExtractor(keypoints, long_side)
    raise RecipeMismatch(
        f"There is no extractor {name!r} in this version; write sift-KEYPOINTS-PIXELS, as in sift-512-320."
    )


def load_matcher(name: str | None, device: str | None) -> Matcher:
    """A matcher by name: nearest neighbours, or LightGlue with bundled, published or local weights."""
    if name in (None, NEAREST):
        return NearestNeighbourMatcher()
    from retrieval.batching import choose_device  # torch takes seconds to import, and registry commands do without it
    from retrieval.weights import load_matcher as load_lightglue

    return load_lightglue(str(name), choose_device(device))
