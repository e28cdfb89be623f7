"""What the photos of unidentified encounters find: turtles of the gallery, and each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalog import Catalog
from index.types import GalleryFilter, Photo, Progress, Shortlist
from retrieval.engine import Engine
from retrieval.fitting import DescriptorSimilarity
from retrieval.parallel import in_parts
from retrieval.pipeline import PairPool
from retrieval.review.pair_scores import PairScorer, candidates_of
from retrieval.scoring import Candidate, PairScoring


@dataclass(frozen=True, slots=True, eq=False)
class PhotoNeighbours:
    """What one photo of an unidentified encounter found.

    Attributes
    ----------
    turtles, others : tuple of Candidate
        Catalogued turtles and other unidentified encounters, best first.
    other_photos : mapping
        How many photos of the searched side each other encounter has, by the name it has as a candidate.
    """

    photo: Photo
    turtles: tuple[Candidate, ...]
    shortlist: Shortlist
    others: tuple[Candidate, ...]
    other_photos: Mapping[str, int]

    def gallery_of(self, others: Collection[str]) -> Shortlist:
        """The search as if these other encounters were turtles of its gallery."""
        there = [one.photo for one in self.others if one.turtle in others]
        photos = [replace(photo, turtle=named(photo.encounter)) for photo in there]
        counts = np.array([self.other_photos[str(photo.turtle)] for photo in photos], np.int64)
        own = self.shortlist
        return Shortlist(
            photos=(*own.photos, *photos),
            similarity=np.concatenate((own.similarity, np.zeros(len(photos), np.float32))),
            turtle_photos=np.concatenate((own.turtle_photos, counts)),
            gallery_photos=own.gallery_photos + sum(self.other_photos[name] for name in others),
            gallery_turtles=own.gallery_turtles + len(others),
            catalogued_turtles=own.catalogued_turtles + len(others),
        )


def named(encounter: int) -> str:
    """The name under which an unidentified encounter stands among candidates."""
    return f"encounter {encounter}"


def neighbours_of(
    catalog: Catalog,
    engine: Engine,
    scoring: PairScoring,
    only: Collection[int] = (),
    progress: Progress | None = None,
    pool: PairPool | None = None,
) -> dict[int, list[PhotoNeighbours]]:
    """Look up the photos of unidentified encounters (`only` these, or all), by encounter; needs the writer's lock.

    Parameters
    ----------
    pool : PairPool or None
        Where pairs are compared; None compares them on this machine.
    """
    everyone = [one for one in catalog.photos(GalleryFilter(identified=False)) if one.turtle is None]
    photos = [one for one in everyone if not only or one.encounter in only]
    if not photos:
        return {}
    descriptor_similarity = DescriptorSimilarity(catalog, engine, photos, catalog.vectors(photos))
    comparer = PairScorer(catalog, engine, scoring, pool)

    def near(row: int) -> _Near:
        photo = photos[row]
        where = GalleryFilter(side=photo.side)
        shortlist = catalog.shortlist(descriptor_similarity.probe(row), engine.shortlist, where, engine.per_turtle)
        others = [other for other, one in enumerate(photos) if _comparable(photo, one)]
        nearest = [photos[others[place]] for place in np.argsort(-descriptor_similarity.to(row)[others], kind="stable")]
        counts: dict[str, int] = defaultdict(int)
        for one in nearest:
            counts[named(one.encounter)] += 1
        few = _few_of_each(nearest, engine.per_turtle)[: engine.shortlist]
        return _Near(photo, shortlist, few, counts)

    found: dict[int, list[PhotoNeighbours]] = defaultdict(list)
    for part in in_parts(map(near, range(len(photos))), comparer.ahead):
        comparer.plan([(one.photo, others) for one in part for others in (one.shortlist.photos, one.unidentified)])
        for one in part:
            found[one.photo.encounter].append(_looked_up(one, comparer))
            if progress:
                progress(1)
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Whom a photo is compared with: a shortlist, and photos of other unidentified encounters."""

    photo: Photo
    shortlist: Shortlist
    unidentified: Sequence[Photo]
    other_photos: Mapping[str, int]


def _looked_up(near: _Near, comparer: PairScorer) -> PhotoNeighbours:
    return PhotoNeighbours(
        photo=near.photo,
        turtles=candidates_of(comparer.likenesses(near.photo, near.shortlist.photos), lambda one: str(one.turtle)),
        shortlist=near.shortlist,
        others=candidates_of(comparer.likenesses(near.photo, near.unidentified), lambda one: named(one.encounter)),
        other_photos=near.other_photos,
    )


def _comparable(photo: Photo, other: Photo) -> bool:
    return other.encounter != photo.encounter and (photo.side is None or other.side == photo.side)


def _few_of_each(photos: Sequence[Photo], most: int) -> list[Photo]:
    seen: dict[int, int] = defaultdict(int)
    kept = []
    for photo in photos:
        seen[photo.encounter] += 1
        if seen[photo.encounter] <= most:
            kept.append(photo)
    return kept
