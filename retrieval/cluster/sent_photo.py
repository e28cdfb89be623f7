"""Photos on their way to other machines, which do not see the folder that they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from index.types import LocalFeatures
from retrieval.engine import Engine
from retrieval.matching import ReadsBeside, views_beside


@dataclass(frozen=True, slots=True, eq=False)
class SentPhoto:
    """A photo as `PhotoSource`: its working image, and what is known of it already.

    Attributes
    ----------
    jpeg : bytes
        Empty where nobody will ask for it.
    known : dict
        What further extractors found in it.
    views : tuple of LocalFeatures or None
        Its simulated views; None where they were not made.
    found : dict
        What further extractors found while it was away from home.
    """

    jpeg: bytes
    known: dict[str, LocalFeatures]
    views: tuple[LocalFeatures, ...] | None = None
    found: dict[str, LocalFeatures] = field(default_factory=dict)

    def image(self) -> bytes:
        """The working image as JPEG."""
        return self.jpeg

    def beside(self, extractor: str) -> LocalFeatures | None:
        """What this extractor found, if it is known."""
        return self.found[extractor] if extractor in self.found else self.known.get(extractor)

    def keep(self, extractor: str, features: LocalFeatures) -> None:
        """Remember what this extractor found."""
        self.found[extractor] = features


def known_beside(photo: LocalFeatures, extractors: Sequence[str]) -> dict[str, LocalFeatures]:
    """What these further extractors are known to have found in a photo."""
    source = photo.source
    found = {} if source is None else {name: source.beside(name) for name in extractors}
    return {name: one for name, one in found.items() if one is not None}


def query_for_many(engine: Engine, query: LocalFeatures) -> LocalFeatures:
    """A query with all that is computed of it alone, once, so that those who compare it need not do it each.

    Raises as the matcher's extractors.
    """
    if query.source is None:
        return query
    known: dict[str, LocalFeatures] = {}
    if isinstance(engine.matcher, ReadsBeside):
        engine.matcher.prepare([query])
        known = known_beside(query, engine.matcher.beside)
    views = views_beside(query) if engine.directed else None
    return replace(query, source=SentPhoto(b"", known, views))  # its image would tell nothing more
