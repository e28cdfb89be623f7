"""The loaded recipe: extractor, encoder, matcher and score that work together on one catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.errors import PhotoRefused, TooFewKeypoints
from index.types import BoxOrigin, Descriptor, LocalFeatures, Matches, PreparedPhoto, Recipe, Sighting
from retrieval.defaults import PER_TURTLE, SHORTLIST, Heads
from retrieval.detection import Locator, Segmenter, masked
from retrieval.encoders import Encoder
from retrieval.engine.factory import encoder_of, load_extractor, locator_of, segmenter_of
from retrieval.engine.matchers import first_stage_of, matcher_of, reranking_of
from retrieval.engine.options import EngineOptions, chosen_matcher, is_viewed, score_of, wanted_extractor
from retrieval.features import Extractor, Found
from retrieval.images import READER, LinkedPoints, LoadedPhoto, jpeg, load_photo, quality
from retrieval.matching import (
    FIRST_STAGE,
    Compare,
    Matcher,
    RerankRecipe,
    compare,
    first_stage,
    places,
    rerank,
    verifying,
)
from retrieval.scoring import Score

Each = Callable[..., Iterable[Any]]
"""Maps a function over sequences, in order: `map`, or that of a pool."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """Everything that computes, loaded once a command.

    Attributes
    ----------
    reranking : RerankRecipe
        Whom the matcher sees, and whether its matches are verified.
    shortlist, per_turtle : int
        How many photos are matched, and how many of them may be of one turtle.
    look : callable
        How the cascade looks at all of a shortlist.
    first_stage : str
        Names what `look` does, for caches.
    directed : bool
        Whether query and candidate are looked at in different ways, so that a pair has two comparisons.
    lacking : str or None
        What would recognise turtles better and is not there, and what to do about it, in one sentence.
    locator : Locator
        What finds the heads in whole photographs.
    segmenter : Segmenter or None
        What tells the animal from its surroundings, which then have no keypoints.
    matching : EngineOptions or None
        What names how photos are compared, so that another process can load the same; None where no name does.
    """

    extractor: Extractor
    encoder: Encoder
    matcher: Matcher
    reranking: RerankRecipe
    score: Score
    shortlist: int = SHORTLIST
    per_turtle: int = PER_TURTLE
    look: Compare = first_stage
    first_stage: str = FIRST_STAGE
    directed: bool = False
    lacking: str | None = None
    locator: Locator = Locator(Heads.WHOLE, None)  # noqa: RUF009
    segmenter: Segmenter | None = None
    matching: EngineOptions | None = None

    @classmethod
    def load(cls, recipe: Recipe | None = None, options: EngineOptions | None = None) -> Engine:
        """Load what the options name, and what a catalogue's recipe was made with where they name nothing.

        Raises
        ------
        WeightsUnavailable, WeightsCorrupt, DeviceUnavailable, RecipeMismatch
        """
        chosen = options or EngineOptions()
        extractor = load_extractor(wanted_extractor(chosen.extractor, recipe), chosen.extractor_weights, chosen.device)
        encoder = encoder_of(chosen, recipe, extractor)
        return cls(
            extractor,
            encoder,
            shortlist=chosen.shortlist,
            locator=locator_of(chosen),
            segmenter=segmenter_of(chosen),
            **_matching(chosen, extractor),
        )

    def with_matcher(self, options: EngineOptions) -> Engine:
        """The same engine with the matcher that the options name. Raises as `load`."""
        return replace(self, **_matching(options, self.extractor))

    @property
    def recipe(self) -> Recipe:
        """What a catalogue must have been made with."""
        return Recipe(self.extractor.id, self.encoder.id, self.encoder.dimension, self.encoder.votes)

    @property
    def comparison(self) -> str:
        """Names how pairs are compared, also how networks are told how photos lie; pair caches are keyed with it."""
        return f"{self.extractor.id}+{self.matcher.id}+{verifying(self.reranking.verification)}+{self.first_stage}"

    @property
    def unverified(self) -> Engine:
        """The same without geometric verification."""
        named = None if self.matching is None else replace(self.matching, verify=False)
        return replace(self, reranking=replace(self.reranking, verification=None), matching=named)

    @property
    def looking(self) -> str:
        """Names how the cascade looks at pairs; their cache is keyed with it."""
        return f"{self.extractor.id}+{self.first_stage}"

    @property
    def evidence(self) -> str:
        """Names all that decides a maximum score; fitted models are valid for one such recipe only."""
        length = f"{self.shortlist}x{self.per_turtle}-{self.reranking.seen}"
        return f"{self.encoder.id}+{self.comparison}+{self.score}+{length}"

    @property
    def comparing(self) -> str:
        """Names all that decides which pairs are compared and how, whatever the score."""
        return replace(self, score=Score.WASSERSTEIN).evidence

    def compare(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches]:
        """Match the query with every candidate and verify the matches."""
        return compare(query, candidates, self.matcher, self.reranking.verification)

    def places(self, query: LocalFeatures, candidate: LocalFeatures, matches: Matches) -> LinkedPoints:
        """Where the matches of a pair lie that this engine compared, those of the second expert too."""
        return places(query, candidate, matches, self.matcher)

    def rerank(self, query: LocalFeatures, candidates: Sequence[LocalFeatures]) -> list[Matches | None]:
        """The same, but only with the candidates that the cascade lets through; None for the others."""
        return rerank(query, candidates, self.matcher, self.reranking, self.look)

    def extract(self, sighting: Sighting) -> Extracted:
        """Read one photo and find its keypoints. Raises PhotoRefused."""
        [found] = self.extract_batch([sighting])
        if isinstance(found, PhotoRefused):
            raise found
        return found

    def extract_batch(self, sightings: Sequence[Sighting], each: Each = map) -> list[Extracted | PhotoRefused]:
        """Read many photos and find their keypoints; `each` may map over them on many cores.

        Raises
        ------
        WeightsUnavailable, WeightsCorrupt
        """
        return self._extracted(self.locator.locate(sightings, each), each)

    def extract_heads(self, sightings: Sequence[Sighting], each: Each = map) -> list[list[Extracted | PhotoRefused]]:
        """As `extract_batch`, where a photo of nobody in particular gives each of its heads."""
        located = self.locator.locate_every(sightings, each)
        found = iter(self._extracted([one for heads in located for one in heads], each))
        return [[next(found) for _ in heads] for heads in located]

    def _extracted(self, located: Sequence[Sighting | PhotoRefused], each: Each) -> list[Extracted | PhotoRefused]:
        if self.extractor.batch == 1:
            return list(each(self._extract_alone, located))
        return self._extract_together(located, each)

    def _extract_together(
        self, located: Sequence[Sighting | PhotoRefused], each: Each
    ) -> list[Extracted | PhotoRefused]:
        photos = list(each(self._read, located))
        searched = [
            isinstance(photo, LoadedPhoto) and not _waits(one) for one, photo in zip(located, photos, strict=True)
        ]
        readable = [photo.pixels for photo, there in zip(photos, searched, strict=True) if there]
        found = iter(self.extractor.extract_batch(readable))
        together = [
            photo if isinstance(photo, PhotoRefused) else (photo, next(found) if there else _nothing_in(photo))
            for photo, there in zip(photos, searched, strict=True)
        ]
        return list(each(_described, located, together))

    def _extract_alone(self, sighting: Sighting | PhotoRefused) -> Extracted | PhotoRefused:
        if isinstance(sighting, PhotoRefused):
            return sighting
        photo = self._read(sighting)
        if isinstance(photo, PhotoRefused):
            return photo
        if _waits(sighting):
            return _described(sighting, (photo, _nothing_in(photo)))
        try:
            return _described(sighting, (photo, self.extractor.extract(photo.pixels)))
        except TooFewKeypoints as error:
            return _described(sighting, (photo, error))

    def _read(self, sighting: Sighting | PhotoRefused) -> LoadedPhoto | PhotoRefused:
        if isinstance(sighting, PhotoRefused):
            return sighting
        try:
            photo = load_photo(Path(sighting.path), self.extractor.long_side, sighting.box)
        except PhotoRefused as refusal:
            return refusal
        if self.segmenter is None or _waits(sighting):
            return photo
        return replace(photo, pixels=masked(photo.pixels, sighting, self.segmenter))

    def encode(self, extracted: Sequence[Extracted]) -> list[PreparedPhoto]:
        """Add the global descriptors, a batch at once, and all else that the catalogue keeps."""
        searched = [one for one in extracted if not _waits(one.sighting)]
        empty = np.zeros(self.encoder.dimension, np.uint8 if self.encoder.votes else np.float32)
        if not searched:
            return [one.prepared(empty) for one in extracted]
        vectors = iter(self.encoder.encode([one.photo.pixels for one in searched], [one.features for one in searched]))
        return [one.prepared(empty if _waits(one.sighting) else next(vectors)) for one in extracted]


def _matching(options: EngineOptions, extractor: Extractor) -> dict[str, Any]:
    """Those fields of an engine that say how photos are compared and scored. Raises as `Engine.load`."""
    name, lacking = chosen_matcher(options, extractor.id)
    matcher = matcher_of(name, options, extractor)
    look, first_stage_id = first_stage_of(name, options.device, matcher)
    return {
        "matcher": matcher,
        "reranking": reranking_of(name, options.verify),
        "score": score_of(name, options.score),
        "look": look,
        "first_stage": first_stage_id,
        "directed": is_viewed(name),
        "lacking": lacking,
        "matching": options,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """A photo that was read and whose keypoints were found; the rest as in `PreparedPhoto`."""

    sighting: Sighting
    photo: LoadedPhoto
    features: LocalFeatures
    thumbnail: bytes
    quality: float

    def prepared(self, vector: Descriptor) -> PreparedPhoto:
        """Ready for the catalogue; a date from EXIF where nobody gave one."""
        known = self.sighting
        return PreparedPhoto(
            sighting=known if known.taken_on else replace(known, taken_on=self.photo.taken.day),
            sha256=self.photo.sha256,
            features=self.features,
            vector=vector,
            thumbnail=self.thumbnail,
            original_size=self.photo.original_size,
            quality=self.quality,
            reading=self.photo.reading,
            reader=READER,
            taken_at=self.photo.taken.at,
            content=self.photo.content,
            remarks=(*known.remarks, *(self.photo.remarks if known.taken_on else self.photo.all_remarks)),
        )


def _waits(sighting: Sighting | PhotoRefused) -> bool:
    """Whether there is nothing to search in this photo until a person has drawn its head's box."""
    return isinstance(sighting, Sighting) and sighting.box_origin is BoxOrigin.MISSING


