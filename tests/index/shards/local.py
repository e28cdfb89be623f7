"""Shards in this process, and random catalogues for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from index.catalog.catalog import Catalog
from index.curation.curator import Curator
from index.shards.manifest import ShardManifest
from index.shards.shard import Shard
from index.shards.sharded_index import Held
from index.types import Descriptor, PreparedPhoto, Recipe, Side, UInt8
from index.vectors.index import Neighbours
from index.vectors.selection import Selection
from index.visual_words.index import VotingIndex
from index.visual_words.signature import SLOT_BYTES, packed
from tests.index.making import DIMENSION, day, photo

SLOTS = 12
VECTORS = Recipe("sift-64-480", "vlad-test", DIMENSION)
VOTES = Recipe("sift-64-480", "words-test", SLOTS * SLOT_BYTES, votes=True)


class LocalShards:
    """As `Shards`, in this process."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.shards = [Shard(folder, number, recipe) for number in range(ShardManifest.read(folder).shards)]
        self._indexes = {shard.number: shard.index() for shard in self.shards}

    def held(self) -> Mapping[int, Held]:
        return {shard.number: Held(shard.members(), self._keypoints(shard.number)) for shard in self.shards}

    def _keypoints(self, number: int) -> int:
        index = self._indexes[number]
        return index.keypoints if isinstance(index, VotingIndex) else 0

    def search(
        self, shards: Sequence[int], query: Descriptor, k: int, selection: Selection, keypoints: int
    ) -> Sequence[Neighbours]:
        found = []
        for number in shards:
            index = self._indexes[number]
            if isinstance(index, VotingIndex):
                found.append(index.search(query, k, selection, keypoints))
            else:
                found.append(index.search(query, k, selection))
        return found


def signature(seed: int) -> UInt8:
    """Of few words that differ little, so that photos vote for each other."""
    rng = np.random.default_rng(seed)
    pool = np.random.default_rng(99).integers(0, 255, (20, SLOT_BYTES), dtype=np.uint8)
    coded = pool[rng.choice(len(pool), int(rng.integers(1, SLOTS + 1)), replace=False)]
    changed = rng.random(coded.shape) < np.where(np.arange(SLOT_BYTES) < 2, 0, 0.2)
    return packed(np.where(changed, rng.integers(0, 255, coded.shape), coded).astype(np.uint8), SLOTS)


def prepared(seed: int, recipe: Recipe, turtles: int = 9) -> PreparedPhoto:
    """A photo of somebody or of nobody, from some side, on some day."""
    random = np.random.default_rng(seed)
    made = photo(
        seed,
        f"T{random.integers(turtles):03d}" if random.random() < 0.75 else None,
        taken_on=day(int(random.integers(9))) if random.random() < 0.8 else None,
        side=(Side.LEFT, Side.RIGHT, None)[random.integers(3)],
    )
    return replace(made, vector=signature(seed)) if recipe.votes else made


def change_something(catalog: Catalog, seed: int) -> None:
    """Somebody moves, merges, retires, removes or gives back; what cannot be done is left."""
    random = np.random.default_rng(seed)
    curator = Curator(catalog, "Ana")
    with catalog.reading() as session:
        ids = [str(row[0]) for row in session.rows("SELECT id FROM turtles WHERE status = 'active' ORDER BY id")]
        photos = [int(row[0]) for row in session.rows("SELECT id FROM photos WHERE NOT removed ORDER BY id")]
    one, other = random.choice(ids, 2, replace=False).tolist()
    number = int(random.choice(photos))
    what = int(random.integers(6))
    if what == 0:
        curator.move_photos([number], one)
    elif what == 1:
        curator.merge_turtles(one, [other])
    elif what == 2 and len(ids) > 4:
        curator.retire_turtle(one)
    elif what == 3:
        curator.remove_photos([number])
    elif what == 4:
        curator.move_photos([number], None)
    else:
        curator.rename_turtle(one, f"N{seed}")
