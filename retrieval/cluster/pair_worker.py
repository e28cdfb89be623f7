"""What a process of the cluster does with pairs of photos that are sent to it.

Nothing here knows Ray: `retrieval.cluster.pair_tasks` has these functions run as its tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version

from index.errors import ClusterUnavailable
from index.types import LocalFeatures, Matches, Recipe
from retrieval.cluster.sent_photo import SentPhoto
from retrieval.defaults import Heads
from retrieval.engine import Engine, EngineOptions
from retrieval.matching import ReadsBeside, first_stage
from retrieval.parallel import keep_freed_memory
from retrieval.pipeline import Comparing, Confidences, compared


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is to be compared with, as the one says who asks.

    Attributes
    ----------
    version : str
        Of turtleidx there.
    comparison : str
        `Engine.comparison` there.
    """

    version: str
    recipe: Recipe
    options: EngineOptions
    comparison: str

    @classmethod
    def of(cls, engine: Engine) -> Instruments:
        """Those of an engine that has a name to be loaded by."""
        assert engine.matching is not None
        return cls(version("turtleidx"), engine.recipe, engine.matching, engine.comparison)

    def loaded(self) -> Engine:
        """The same here, once a process. Raises ClusterUnavailable where it is not the same, and as `Engine.load`."""
        own = version("turtleidx")
        if own != self.version:
            raise ClusterUnavailable(
                f"A node of the cluster runs turtleidx {own}, and this machine {self.version}: install one version on "
                "all."
            )
        engine = _engine(self.recipe, self.options)
        if engine.comparison != self.comparison:
            raise ClusterUnavailable(
                f"A node of the cluster compares photos with {engine.comparison}, and this machine with "
                f"{self.comparison}: all need the same weights (`turtleidx weights`), or name a matcher with --matcher."
            )
        return engine


@cache
def _engine(recipe: Recipe, options: EngineOptions) -> Engine:
    keep_freed_memory()
    seeing_no_photographs = replace(
        options,
        extractor=None,
        extractor_weights=None,
        encoder="words",
        encoder_weights=None,
        heads=Heads.WHOLE,
        head_finder=None,
        masks=None,
    )
    return Engine.load(recipe, seeing_no_photographs)


Learnt = list[dict[str, LocalFeatures]]
"""What further extractors found in photos, in the order in which they were sent."""


def compare_pairs(
    instruments: Instruments, comparing: Comparing, query: LocalFeatures, *others: LocalFeatures
) -> tuple[Confidences, Learnt]:
    """As `retrieval.pipeline.compared`; the query's findings come first. Raises as `Instruments.loaded`."""
    found = compared(instruments.loaded(), comparing, query, others)
    return found, _learnt([query, *others])


def find_features(instruments: Instruments, photos: Sequence[LocalFeatures]) -> Learnt:
    """What the matcher's further extractors find in photos. Raises as `Instruments.loaded`."""
    matcher = instruments.loaded().matcher
    assert isinstance(matcher, ReadsBeside)
    matcher.prepare(photos)
    return _learnt(photos)


def look_at(query: LocalFeatures, *others: LocalFeatures) -> list[Matches]:
    """Verified nearest neighbours of a photo with others."""
    return first_stage(query, others)


def _learnt(photos: Sequence[LocalFeatures]) -> Learnt:
    return [photo.source.found if isinstance(photo.source, SentPhoto) else {} for photo in photos]