def _nothing_in(photo: LoadedPhoto) -> LocalFeatures:
    return LocalFeatures.none((photo.pixels.shape[1], photo.pixels.shape[0]))


def _described(
    sighting: Sighting | PhotoRefused, found: PhotoRefused | tuple[LoadedPhoto, Found]
) -> Extracted | PhotoRefused:
    if isinstance(found, PhotoRefused):
        return found
    if isinstance(sighting, PhotoRefused):
        return sighting
    photo, features = found
    if isinstance(features, TooFewKeypoints):
        return TooFewKeypoints(f"{sighting.path} cannot be compared: {features}")
    thumbnail = jpeg(photo.pixels, turn=sighting.turn)
    seen = replace(features, source=ReadPhoto(thumbnail))
    return Extracted(sighting, photo, seen, thumbnail, quality(photo.pixels, len(features)))


@dataclass(frozen=True, slots=True, eq=False)
class ReadPhoto:
    """A photo that was just read, by the working image that would be stored, as `PhotoSource`."""

    thumbnail: bytes
    found: dict[str, LocalFeatures] = field(default_factory=dict)

    def image(self) -> bytes:
        """The working image as JPEG."""
        return self.thumbnail

    def beside(self, extractor: str) -> LocalFeatures | None:
        """What this extractor found, if it was asked already."""
        return self.found.get(extractor)

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """Remember it as long as the photo is held."""
        self.found[extractor] = features
