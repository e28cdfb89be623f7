"""Matchers by the names that a user gives: ours, those of published networks, and other systems."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from index.errors import InputError, RecipeMismatch, WeightsUnavailable
from retrieval.encoders import SiftBeside
from retrieval.engine.factory import TRAINED, load_encoder
from retrieval.engine.options import (
    BESIDE,
    IN_VIEWS,
    LOFTR,
    LOMA,
    NEAREST,
    OF_ENCODER,
    OF_EXTRACTOR,
    SECOND,
    WILDFUSION,
    EngineOptions,
    default_matcher,
    family_of,
    is_viewed,
    looks_at_images,
)
from retrieval.features import Extractor
from retrieval.gpus import CPU, device_name
from retrieval.matching import (
    FIRST_STAGE,
    NEIGHBOURS,
    VIEWED,
    BlendedMatcher,
    Compare,
    DeferredMatcher,
    Matcher,
    NearestNeighbourMatcher,
    RerankRecipe,
    TwoExperts,
    Verification,
    ViewedFirstStage,
    ViewedMatcher,
    ViewedNeighbours,
    first_stage,
)

if TYPE_CHECKING:  # torch takes seconds to import
    from retrieval.matching.image_matchers import EmbeddingMatcher, OtherKeypoints

KEEP = 10
"""Candidates that a network sees of a shortlist."""
SECOND_KEYPOINTS = 512
FUSED = "timm:efficientnet-lite0"
"""The embedding of a fusion, where no other is named."""
KEEP_SECOND = 6
"""Candidates that the second expert sees, whose network is of the published size."""


def matcher_of(name: str, options: EngineOptions, extractor: Extractor) -> Matcher:
    """`load_matcher`, with the way out where the default's weights are missing."""
    if is_viewed(name) and family_of(extractor.id) != "sift":
        raise RecipeMismatch(f"--matcher {name} compares SIFT's keypoints, and the catalogue holds {extractor.id}.")
    try:
        if looks_at_images(name):
            return image_matcher(name, options.device, extractor)
        if is_viewed(name):
            return viewed_matcher(name.removesuffix(IN_VIEWS), options.device, extractor)
        return load_matcher(name, options.device)
    except WeightsUnavailable as error:
        if options.matcher is not None:
            raise
        raise WeightsUnavailable(f"{error} Or choose --matcher {NEAREST}, which needs no weights.") from error


def reranking_of(matcher: str, verify: bool) -> RerankRecipe:
    """A network looks closer at the most promising only; nearest neighbours are the first look themselves.

    Where both judge, neighbours alone speak about those that the network does not see.
    """
    if looks_at_images(matcher):  # heads are too curved for the positions of so many matches to be on one plane
        return RerankRecipe(None if matcher.startswith(OF_ENCODER) else KEEP, None)
    if is_viewed(matcher):  # what counts is verified already
        own = matcher.removesuffix(IN_VIEWS)
        keep, others = (KEEP_SECOND, 1.0) if own == SECOND else (KEEP, NEIGHBOURS)
        return RerankRecipe(None, None) if own == NEAREST else RerankRecipe(keep, None, others)
    if matcher == NEAREST:
        return RerankRecipe(None, Verification() if verify else None)
    if not verify:
        return RerankRecipe(KEEP, None)
    return RerankRecipe(KEEP, Verification(), NEIGHBOURS if matcher.endswith(BESIDE) else None)


def first_stage_of(name: str, device: str | None, matcher: Matcher | None = None) -> tuple[Compare, str]:
    """How a shortlist is looked at, on the network's device where there is a network, and what caches call it.

    Parameters
    ----------
    matcher : Matcher or None
        The one of this name, which may have a first stage of its own.
    """
    if name.partition(":")[0] in (OF_EXTRACTOR, WILDFUSION):
        from retrieval.matching.image_matchers import OtherKeypoints, WildFusionMatcher

        local = matcher.local if isinstance(matcher, WildFusionMatcher) else matcher
        assert isinstance(local, OtherKeypoints)
        return local.first_stage, f"{local.extractor}+{FIRST_STAGE}"
    return _first_stage_of(name, device), VIEWED if is_viewed(name) else FIRST_STAGE


