"""Match pictures of suspected ids, made from what the catalogue keeps, so that originals need not be at hand."""

from __future__ import annotations

from index.catalog import Catalog
from index.types import MATCH_THRESHOLD, Photo, Pixels
from retrieval.engine import Engine
from retrieval.images import Panel, decode, match_picture
from retrieval.review.suspicions import Finding


def finding_picture(catalog: Catalog, engine: Engine, found: Finding) -> Pixels:
    """The best pair of photos across, side by side, RGB uint8 [h, w, 3]. Raises CatalogDamaged."""
    first, second = found.photos
    own, other = catalog.features([first, second])
    [matches] = engine.compare(own, [other])
    counted = int((matches.confidence >= MATCH_THRESHOLD).sum())
    caption = f"{_named(first)}   {_named(second)}   {counted} matches"
    pixels = decode(catalog.thumbnail(second))
    return match_picture(decode(catalog.thumbnail(first)), own, [Panel(caption, pixels, other, matches)])


def _named(photo: Photo) -> str:
    known = [str(one) for one in (photo.turtle, f"photo {photo.id}", photo.taken_on, photo.side) if one is not None]
    return ", ".join(known)
