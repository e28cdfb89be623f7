"""Where the gallery's features lie and are compared: on this machine, or wherever else somebody keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from index.catalog import Catalog
from index.types import GalleryFilter, Matches, PreparedPhoto, Shortlist
from retrieval.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class ComparedShortlist:
    """A shortlist and the query's matches with each of its photos; None for those that the recipe does not compare."""

    shortlist: Shortlist
    matches: tuple[Matches | None, ...]


class Gallery(Protocol):
    """Enrolled photos that a query can be compared with."""

    def compare(self, query: PreparedPhoto, where: GalleryFilter, /) -> ComparedShortlist:
        """Shortlist what the filter admits and re-rank it."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnGallery:
    """The catalogue's folder on this machine."""

    catalog: Catalog
    engine: Engine

    def compare(self, query: PreparedPhoto, where: GalleryFilter) -> ComparedShortlist:
        """As `Gallery.compare`. Raises CatalogDamaged."""
        catalog, engine = self.catalog, self.engine
        probe = engine.encoder.probe(query.features, query.vector)
        shortlist = catalog.shortlist(probe, engine.shortlist, where, engine.per_turtle)
        matches = engine.rerank(query.features, catalog.features(shortlist.photos))
        return ComparedShortlist(shortlist, tuple(matches))
