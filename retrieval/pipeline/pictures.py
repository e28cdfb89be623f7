"""Match pictures of answers: the heads as the originals show them, else the stored working images."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import PurePath

from index.catalog import Catalog
from index.types import HeadBox, LocalFeatures, Matches, Photo, Pixels, PreparedPhoto, Side
from retrieval.engine import Engine
from retrieval.images import Heading, Panel, decode, match_picture, original_pixels
from retrieval.pipeline.results import Identification

PICTURED = 3
"""Candidates in a match picture."""
LONG_SIDE = 1000
"""Pixels of a head in a picture, before it is reduced."""
SAME_SHAPE = 0.02
"""Share by which an original may be wider than the working image; else it was cut otherwise meanwhile."""


def picture(catalog: Catalog, engine: Engine, found: Identification) -> Pixels | None:
    """The query beside its best candidates, RGB uint8 [h, w, 3]; None where there is nothing to show."""
    best, query = found.candidates[:PICTURED], found.query.prepared
    if not best or query is None:
        return None
    names = [
        "" if candidate.probability is None else f", probability {candidate.probability:.2f}" for candidate in best
    ]
    photos = [candidate.photo for candidate in best]
    return compared_picture(
        catalog, engine, query, photos, heading_of(found), [candidate.evidence for candidate in best], names
    )


def heading_of(found: Identification) -> Heading:
    """File, verdict and P(new), and below them what is known about the photo and why."""
    query = found.query
    chance = "" if found.p_new is None else f"    P(new) {found.p_new:.2f}"
    title = f"{PurePath(query.path).name}    {found.verdict.value}{f' {found.turtle}' if found.turtle else ''}{chance}"
    site = None if query.prepared is None else query.prepared.sighting.site
    return Heading(title, (described(query.side, query.taken_on, site), found.reason))


def compared_picture(
    catalog: Catalog,
    engine: Engine,
    query: PreparedPhoto,
    photos: Sequence[Photo],
    heading: Heading,
    matches: Sequence[Matches] | None = None,
    notes: Sequence[str] = (),
) -> Pixels:
    """A photo beside some of the catalogue's, RGB uint8 [h, w, 3].

    Parameters
    ----------
    matches : sequence of Matches or None
        As the engine found them; None compares now.
    notes : sequence of str
        What stands behind each candidate's matches.

    Raises
    ------
    CatalogDamaged
    """
    features = catalog.features(photos)
    found = engine.compare(query.features, features) if matches is None else matches
    panels = [
        _panel(catalog, engine, query, photo, own, pairs, note)
        for photo, own, pairs, note in zip(photos, features, found, notes or [""] * len(photos), strict=True)
    ]
    seen, stored = query.sighting, decode(query.thumbnail)
    return match_picture(_shown(seen.path, query.sha256, seen.box, stored), heading, panels)


def _panel(
    catalog: Catalog,
    engine: Engine,
    query: PreparedPhoto,
    photo: Photo,
    features: LocalFeatures,
    matches: Matches,
    note: str,
) -> Panel:
    points = engine.places(query.features, features, matches)
    about = described(photo.side, photo.taken_on, days=_days(query.sighting.taken_on, photo.taken_on))
    name = photo.turtle or f"encounter {photo.encounter}"
    caption = f"{name}: {points.told}{note}    {about}    {PurePath(photo.path).name}"
    pixels = _shown(photo.path, photo.sha256, photo.box, decode(catalog.thumbnail(photo)))
    return Panel(caption, pixels, points)


def described(side: Side | None, day: dt.date | None, site: str | None = None, days: int | None = None) -> str:
    """What is known about a photo, in a few words."""
    apart = None if days is None else f"{days} days apart"
    known = [str(one) for one in (side, day, site, apart) if one is not None]
    return ", ".join(known)


def _days(first: dt.date | None, second: dt.date | None) -> int | None:
    return None if first is None or second is None else abs((first - second).days)


def _shown(path: str, sha256: str, box: HeadBox | None, stored: Pixels) -> Pixels:
    """The original where it shows what the working image does."""
    original = original_pixels(path, sha256, box, LONG_SIDE)
    if original is None:
        return stored
    ratio = (original.shape[1] / original.shape[0]) / (stored.shape[1] / stored.shape[0])
    return original if abs(ratio - 1) < SAME_SHAPE else stored
