"""Fills a catalogue with as many photos as wanted: those that were enrolled, again and again under new ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.indexing.synthetic_gallery import PHOTOS_OF_A_TURTLE
from index.catalog import Catalog
from index.types import Descriptor, Photo, Side

SITES = 97


def grow(catalog: Catalog, enrolled: Sequence[Photo], start: int, photos: int, vectors: Iterable[Descriptor]) -> None:
    """Add photos `start` to `photos`, which show the `enrolled` ones in turn, and descriptors block by block.

    Features and thumbnails are found by a photo's bytes, so they are shared. A turtle has ten photos, half of
    them of each side.
    """
    first_turtle, last_turtle = start // PHOTOS_OF_A_TURTLE, photos // PHOTOS_OF_A_TURTLE
    with catalog.writing("grow"), catalog.transaction("enroll", "benchmark") as transaction:
        keys = transaction.take_ids("turtle", last_turtle - first_turtle)
        encounters = transaction.take_ids("encounter", last_turtle - first_turtle)
        ids = transaction.take_ids("photo", photos - start)
        transaction.run(
            "INSERT INTO turtles SELECT i, printf('G%07d', i), 'active', 'Chelonia mydas', NULL, [], NULL "
            f"FROM range({keys.start}, {keys.stop}) r(i)"
        )
        transaction.run(
            f"INSERT INTO encounters SELECT i, i - {encounters.start} + {keys.start}, DATE '2000-01-01', NULL, NULL "
            f"FROM range({encounters.start}, {encounters.stop}) r(i)"
        )
        transaction.run(
            "CREATE TEMP TABLE pool AS SELECT unnest(?) AS place, unnest(?) AS sha256, unnest(?) AS keypoints",
            list(range(len(enrolled))),
            [p.sha256 for p in enrolled],
            [p.keypoints for p in enrolled],
        )
        transaction.run(
            "INSERT INTO photos BY NAME SELECT i AS id, sha256, printf('grown/%d.jpg', i) AS path, "
            f"(i - {ids.start}) // {PHOTOS_OF_A_TURTLE} + {encounters.start} AS encounter, false AS removed, "
            f"CASE i % 2 WHEN 0 THEN '{Side.LEFT}' ELSE '{Side.RIGHT}' END AS side, DATE '2000-01-01' AS taken_on, "
            f"printf('Site %d', i % {SITES}) AS site, keypoints, 0.5 AS quality, 4000 AS width, 3000 AS height "
            f"FROM range({ids.start}, {ids.stop}) r(i) JOIN pool ON place = i % {len(enrolled)} ORDER BY i"
        )
        place = ids.start
        for block in vectors:
            transaction.add_vectors(range(place, place + len(block)), block)
            place += len(block)
        transaction.journal.put("settings", [{"name": "grown", "value": str(photos)}])
