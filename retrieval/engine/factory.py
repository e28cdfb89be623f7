"""The parts of an engine that see one photo, by the names that a user gives, or a catalogue remembers.

What compares photos is in `retrieval.engine.matchers`.
"""

from __future__ import annotations

import re
from pathlib import Path

from index.errors import InputError, RecipeMismatch, WeightsUnavailable
from index.types import Recipe
from retrieval.defaults import Heads
from retrieval.detection import Locator, Segmenter
from retrieval.encoders import BUNDLED, WORDS_ID, Encoder, SiftBeside, VladEncoder, WordEncoder
from retrieval.engine.options import EngineOptions, family_of
from retrieval.features import Extractor, SiftExtractor

SUCCEEDED = "asmk"
"""The encoder of older catalogues, whose place another has taken."""

BUNDLED_FINDER = "turtle-heads"

EXTRACTORS = ("sift", "disk", "aliked", "doghardnet", "xfeat", "superpoint")

SMALLEST = 64
"""Longest side in pixels below which a head shows no 64 keypoints."""


def encoder_of(options: EngineOptions, recipe: Recipe | None, extractor: Extractor) -> Encoder:
    """The encoder that the options name, else the recipe's; those of SIFT find its keypoints beside other ones."""
    spec = options.encoder or (recipe.encoder if recipe else WORDS)
    if options.encoder is None and spec.startswith(SUCCEEDED):
        spec = WORDS  # an older one becomes this version's: `require` tells them apart
    encoder = load_encoder(spec.partition(SiftBeside.SUFFIX)[0], options.encoder_weights, options.device)
    of_sift = not spec.startswith("timm:")
    return SiftBeside(encoder) if of_sift and family_of(extractor.id) != "sift" else encoder


def locator_of(options: EngineOptions) -> Locator:
    """What says where the heads of photos are.

    Raises
    ------
    WeightsUnavailable, WeightsCorrupt, DeviceUnavailable
    """
    if options.heads is not Heads.AUTO:
        return Locator(options.heads, None)
    from retrieval.detection import PROMPTED, PromptedFinder, SmallHeadFinder  # torch takes seconds to import

    chosen = options.head_finder
    try:
        if isinstance(chosen, str) and chosen in PROMPTED:
            return Locator(options.heads, PromptedFinder.load(chosen, options.device))
        file = None if chosen in (None, BUNDLED_FINDER) else Path(str(chosen))
        return Locator(options.heads, SmallHeadFinder.load(file, options.device))
    except WeightsUnavailable as error:
        raise WeightsUnavailable(
            f"{error} Until then --heads whole takes photos as heads that were cut out, and --heads given those whose "
            "head boxes are given."
        ) from error


def segmenter_of(options: EngineOptions) -> Segmenter | None:
    """What tells the animal from its surroundings, where that is wanted.

    Raises
    ------
    InputError, WeightsUnavailable, DeviceUnavailable
    """
    if options.masks is None:
        return None
    from retrieval.detection import SEGMENTERS, SegmentAnything  # torch takes seconds to import

    if options.masks not in SEGMENTERS:
        raise InputError(f"There is no segmenter {options.masks!r}: choose one of {', '.join(SEGMENTERS)}.")
    return SegmentAnything.load(options.masks, options.device)


def load_extractor(name: str, weights: Path | None = None, device: str | None = None) -> Extractor:
    """The extractor of a name such as ``sift`` or ``aliked``, or of an id such as ``aliked-512-480``.

    The numbers are keypoints at most and the longest side in pixels. Networks are loaded when they see a photo.

    Raises
    ------
    RecipeMismatch
    """
    found = re.fullmatch(r"(\w+)(#\w+)?(?:-(\d+)-(\d+)(-v\d+)?)?", name)
    try:
        extractor = _extractor_of(found, weights, device) if found else None
    except ValueError as error:
        raise RecipeMismatch(f"{error} Write for example {found[1] if found else 'sift'}-512-320.") from error
    if extractor is not None and found is not None and found[5] and extractor.id != name:
        raise RecipeMismatch(
            f"This version of turtleidx does not compute {name} but {extractor.id}: `turtleidx reindex` reads the "
            "originals of an older catalogue again."
        )
    if extractor is not None:
        return extractor
    raise RecipeMismatch(
        f"There is no extractor {name!r} in this version; write one of {', '.join(EXTRACTORS)}, where you like with "
        "-KEYPOINTS-PIXELS, as in sift-512-320."
    )


def _extractor_of(found: re.Match[str], weights: Path | None, device: str | None) -> Extractor | None:
    """None where nothing has this name; raises ValueError with a sentence about impossible numbers."""
    sizes = [int(number) for number in (found[3], found[4]) if number]
    if sizes and sizes[1] < SMALLEST:
        raise ValueError(f"Photos are made at least {SMALLEST} pixels long, and {sizes[1]} is less.")
    if found[1] == "sift":
        return None if found[2] else SiftExtractor(*sizes)
    from retrieval.features import EXTRACTOR_SPECS, LearnedExtractor  # torch takes seconds to import

    if found[1] not in EXTRACTOR_SPECS:
        return None
    keypoints, long_side = sizes or (LearnedExtractor.KEYPOINTS, LearnedExtractor.LONG_SIDE)
    return LearnedExtractor(found[1], keypoints, long_side, weights, found[2] or "", device)


WORDS = "words"
TRAINED = ".safetensors"
"""The ending of encoders that `turtleidx train` wrote."""


def load_encoder(spec: str, weights: Path | None = None, device: str | None = None) -> Encoder:
    """The encoder that `spec` names: ``words`` or ``vlad`` (bundled), ``timm:NAME`` (`weights`: a checkpoint), or a
    file that `turtleidx train encoder` wrote.
    """
    if spec.endswith(TRAINED):
        from retrieval.encoders import TimmEncoder

        return TimmEncoder.of_file(Path(spec), device)
    if spec in (WORDS, WORDS_ID):
        return WordEncoder()
    if spec in ("vlad", BUNDLED):
        return VladEncoder.bundled()
    if spec.startswith("timm:"):
        from retrieval.encoders import TimmEncoder  # torch takes seconds to import

        return TimmEncoder(spec.removeprefix("timm:").partition("#")[0], weights, device)
    raise WeightsUnavailable(f"There is no encoder {spec!r}: use 'words', 'vlad' or 'timm:MODEL'.")