def _first_stage_of(matcher: str, device: str | None) -> Compare:
    if matcher == NEAREST or looks_at_images(matcher):
        return first_stage

    @cache
    def on_gpu() -> Compare | None:
        if device_name(device) == CPU:
            return None
        from retrieval.devices import choose_device  # torch takes seconds to import
        from retrieval.matching import choose_first_stage

        look = choose_first_stage(choose_device(device))
        return None if look is first_stage else look

    if is_viewed(matcher):
        return ViewedFirstStage(on_gpu)
    return lambda query, candidates: (on_gpu() or first_stage)(query, candidates)


def load_matcher(name: str, device: str | None) -> Matcher:
    """A matcher by name: nearest neighbours, LightGlue with bundled, published or local weights, or both together."""
    if name == NEAREST:
        return NearestNeighbourMatcher()
    network = name.removesuffix(BESIDE) or name
    matcher = _network(network, device)
    return matcher if network == name else BlendedMatcher(matcher)


def _network(name: str, device: str | None) -> Matcher:
    """LightGlue by name; its weights are read with the first pair where their id is known before.

    torch takes seconds to import: work that finds all of its pairs compared does without, and so do small networks on a
    CPU, always, so that all commands on one machine compare alike.

    Raises
    ------
    DeviceUnavailable, WeightsUnavailable, WeightsCorrupt
    """
    if device is not None:
        device_name(device)  # raises where it is not there

    def load() -> Matcher:
        small = load_small_matcher(name) if device_name(device) == CPU else None
        if small is not None:
            return small
        from retrieval.devices import choose_device
        from retrieval.matching.lightglue import load_matcher as load_lightglue

        return load_lightglue(name, choose_device(device))

    from retrieval.matching.lightglue import id_without_network
    from retrieval.matching.lightglue.small import load_small_matcher

    known = id_without_network(name)
    return load() if known is None else DeferredMatcher(known, load)


def viewed_matcher(name: str, device: str | None, extractor: Extractor) -> Matcher:
    """A matcher behind a first stage in several views: neighbours, the second expert, or a network for SIFT."""
    look = _first_stage_of(f"{name}{IN_VIEWS}", device)
    assert isinstance(look, ViewedFirstStage)
    if name == NEAREST:
        return ViewedNeighbours(look)
    if name != SECOND:
        return ViewedMatcher(load_matcher(f"{name}{BESIDE}", device), look)
    from retrieval.features import LearnedExtractor  # torch takes seconds to import

    second = LearnedExtractor(SECOND, SECOND_KEYPOINTS, extractor.long_side, device=device)
    return TwoExperts(look, second, load_matcher(SECOND, device))


def image_matcher(name: str, device: str | None, extractor: Extractor) -> Matcher:
    """Another system: ``encoder:SPEC``, ``extractor:NAME`` with its network, ``loftr``, ``loma``, ``wildfusion:SPEC``.

    It sees the working images that the catalogue keeps, made for this extractor.
    """
    from retrieval.devices import choose_device  # torch takes seconds to import
    from retrieval.matching import image_matchers

    kind, _, chosen = name.partition(":")
    if kind == LOFTR:
        return image_matchers.load_loftr(name, choose_device(device))
    if kind == LOMA:
        return image_matchers.load_loma()
    if kind == WILDFUSION:
        local = _other_keypoints(SECOND, device, extractor)
        return image_matchers.WildFusionMatcher(local, _embedding(chosen or FUSED, device))
    if kind == OF_EXTRACTOR:
        from retrieval.features import EXTRACTOR_SPECS

        if chosen not in EXTRACTOR_SPECS:
            raise InputError(f"There is no learned extractor {chosen!r}: choose one of {', '.join(EXTRACTOR_SPECS)}.")
        return _other_keypoints(chosen, device, extractor)
    return _embedding(chosen, device)


def _other_keypoints(chosen: str, device: str | None, extractor: Extractor) -> OtherKeypoints:
    from retrieval.features import LearnedExtractor
    from retrieval.matching.image_matchers import OtherKeypoints

    other = LearnedExtractor(chosen, SECOND_KEYPOINTS, extractor.long_side, device=device)
    return OtherKeypoints(other, load_matcher(default_matcher(chosen), device))


def _embedding(chosen: str, device: str | None) -> EmbeddingMatcher:
    from retrieval.matching.image_matchers import EmbeddingMatcher

    encoder = load_encoder(chosen, device=device)
    if encoder.votes:
        raise InputError(f"{chosen} votes and gives no embedding: choose vlad, timm:MODEL or an encoder's file.")
    seen = encoder if chosen.startswith("timm:") or chosen.endswith(TRAINED) else SiftBeside(encoder)
    return EmbeddingMatcher(seen.id, lambda pixels: seen.encode(pixels, ()))
