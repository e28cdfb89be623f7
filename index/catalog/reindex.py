"""New features and vectors for photos that are in the catalogue: staged beside the old ones, then switched at once.

Until the switch the catalogue works with what it has, and what was staged stays for the next attempt. The switch is
one transaction; what it leaves behind (records of another extractor, an old vector index) is never read and goes
afterwards, or with the next `compact`. A photo that could not be read again keeps its row, with 0 keypoints: it cannot
be searched until a later attempt finds its original.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict

from index.catalog.catalog import VECTORS, Catalog
from index.catalog.readings import WAITING
from index.errors import CatalogDamaged
from index.features import FeatureStore
from index.files import OnStep, no_steps
from index.registry import PhotoRecord, descriptor_bytes, pack_descriptor, read_records
from index.types import PreparedPhoto, Recipe

KEPT = "(NOT removed OR id IN (SELECT photo FROM descriptors))"
"""Photos that are in the catalogue, and removed ones that can come back."""


class Reindexing:
    """One attempt to give photos the features and vectors of a recipe; needs the writer's lock.

    With the catalogue's own recipe only photos are read again whose records are missing or damaged, whose head box has
    changed, and those that an earlier reader got wrong (`outdated`, by number).
    """

    def __init__(
        self, catalog: Catalog, recipe: Recipe, on_step: OnStep = no_steps, outdated: Collection[int] = ()
    ) -> None:
        self._catalog = catalog
        self._recipe = recipe
        self._name = json.dumps(asdict(recipe))
        self._other = recipe != catalog.recipe
        self._on_step = on_step
        self._outdated = frozenset(outdated)

    def waiting(self) -> list[PhotoRecord]:
        """Photos whose originals have to be read, those already staged left out."""
        # a photo whose head nobody has drawn yet is not read: there is nothing to search in it
        staged = f"id NOT IN (SELECT photo FROM reread WHERE recipe = ?) AND NOT {WAITING}"
        with self._catalog.reading() as session:
            records = read_records(session, f"SELECT * FROM photos WHERE {KEPT} AND {staged} ORDER BY id", self._name)
            whole = "SELECT photo FROM descriptors WHERE octet_length(vector) = ?"
            with_vector = {int(row[0]) for row in session.rows(whole, descriptor_bytes(self._catalog.recipe))}
        if self._other:
            return records
        return [
            record
            for record in records
            if not record.removed
            and (
                record.keypoints == 0
                or record.id in self._outdated
                or record.box != record.read_box
                or record.id not in with_vector
                or not self._readable(record)
            )
        ]

    def stage(self, photos: Sequence[PreparedPhoto], ids: Sequence[int]) -> None:
        """Keep a batch for the switch. Raises StorageFull."""
        FeatureStore(self._catalog.feature_store.path, self._recipe.extractor, self._on_step).put_beside(photos)
        sizes = [photo.original_size for photo in photos]
        blobs = [pack_descriptor(photo.vector) for photo in photos]
        with self._catalog.registry.transaction("reindex", "", "reindex") as transaction:
            transaction.run(
                "INSERT INTO reread BY NAME SELECT unnest(?) AS photo, ? AS recipe, unnest(?) AS keypoints, "
                "unnest(?) AS quality, unnest(?) AS width, unnest(?) AS height, unnest(?::BLOB[]) AS vector, "
                "unnest(?::VARCHAR[]) AS sighting, unnest(?::INTEGER[]) AS reader, unnest(?::INTEGER[]) AS reading, "
                "unnest(?::VARCHAR[]) AS taken_at, unnest(?::VARCHAR[]) AS content",
                *(list(ids), self._name, [len(photo.features) for photo in photos]),
                *([float(photo.quality) for photo in photos], [w for w, _ in sizes], [h for _, h in sizes], blobs),
                *([photo.key for photo in photos], [photo.reader for photo in photos]),
                *([photo.reading for photo in photos], [photo.taken_at for photo in photos]),
                [photo.content for photo in photos],
            )

    def switch(self, who: str, why: str = "") -> None:
        """Make what was staged the catalogue's own; photos that were not staged cannot be searched from now on."""
        catalog = self._catalog
        (catalog.path / VECTORS).unlink(missing_ok=True)  # derived, and soon of another recipe
        with catalog.transaction("reindex", who, why) as transaction:
            if self._other:
                transaction.run(f"UPDATE photos SET keypoints = 0 WHERE {KEPT}")
                transaction.run("DELETE FROM descriptors")
            mine = "(SELECT photo FROM reread WHERE recipe = ?)"
            transaction.run(f"DELETE FROM descriptors WHERE photo IN {mine}", self._name)
            transaction.run(
                "UPDATE photos SET keypoints = r.keypoints, quality = r.quality, width = r.width, height = r.height, "
                "sighting = coalesce(r.sighting, photos.sighting), reader = coalesce(r.reader, photos.reader), "
                "reading = coalesce(r.reading, photos.reading), taken_at = coalesce(r.taken_at, photos.taken_at), "
                "content = coalesce(r.content, photos.content), "
                "read_box = CASE WHEN box_x IS NULL THEN [] ELSE [box_x, box_y, box_w, box_h] END "
                "FROM reread r WHERE r.photo = photos.id AND r.recipe = ?",
                self._name,
            )
            transaction.run(
                "INSERT INTO descriptors SELECT photo, ?, vector FROM reread WHERE recipe = ?",
                *(transaction.event, self._name),
            )
            transaction.run("DELETE FROM reread")
            at = transaction.at.isoformat(sep=" ")
            settings = [{"name": "recipe", "value": self._name}, {"name": "reindexed", "value": at}]
            transaction.journal.put("settings", settings)
        self._on_step("switched")
        catalog.adopt(self._recipe)
        self.clean_up()
        catalog.searcher.rebuild()

    def clean_up(self) -> None:
        """Delete what belongs to another extractor than the catalogue's."""
        self._catalog.feature_store.forget_others()

    def _readable(self, record: PhotoRecord) -> bool:
        try:
            [features] = self._catalog.feature_store.features([record.key])
            thumbnail = self._catalog.feature_store.thumbnail(record.key)
        except CatalogDamaged:
            return False
        return features is not None and thumbnail is not None and len(features) == record.keypoints
