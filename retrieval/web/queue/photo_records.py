"""Photos of the catalogue as the pages need them, many in one question."""

from __future__ import annotations

from collections.abc import Collection

from index.catalog import Catalog
from index.registry import PhotoRecord, read_records, several


def records_of(catalog: Catalog, turtles: Collection[str], encounters: Collection[int] = ()) -> list[PhotoRecord]:
    """All photos of some turtles and of some encounters, in one question."""
    with catalog.reading() as session:
        keys = "SELECT key FROM turtles WHERE id IN (SELECT unnest(?::VARCHAR[]))"
        owned = f"SELECT id FROM encounters WHERE turtle IN ({keys}) OR id IN ({several(encounters)})"
        sql = f"SELECT * FROM photos WHERE NOT removed AND encounter IN ({owned})"
        return read_records(session, sql, sorted(turtles))
