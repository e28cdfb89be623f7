"""Random roles for a manifest's turtles: some are new, some are asked about again, all others are the gallery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from index.types import Int64, Photo

GALLERY, KNOWN, NEW = 0, 1, 2


def random_roles(photos: Sequence[Photo], seed: int) -> Int64:
    """A role for each photo, int64 [n].

    A quarter of the turtles is new. Of half of the others that were seen twice from one side, half of the encounters of
    that side (rounded down) are asked about; all that is left is the gallery.
    """
    rng = np.random.default_rng(seed)
    turtles = [str(name) for name in rng.permutation(sorted({str(photo.turtle) for photo in photos}))]
    new = set(turtles[: len(turtles) // 4])
    seen = encounters_by_turtle(photos)
    twice = [name for name in turtles if name not in new and any(len(met) > 1 for met in seen[name].values())]
    asked: set[int] = set()
    for name in twice[: len(twice) // 2]:
        for met in seen[name].values():
            asked |= {int(one) for one in rng.permutation(sorted(met))[: len(met) // 2]}
    role = np.full(len(photos), GALLERY, np.int64)
    for row, photo in enumerate(photos):
        if photo.turtle in new:
            role[row] = NEW
        elif photo.encounter in asked and _still_there(photo, seen, asked):
            role[row] = KNOWN
    return role


def most_seen(photos: Sequence[Photo], turtles: int) -> list[Photo]:
    """One photo an encounter and side, of the turtles with the most encounters."""
    seen = encounters_by_turtle(photos)
    often = sorted(seen, key=lambda name: (-sum(map(len, seen[name].values())), name))[:turtles]
    first: dict[tuple[int, object], Photo] = {}
    for photo in photos:
        if photo.turtle in often:
            first.setdefault((photo.encounter, photo.side), photo)
    return sorted(first.values(), key=lambda photo: photo.id)


def encounters_by_turtle(photos: Sequence[Photo]) -> dict[str, dict[object, set[int]]]:
    """Encounters of each turtle by side."""
    seen: dict[str, dict[object, set[int]]] = defaultdict(lambda: defaultdict(set))
    for photo in photos:
        seen[str(photo.turtle)][photo.side].add(photo.encounter)
    return seen


def _still_there(photo: Photo, seen: dict[str, dict[object, set[int]]], asked: set[int]) -> bool:
    """Whether an encounter of this photo's turtle and side stays in the gallery."""
    return bool(seen[str(photo.turtle)][photo.side] - asked)
